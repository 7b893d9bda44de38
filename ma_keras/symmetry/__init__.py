"""Symmetry groups, and potentials made invariant under them."""

from ma_keras.symmetry.average import GroupAverage
from ma_keras.symmetry.group import (
  Group,
  dihedral,
  inversion,
  permutations,
  square_lattice,
  translations,
)
from ma_keras.symmetry.one_element import OneElementPerInterval

__all__ = [
  'Group',
  'GroupAverage',
  'OneElementPerInterval',
  'dihedral',
  'inversion',
  'permutations',
  'square_lattice',
  'translations',
]
