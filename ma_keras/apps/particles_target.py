"""The target of apps/particles_main.py."""

from __future__ import annotations

from ma_keras import targets
from ma_keras.apps.configuration.particles_target import ParticlesTargetConfig


def build(config: ParticlesTargetConfig) -> targets.Particles:
  """The energy."""
  if config.target == 'dw4':
    return targets.DoubleWells(config.dtype)
  return targets.LennardJones(
    config.particles,
    config.convention,
    config.dtype,
    box=config.box,
    species=config.species,
    depths=config.table('depths'),
    radii=config.table('radii'),
  )
