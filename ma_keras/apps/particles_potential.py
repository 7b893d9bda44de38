"""The potential of apps/particles_main.py: pairs, and many-body terms on the same shells."""

from __future__ import annotations

from typing import Any

from ma_keras import potentials, targets
from ma_keras.apps.configuration.particles import ParticlesConfig

FAR_SHELLS = 20


def build(target: targets.Particles, config: ParticlesConfig) -> potentials.Potential:
  """Pairs, and the many-body terms that --hidden_units and --dipole_units ask for."""
  pairing = target.pairing
  basis = time_basis(config, config.basis_size)
  shared: dict[str, Any] = {
    'shells': config.shells,
    'reach': config.distance,
    'softening': config.softening,
    'time_basis': basis,
    'dtype': target.dtype,
    'species': pairing.species,
    'box': pairing.box,
  }
  sizes = (pairing.particles, pairing.dimensions)
  terms: list[potentials.Potential] = [potentials.Pairs(*sizes, seed=config.seed, **shared)]
  if config.far_reach:
    far = {**shared, 'shells': FAR_SHELLS, 'softening': 1.0, 'reach': config.far_reach}
    terms.append(potentials.Pairs(*sizes, seed=config.seed + 2, **far))
  if config.hidden_units:
    terms.append(embedded_atoms(sizes, config, shared))
  if config.dipole_units:
    layer_basis = time_basis(config, config.layer_basis_size)
    options = {**shared, 'hidden_units': config.dipole_units, 'activation': config.activation}
    terms.append(
      potentials.EmbeddedDipoles(*sizes, **options, layer_basis=layer_basis, seed=config.seed + 3)
    )
  return potentials.Sum(terms) if terms[1:] else terms[0]


def time_basis(config: ParticlesConfig, size: int) -> potentials.TimeBasis | None:
  """The Chebyshev polynomials of the flow's time, `size` of them; None for the constant alone."""
  time = config.num_steps * config.step_size
  return potentials.TimeBasis(time, size) if size > 1 else None


def embedded_atoms(
  sizes: tuple[int, int], config: ParticlesConfig, shared: dict[str, Any]
) -> potentials.Potential:
  """The many-body term, of one layer or of two."""
  options = {
    **shared,
    'hidden_units': config.hidden_units,
    'activation': config.activation,
    'background': config.background,
    'layer_basis': time_basis(config, config.layer_basis_size),
    'seed': config.seed + 1,
  }
  if config.cluster_units:
    return potentials.EmbeddedCluster(*sizes, cluster_units=config.cluster_units, **options)
  return potentials.EmbeddedAtoms(*sizes, **options)
