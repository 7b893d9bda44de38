"""Energies to sample from, each with its ground truth where one is known."""

from ma_keras.targets import kaufman, lattice, thermodynamics
from ma_keras.targets.clusters import LatentClusters
from ma_keras.targets.families import Family, IsingCouplings, Phi4Masses
from ma_keras.targets.ising import Ising
from ma_keras.targets.kaufman import CRITICAL_COUPLING
from ma_keras.targets.lennard_jones import LennardJones
from ma_keras.targets.mean_free import MeanFreeCoordinates
from ma_keras.targets.observables import Observables
from ma_keras.targets.particles import DoubleWells, Particles
from ma_keras.targets.phi4 import Phi4
from ma_keras.targets.spins import CoupledSpins
from ma_keras.targets.target import (
  ObservedTarget,
  SampledTarget,
  SolvedTarget,
  SubspaceTarget,
  Target,
)
from ma_keras.targets.toy import Banana, GaussianMixture, Ring, TwoMoons

__all__ = [
  'CRITICAL_COUPLING',
  'Banana',
  'CoupledSpins',
  'DoubleWells',
  'Family',
  'GaussianMixture',
  'Ising',
  'IsingCouplings',
  'LatentClusters',
  'LennardJones',
  'MeanFreeCoordinates',
  'Observables',
  'ObservedTarget',
  'Particles',
  'Phi4',
  'Phi4Masses',
  'Ring',
  'SampledTarget',
  'SolvedTarget',
  'SubspaceTarget',
  'Target',
  'TwoMoons',
  'kaufman',
  'lattice',
  'thermodynamics',
]
