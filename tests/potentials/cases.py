"""Potentials with generic variables, and their derivatives by other means than their own."""

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from ma_keras.potentials import (
  MLP,
  DeepLattice,
  DeepLocallyConnected,
  EmbeddedAtoms,
  EmbeddedCluster,
  EmbeddedDipoles,
  ExchangeableSet,
  HyperNetwork,
  KerasModel,
  Lattice,
  LocallyConnected,
  Magnetisation,
  OneHiddenLayer,
  Pairs,
  Potential,
  Projected,
  Quadratic,
  Separable,
  SpectralQuadratic,
  SpinLattice,
  TimeBasis,
)
from tests.support import reference

EVENT_SIZE = 4
TIME = 0.7


class Wave(Potential):
  """phi = exp(-t) sin(x_0 x_1) + sum_i x_i^3 / 6: nothing but a value."""

  def __call__(self, t, x):
    return tf.exp(-t) * tf.sin(x[..., 0] * x[..., 1]) + tf.reduce_sum(x**3, axis=-1) / 6.0


class Linear(Potential):
  """phi = x_0 - 2 x_1: its gradient does not depend on x."""

  def __call__(self, t, x):
    return x[..., 0] - 2.0 * x[..., 1]


class Constant(Potential):
  """phi = 3: its value does not depend on x."""

  def __call__(self, t, x):
    return tf.fill(tf.shape(x)[:-1], tf.constant(3.0, x.dtype))


def points(*leading, seed=1):
  return tf.constant(np.random.default_rng(seed).normal(size=(*leading, EVENT_SIZE)))


def generic(potential, seed=0):
  """Fills all variables with normals of variance 1 / rows: no zero biases, no small amplitudes."""
  rng = np.random.default_rng(seed)
  for variable in potential.trainable_variables:
    rows = variable.shape[0] if variable.shape.rank else 1
    variable.assign(rng.normal(size=variable.shape) / np.sqrt(rows))
  return potential


def keras_sequential(package, width=EVENT_SIZE, dtype='float64'):
  layers = package.layers
  return package.Sequential(
    [
      layers.Input((width,), dtype=dtype),
      layers.Dense(5, 'softplus', dtype=dtype),
      layers.Dense(1, use_bias=False, dtype=dtype),
    ]
  )


def keras_functional(package, width=EVENT_SIZE, dtype='float64'):
  layers = package.layers
  inputs = layers.Input((width,), dtype=dtype)
  first = layers.Dense(5, 'tanh', dtype=dtype)(inputs)
  second = layers.Dense(5, 'softplus', dtype=dtype)(first)
  both = layers.Concatenate(dtype=dtype)([first, second])
  return package.Model(inputs, layers.Dense(1, dtype=dtype)(both))


def one_hidden_layer(activation='softplus', use_bias=True, seed=0):
  return generic(OneHiddenLayer(EVENT_SIZE, 5, activation, use_bias, tf.float64), seed)


def in_time(size=3):
  basis = TimeBasis(1.5, size)
  return generic(OneHiddenLayer(EVENT_SIZE, 5, dtype=tf.float64, time_basis=basis))


def separable(activation='softplus', basis=None):
  return generic(Separable(EVENT_SIZE, 3, activation, basis, tf.float64))


def local(patch=1, shared=False, basis=None, image_shape=(2, 2, 1), activation='softplus'):
  stride = 1
  made = LocallyConnected(image_shape, patch, stride, 3, shared, activation, basis, tf.float64)
  return generic(made)


def deep_local(image_shape=(2, 2, 1), patch=1, stride=1, reach=2, activation='softplus', **options):
  made = DeepLocallyConnected(
    image_shape, patch, stride, 3, 2, reach, activation, dtype=tf.float64, **options
  )
  return generic(made)


def deep_lattice(side=2, basis=None, reach=None, layer_basis=None):
  made = DeepLattice(side, 3, 2, basis, reach=reach, dtype=tf.float64, layer_basis=layer_basis)
  return generic(made)


def lattice(side=2, basis=None, reach=None, layer_basis=None):
  made = Lattice(side, 3, basis, reach=reach, dtype=tf.float64, layer_basis=layer_basis)
  return generic(made)


