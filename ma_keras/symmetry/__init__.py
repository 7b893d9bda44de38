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
from ma_keras.symmetry.particles import ParticleSymmetries, particle_permutations

__all__ = [
  'Group',
  'GroupAverage',
  'OneElementPerInterval',
  'ParticleSymmetries',
  'dihedral',
  'inversion',
  'particle_permutations',
  'permutations',
  'square_lattice',
  'translations',
]
