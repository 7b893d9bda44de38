"""Activations equal their definitions, with the right derivatives everywhere."""

import math

import numpy as np
import pytest
import tensorflow as tf

from ma_keras.potentials import activations
from tests.support import reference

Z = np.array([-3.0, -1.1, -1e-3, 0.0, 0.4, 2.0])
DEFINITIONS = {
  'softplus': lambda z: np.log1p(np.exp(z)),
  'log_cosh': lambda z: np.log(np.cosh(z)),
}
JETS = {
  **DEFINITIONS,
  'exponential': np.exp,
  'gelu': lambda z: z * (1 + np.vectorize(math.erf)(z / np.sqrt(2))) / 2,
  'linear': lambda z: z,
  'sigmoid': lambda z: 1 / (1 + np.exp(-z)),
  'silu': lambda z: z / (1 + np.exp(-z)),
  'swish': lambda z: z / (1 + np.exp(-z)),
  'tanh': np.tanh,
}


@pytest.mark.parametrize('name', DEFINITIONS)
def test_value_slope_and_curvature_equal_differences_of_the_definition(name):
  activation, define = activations.get(name), DEFINITIONS[name]
  slope = activation.slope(tf.constant(Z))
  np.testing.assert_allclose(activation.value(tf.constant(Z)), define(Z), atol=1e-15)
  for z, first, second in zip(Z, slope, activation.curvature(slope)):
    row = np.array([z])
    expected = reference.gradient_by_differences(lambda x: define(x[:, 0]), row)
    np.testing.assert_allclose(first, expected[0], atol=1e-12)
    expected = reference.laplacian_by_differences(lambda x: define(x[:, 0]), row)
    np.testing.assert_allclose(second, expected, atol=1e-11)


@pytest.mark.parametrize('name', DEFINITIONS)
@pytest.mark.parametrize('dtype', [tf.float32, tf.float64])
@pytest.mark.parametrize('size', [80.0, 1000.0, 1e30])
def test_far_out_both_are_straight_lines(name, dtype, size):
  activation = activations.get(name)
  z = tf.constant([-size, size], dtype)
  lines = {'softplus': [0.0, size], 'log_cosh': [size - np.log(2.0), size - np.log(2.0)]}
  slopes = {'softplus': [0.0, 1.0], 'log_cosh': [-1.0, 1.0]}
  rtol = 4 * dtype.as_numpy_dtype(0).dtype.type(np.finfo(dtype.as_numpy_dtype).eps)
  np.testing.assert_allclose(activation.value(z), lines[name], rtol=rtol, atol=1e-30)
  np.testing.assert_allclose(activation.slope(z), slopes[name], atol=1e-30)
  np.testing.assert_allclose(activation.curvature(activation.slope(z)), [0.0, 0.0], atol=1e-30)


@pytest.mark.parametrize(
  'name, series',
  [
    ('softplus', [np.log(2.0), 1 / 2, 1 / 4, 0.0, -1 / 8]),
    ('log_cosh', [0.0, 0.0, 1.0, 0.0, -2.0]),
  ],
)
def test_derivatives_at_zero_are_those_of_the_series(name, series):
  """Value and four derivatives by nested tapes: |z| in the formula would break them at 0."""

  def derivative(function):
    def wrapped(z):
      with tf.GradientTape() as tape:
        tape.watch(z)
        value = function(z)
      return tape.gradient(value, z)

    return wrapped

  function = activations.get(name).value
  for expected in series:
    np.testing.assert_allclose(function(tf.zeros([], tf.float64)), expected, atol=1e-15)
    function = derivative(function)


@pytest.mark.parametrize('name', activations.JETS)
def test_jets_equal_differences_of_their_definitions(name):
  jet, define = activations.get_jet(name), JETS[name]
  value, slope, curvature = jet(tf.constant(Z))
  np.testing.assert_allclose(value, define(Z), atol=1e-14)
  for z, first, second in zip(Z, slope, curvature):
    row = np.array([z])
    expected = reference.gradient_by_differences(lambda x: define(x[:, 0]), row)
    np.testing.assert_allclose(first, expected[0], atol=1e-10, rtol=1e-10)
    expected = reference.laplacian_by_differences(lambda x: define(x[:, 0]), row)
    np.testing.assert_allclose(second, expected, atol=1e-9, rtol=1e-9)


FAR = {  # (act, act', act'') at -size and at size.
  'gelu': ([0.0, 1.0], [0.0, 1.0], [0.0, 0.0]),
  'sigmoid': ([0.0, 1.0], [0.0, 0.0], [0.0, 0.0]),
  'silu': ([0.0, 1.0], [0.0, 1.0], [0.0, 0.0]),
  'tanh': ([-1.0, 1.0], [0.0, 0.0], [0.0, 0.0]),
}


@pytest.mark.parametrize('name', FAR)
@pytest.mark.parametrize('dtype', [tf.float32, tf.float64])
@pytest.mark.parametrize('size', [200.0, 1e30])
def test_far_out_jets_are_finite_and_those_of_the_limits(name, dtype, size):
  value, slope, curvature = FAR[name]
  scale = size if name in ('gelu', 'silu') else 1.0
  jet = activations.get_jet(name)(tf.constant([-size, size], dtype))
  for one, two in zip(jet, (np.multiply(scale, value), slope, curvature)):
    np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize('name', ['tanh', 'sigmoid', 'silu', 'gelu', 'exponential', 'linear'])
def test_one_hidden_layer_takes_only_curvatures_that_are_functions_of_the_slope(name):
  with pytest.raises(ValueError, match=f"`activation` must be .*'softplus'.* got '{name}'"):
    activations.get(name)


@pytest.mark.parametrize('get', [activations.get, activations.get_jet])
def test_unknown_activation_names_the_known_ones(get):
  with pytest.raises(ValueError, match=r"`activation` must be .*'softplus'.* got 'relu'"):
    get('relu')