def spin_lattice(side=2, basis=None, reach=None, layer_basis=None):
  made = SpinLattice(side, 3, basis, reach=reach, dtype=tf.float64, layer_basis=layer_basis)
  return generic(made)


def spectral(side=2, basis=None):
  return generic(SpectralQuadratic(side, basis, tf.float64))


def magnetisation(basis=None):
  return generic(Magnetisation(EVENT_SIZE, 5, 0.8, basis, tf.float64))


def mlp(time_dependent=False, activation='softplus'):
  return generic(MLP(EVENT_SIZE, (5, 3), activation, time_dependent, tf.float64))


def pairs(particles=2, dimensions=2, basis=None, **others):
  shells = {'shells': 6, 'reach': 3.0, 'softening': 1.0, **others}
  made = Pairs(particles, dimensions, **shells, time_basis=basis, dtype=tf.float64, seed=0)
  made.amplitude.assign(np.random.default_rng(0).normal(size=made.amplitude.shape))
  return made


def embedded_atoms(particles=2, dimensions=2, basis=None, activation='tanh', **others):
  options = {'hidden_units': 3, 'shells': 6, 'reach': 3.0, 'softening': 1.0}
  options |= {'activation': activation, 'time_basis': basis, 'dtype': tf.float64, 'seed': 0}
  made = EmbeddedAtoms(particles, dimensions, **options, **others)
  made.amplitude.assign(np.random.default_rng(0).normal(size=made.amplitude.shape))
  return made


def embedded_cluster(particles=2, dimensions=2, basis=None, **others):
  options = {'hidden_units': 3, 'cluster_units': 2, 'shells': 6, 'reach': 3.0, 'softening': 1.0}
  options |= {'time_basis': basis, 'dtype': tf.float64, 'seed': 0}
  return generic(EmbeddedCluster(particles, dimensions, **options, **others))


def embedded_dipoles(particles=2, dimensions=2, basis=None, **others):
  options = {'hidden_units': 3, 'shells': 6, 'reach': 3.0, 'softening': 1.0}
  options |= {'time_basis': basis, 'dtype': tf.float64, 'seed': 0}
  return generic(EmbeddedDipoles(particles, dimensions, **options, **others))


def moving_cluster(particles=2, dimensions=2, **others):
  """Both layers vary in time, and so do the amplitudes."""
  bases = {'basis': TimeBasis(1.5, 2), 'layer_basis': TimeBasis(1.5, 3)}
  return embedded_cluster(particles, dimensions, **bases, background=True, **others)


def exchangeable_set(particles=2, dimensions=2, basis=None, activation='softplus'):
  options = {'features': 3, 'hidden_units': 4, 'activation': activation, 'time_basis': basis}
  return generic(ExchangeableSet(particles, dimensions, **options, dtype=tf.float64, seed=0))


def quadratic(seed=0):
  matrix = np.random.default_rng(seed).normal(size=(EVENT_SIZE, EVENT_SIZE))
  return Quadratic(matrix, tf.float64)


def projected(size=3):
  directions = np.linalg.qr(np.random.default_rng(0).normal(size=(EVENT_SIZE, size)))[0]
  return Projected(generic(OneHiddenLayer(size, 5, dtype=tf.float64)), directions)


