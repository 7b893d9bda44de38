"""Options of particles: clusters, mixtures, and liquids in a periodic box."""

from __future__ import annotations

import dataclasses
import math

from ma_keras.apps.configuration import pair_table
from ma_keras.apps.configuration.option import Configuration, choice, integer, numbers, text

OF_LENNARD_JONES = ('species', 'depths', 'radii', 'box')
PARTICLES = ('dw4', 'lennard_jones')


@dataclasses.dataclass(frozen=True, kw_only=True)
class ParticlesTargetConfig(Configuration):
  """An energy of particles, and its precision."""

  target: str = choice(
    'dw4',
    PARTICLES,
    'Double wells of four particles in the plane, or Lennard-Jones particles in space.',
    fixes_run=True,
  )
  particles: int = integer(13, 'Lennard-Jones particles: LJ13, LJ55, ...', lower=2, fixes_run=True)
  convention: str = choice(
    'directed',
    ('directed', 'undirected'),
    'A bond of Lennard-Jones particles is worth 2 kT, as in the public data of LJ13, or 1 kT.',
    fixes_run=True,
  )
  species: tuple[int, ...] | None = numbers(
    None,
    'Kind of every Lennard-Jones particle, 0,0,0,1 say; without it all are alike.',
    int,
    fixes_run=True,
  )
  depths: str | None = text(
    None,
    'Bonds of pairs of kinds, in those of --convention: 0-1:1.5,1-1:0.5; without it all are 1.',
    check=pair_table.parse,
    fixes_run=True,
  )
  radii: str | None = text(
    None,
    'Distances at which bonds of pairs of kinds are strongest: 0-1:0.8,1-1:0.88; without it all '
    'are 1.',
    check=pair_table.parse,
    fixes_run=True,
  )
  box: tuple[float, ...] | None = numbers(
    None,
    'Sides of a periodic box of Lennard-Jones particles, 4,5,4 say; without it a trap holds them.',
    float,
    fixes_run=True,
  )
  dtype: str = choice(
    'float32',
    ('float32', 'float64'),
    'Precision of positions, energies and weights.',
    fixes_run=True,
  )

  def __post_init__(self) -> None:
    """Checks values together.

    Raises:
      ValueError: They do not go together.
    """
    super().__post_init__()
    for name in OF_LENNARD_JONES:
      if self.target == 'dw4' and getattr(self, name) is not None:
        raise ValueError(
          f'`--{name}` {self.text_of(name)} with --target=dw4, four particles of one kind in free '
          'space: leave it out, or take --target=lennard_jones.'
        )
    if self.box is not None and (len(self.box) != 3 or min(self.box) <= 0):
      raise ValueError(
        f'`--box` must hold three positive sides, got {self.text_of("box")}: --box=4,5,4, say.'
      )
    self._check_species()

  def _check_species(self) -> None:
    """Raises ValueError on kinds that are not of all particles, or tables that are not of kinds."""
    kinds = self.species
    if kinds is not None and len(kinds) != self.particles:
      raise ValueError(
        f'`--species` {self.text_of("species")} names {len(kinds)} particles, and --particles is '
        f'{self.particles}: say --particles={len(kinds)}, or name the kind of each.'
      )
    if kinds is not None and set(kinds) != set(range(len(set(kinds)))):
      raise ValueError(
        f'`--species` must be numbers from 0 on, none left out, got {self.text_of("species")}: '
        '--species=0,0,0,1, say.'
      )
    for name in ('depths', 'radii'):
      text = getattr(self, name)
      if text is not None and kinds is None:
        raise ValueError(
          f'`--{name}` {text} is of pairs of kinds: give --species, the kind of every particle.'
        )
      try:
        self.table(name)
      except ValueError as error:
        raise ValueError(f'`--{name}` got {text!r}: {error}.') from error

  def table(self, name: str) -> tuple[tuple[float, ...], ...] | None:
    """--depths or --radii as a symmetric table, or None."""
    text = getattr(self, name)
    return None if text is None else pair_table.table(text, 1 + max(self.species or (0,)))

  @property
  def cutoff(self) -> float:
    """Half the shortest side of the box; infinite without one."""
    return 0.5 * min(self.box) if self.box else math.inf

  def text_of(self, name: str) -> str:
    """A value as it is written on the command line."""
    value = getattr(self, name)
    return value if isinstance(value, str) else ','.join(f'{number:g}' for number in value)
