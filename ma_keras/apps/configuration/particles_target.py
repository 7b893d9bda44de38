"""Options of a cluster of particles."""

from __future__ import annotations

import dataclasses

from ma_keras.apps.configuration.option import Configuration, choice, integer

PARTICLES = ('dw4', 'lennard_jones')


@dataclasses.dataclass(frozen=True, kw_only=True)
class ParticlesTargetConfig(Configuration):
  """An energy of particles, and its precision."""

  target: str = choice(
    'dw4',
    PARTICLES,
    'Double wells of four particles in the plane, or a cluster of Lennard-Jones particles.',
    fixes_run=True,
  )
  particles: int = integer(13, 'Lennard-Jones particles: LJ13, LJ55, ...', lower=2, fixes_run=True)
  convention: str = choice(
    'directed',
    ('directed', 'undirected'),
    'A bond of Lennard-Jones particles is worth 2 kT, as in the public data of LJ13, or 1 kT.',
    fixes_run=True,
  )
  dtype: str = choice(
    'float32',
    ('float32', 'float64'),
    'Precision of positions, energies and weights.',
    fixes_run=True,
  )
