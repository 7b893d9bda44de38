"""Symmetry groups, and potentials made invariant under them."""

from ma_keras.symmetry.average import GroupAverage, OrthogonalMaps
from ma_keras.symmetry.group import (
  Group,
  dihedral,
  inversion,
  permutations,
  square_lattice,
  translations,
)
from ma_keras.symmetry.invariance import Defect, defect
from ma_keras.symmetry.one_element import OneElementPerInterval
from ma_keras.symmetry.particles import ParticleSymmetries, particle_permutations
from ma_keras.symmetry.rotations import RotationQuadrature

__all__ = [
  'Defect',
  'Group',
  'GroupAverage',
  'OneElementPerInterval',
  'OrthogonalMaps',
  'ParticleSymmetries',
  'RotationQuadrature',
  'defect',
  'dihedral',
  'inversion',
  'particle_permutations',
  'permutations',
  'square_lattice',
  'translations',
]