CASES = {
  'softplus': one_hidden_layer,
  'softplus without bias': lambda: one_hidden_layer(use_bias=False),
  'log_cosh': lambda: one_hidden_layer('log_cosh'),
  'log_cosh without bias': lambda: one_hidden_layer('log_cosh', use_bias=False),
  'amplitudes in time': in_time,
  'separable': separable,
  'separable log_cosh in time': lambda: separable('log_cosh', TimeBasis(1.5, 2)),
  'locally connected': local,
  'locally connected in time': lambda: local(2, basis=TimeBasis(1.5, 2)),
  'two local layers': deep_local,
  'two local layers in time': lambda: deep_local(reach=1, time_basis=TimeBasis(1.5, 2)),
  'convolution log_cosh': lambda: local(shared=True, activation='log_cosh'),
  'hyper-network': lambda: separable(basis=HyperNetwork(1.5, 3, 4, tf.float64)),
  'lattice': lattice,
  'deep lattice': lambda: deep_lattice(),
  'deep lattice in time': lambda: deep_lattice(basis=TimeBasis(1.5, 2)),
  'lattice in time': lambda: lattice(basis=TimeBasis(1.5, 2)),
  'magnetisation': magnetisation,
  'magnetisation in time': lambda: magnetisation(TimeBasis(1.5, 2)),
  'spectral': spectral,
  'spectral in time': lambda: spectral(basis=TimeBasis(1.5, 2)),
  'mlp': mlp,
  'mlp in time': lambda: mlp(time_dependent=True, activation='log_cosh'),
  'pairs': pairs,
  'pairs in time': lambda: pairs(4, 1, TimeBasis(1.5, 2)),
  'embedded atoms': embedded_atoms,
  'embedded cluster': embedded_cluster,
  'embedded cluster in time': moving_cluster,
  'embedded dipoles': embedded_dipoles,
  'embedded dipoles in time': lambda: embedded_dipoles(basis=TimeBasis(1.5, 2)),
  'embedded atoms in time': lambda: embedded_atoms(2, 2, TimeBasis(1.5, 2), 'gelu'),
  'exchangeable set in time': lambda: exchangeable_set(2, 2, TimeBasis(1.5, 2)),
  'quadratic': quadratic,
  'projected': projected,
  'sum': lambda: one_hidden_layer() + Wave(EVENT_SIZE) + quadratic(),
  'tf_keras sequential': lambda: generic(KerasModel(keras_sequential(tf_keras), EVENT_SIZE)),
  'tf_keras functional': lambda: generic(KerasModel(keras_functional(tf_keras), EVENT_SIZE)),
  'keras sequential': lambda: generic(KerasModel(keras_sequential(keras), EVENT_SIZE)),
  'keras functional in time': lambda: generic(
    KerasModel(keras_functional(keras, EVENT_SIZE + 1), EVENT_SIZE, time_dependent=True)
  ),
  'value only': lambda: Wave(EVENT_SIZE),
  'linear': lambda: Linear(EVENT_SIZE),
  'constant': lambda: Constant(EVENT_SIZE),
}


def value_at(potential, t=TIME):
  """phi(t, .) as a function of NumPy arrays."""
  time = tf.constant(t, tf.float64)
  return lambda x: potential(time, tf.constant(x)).numpy()


def hessians(potential, t, x):
  """The full Hessian of phi at points [B, N], shape [B, N, N], from phi alone."""
  with tf.GradientTape(persistent=True) as outer:
    outer.watch(x)
    with tf.GradientTape() as inner:
      inner.watch(x)
      value = potential(tf.constant(t, x.dtype), x)
    gradient = inner.gradient(value, x, unconnected_gradients='zero')
  columns = [
    outer.gradient(gradient, x, tf.one_hot([i], x.shape[-1], dtype=x.dtype) + 0.0 * x, 'zero')
    for i in range(x.shape[-1])
  ]
  return tf.stack(columns, axis=-1).numpy()


def assert_derivatives_are_exact(potential, t, x):
  """Gradient and Laplacian at x [B, N] equal those of phi alone, by differences and tapes."""
  phi = value_at(potential, t)
  velocity, laplacian = potential.gradient_and_laplacian(t, x)
  gradients = [reference.gradient_by_differences(phi, row) for row in x.numpy()]
  laplacians = [reference.laplacian_by_differences(phi, row) for row in x.numpy()]
  traces = np.trace(hessians(potential, t, x), axis1=-2, axis2=-1)
  np.testing.assert_allclose(velocity, gradients, atol=1e-10)
  np.testing.assert_allclose(laplacian, laplacians, atol=1e-10)
  np.testing.assert_allclose(laplacian, traces, atol=1e-12)
  np.testing.assert_allclose(potential.gradient(t, x), velocity, atol=1e-14)
  np.testing.assert_allclose(potential.laplacian(t, x), laplacian, atol=1e-14)
