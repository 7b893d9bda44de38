"""Lennard-Jones particles, of one kind or of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras.arguments import is_whole
from ma_keras.targets.particles import Particles

Table = Sequence[Sequence[float]]


class LennardJones(Particles):
  """u(r) = r^-12 - 2 r^-6, least at r = 1, of n particles in space, and a trap of strength 1.

  Two conventions are in use for the same name. 'directed' counts both (i, j) and (j, i), so that a
  bond is worth 2 kT, as in the public data of LJ13; 'undirected' counts a pair once.

  Particles of the kinds a and b have depths_ab u(r / radii_ab), least at r = radii_ab, with one u
  for all. In the words of other programs depths are epsilon / kT for undirected pairs, half of it
  for directed ones, and radii are 2^(1/6) sigma.

  Attributes:
    depths: Symmetric, float64 [S, S] of S species; None where all are 1.
    radii: Symmetric, float64 [S, S]; None where all are 1.
  """

  confinement = 1.0

  def __init__(
    self,
    particles: int,
    convention: str = 'directed',
    dtype: Any = tf.float32,
    box: Sequence[float] | None = None,
    species: Sequence[int] | None = None,
    depths: Table | None = None,
    radii: Table | None = None,
  ) -> None:
    """Takes the size.

    Args:
      particles: n, at least 2: 13 for LJ13, 55 for LJ55.
      convention: 'directed' or 'undirected'.
      dtype: Floating dtype.
      box: Lengths of a periodic box, [3], which takes the place of the trap.
      species: Kind of every particle, 0, 1, ...; None where all are alike.
      depths: A symmetric table of every two kinds: ((1, 1.5), (1.5, 0.5)) of two. None: all 1.
      radii: Distances of least energy of every two kinds, a symmetric table. None: all 1.

    Raises:
      ValueError: `particles` is too small, the convention has another name, or a table is not
        what is said above.
    """
    conventions = {'directed': 2.0, 'undirected': 1.0}
    if convention not in conventions:
      raise ValueError(
        f'`convention` must be one of {sorted(conventions)}, got {convention!r}: a bond is worth '
        '2 kT in the former, as in the public data of LJ13, and 1 kT in the latter.'
      )
    if not is_whole(particles, 2):
      raise ValueError(f'`particles` must be at least 2, and whole, got {particles!r}. 13, say.')
    super().__init__(particles, 3, dtype, box, species)
    self.convention = convention
    self.bond = conventions[convention]
    self.depths = None if depths is None else _table('depths', depths, self.pairing.species)
    self.radii = None if radii is None else _table('radii', radii, self.pairing.species)

  def pair_energy(self, squared_distance: tf.Tensor) -> tf.Tensor:
    """r^-12 - 2 r^-6, times 2 for directed pairs; infinite in float32 below r = 0.0007."""
    sixth = tf.math.reciprocal(squared_distance) ** 3
    return self.bond * (sixth - 2.0) * sixth

  def pair_energies(self, squared_distances: tf.Tensor) -> tf.Tensor:
    """depths_ab u(r / radii_ab) of every pair: see `Particles`."""
    if self.radii is not None:
      squared_distances /= self._of_pairs(self.radii**2, squared_distances.dtype)
    energies = self.pair_energy(squared_distances)
    if self.depths is not None:
      energies *= self._of_pairs(self.depths, energies.dtype)
    return energies

  def _of_pairs(self, table: np.ndarray, dtype: tf.DType) -> tf.Tensor:
    """Entries of a table for the pairs (i, i + k), [K, n, 1]."""
    kinds = np.array(self.pairing.species)
    shifts = range(1, self.pairing.particles // 2 + 1)
    entries = np.stack([table[kinds, np.roll(kinds, -k)] for k in shifts])
    return tf.constant(entries[..., np.newaxis], dtype)


def _table(name: str, values: Table, species: tuple[int, ...] | None) -> np.ndarray:
  """The table as an array [S, S]; raises ValueError, by its name, if it is none of S species."""
  if species is None:
    raise ValueError(f'`{name}` are of pairs of kinds: pass `species`, the kind of every particle.')
  number = 1 + max(species)
  try:
    table = np.array(values, np.float64)
  except (TypeError, ValueError):
    table = np.array(np.nan)
  symmetric = table.shape == (number, number) and np.array_equal(table, table.T)
  if not symmetric or not np.all((table > 0) & np.isfinite(table)):
    raise ValueError(
      f'`{name}` must be a symmetric table of {number} rows of {number} positive numbers, one for '
      f'every two of {number} species, got {values!r}. Two have ((1.0, 1.5), (1.5, 0.5)), say.'
    )
  return table
