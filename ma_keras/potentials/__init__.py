"""Scalar potentials phi(t, x): value, gradient, Laplacian."""

from ma_keras.potentials import autograph
from ma_keras.potentials.activations import Activation
from ma_keras.potentials.base import LaplacianMethod, Potential, Sum
from ma_keras.potentials.deep_lattice import DeepLattice
from ma_keras.potentials.deep_local import DeepLocallyConnected
from ma_keras.potentials.embedded_atoms import EmbeddedAtoms
from ma_keras.potentials.embedded_cluster import EmbeddedCluster
from ma_keras.potentials.embedded_dipoles import EmbeddedDipoles
from ma_keras.potentials.exchangeable_set import ExchangeableSet
from ma_keras.potentials.hutchinson import Hutchinson
from ma_keras.potentials.hyper_network import HyperNetwork
from ma_keras.potentials.keras_model import KerasModel
from ma_keras.potentials.lattice import Lattice
from ma_keras.potentials.local import LocallyConnected
from ma_keras.potentials.magnetisation import Magnetisation
from ma_keras.potentials.mlp import MLP
from ma_keras.potentials.one_hidden_layer import OneHiddenLayer
from ma_keras.potentials.pairs import Pairs
from ma_keras.potentials.parameter_ode import ParameterODE
from ma_keras.potentials.projected import Projected
from ma_keras.potentials.quadratic import Quadratic
from ma_keras.potentials.separable import Separable
from ma_keras.potentials.spectral import SpectralQuadratic
from ma_keras.potentials.spin_lattice import SpinLattice
from ma_keras.potentials.time_basis import TimeBasis
from ma_keras.potentials.torus import Torus

__all__ = [
  'MLP',
  'Activation',
  'DeepLattice',
  'DeepLocallyConnected',
  'EmbeddedAtoms',
  'EmbeddedCluster',
  'EmbeddedDipoles',
  'ExchangeableSet',
  'Hutchinson',
  'HyperNetwork',
  'KerasModel',
  'LaplacianMethod',
  'Lattice',
  'LocallyConnected',
  'Magnetisation',
  'OneHiddenLayer',
  'Pairs',
  'ParameterODE',
  'Potential',
  'Projected',
  'Quadratic',
  'Separable',
  'SpectralQuadratic',
  'SpinLattice',
  'Sum',
  'TimeBasis',
  'Torus',
]

autograph.leave_as_written('ma_keras')
