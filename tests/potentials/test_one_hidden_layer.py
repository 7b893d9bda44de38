"""The paper's potential equals its loops, and its symmetries hold."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras.potentials import OneHiddenLayer
from tests.potentials import cases
from tests.support import reference


@pytest.mark.parametrize('activation', ['softplus', 'log_cosh'])
@pytest.mark.parametrize('use_bias', [True, False])
def test_value_equals_the_loops(activation, use_bias):
  potential = cases.one_hidden_layer(activation, use_bias)
  kernel, amplitude = potential.kernel.numpy(), potential.amplitude.numpy()
  bias = potential.bias.numpy() if use_bias else np.zeros(5)
  x = cases.points(6)
  expected = [
    reference.one_hidden_layer_loops(row, kernel, bias, amplitude, activation) for row in x.numpy()
  ]
  np.testing.assert_allclose(potential(0.0, x), expected, rtol=1e-13)


def test_log_cosh_without_bias_is_even():
  """phi(-x) = phi(x): the Z2 symmetry of the Ising model."""
  potential, x = cases.one_hidden_layer('log_cosh', use_bias=False), cases.points(6)
  np.testing.assert_allclose(potential(0.0, -x), potential(0.0, x), rtol=1e-13)
  np.testing.assert_allclose(potential.gradient(0.0, -x), -potential.gradient(0.0, x), rtol=1e-13)
  np.testing.assert_allclose(potential.laplacian(0.0, -x), potential.laplacian(0.0, x), rtol=1e-13)
  biased = cases.one_hidden_layer('log_cosh', use_bias=True)
  assert np.all(np.abs(biased(0.0, -x) - biased(0.0, x)) > 1e-6)


def test_variables_are_those_of_the_text():
  potential = OneHiddenLayer(784, 16, dtype=tf.float64)
  shapes = {v.name: tuple(v.shape) for v in potential.trainable_variables}
  assert shapes == {'kernel:0': (784, 16), 'bias:0': (16,), 'amplitude:0': (16,)}
  assert {v.dtype for v in potential.variables} == {tf.float64}
  assert OneHiddenLayer(4, 3, use_bias=False).bias is None
  assert len(OneHiddenLayer(4, 3, use_bias=False).trainable_variables) == 2
  assert (potential.activation, potential.hidden_units) == ('softplus', 16)
  assert OneHiddenLayer(4, 3).dtype == tf.float32


def test_initial_values_have_the_documented_variances():
  """Var W = 1/N and Var a = 0.01/H, within five standard errors of a sample variance."""
  potential = OneHiddenLayer(50, 4000, seed=0)
  for variable, variance in ((potential.kernel, 1 / 50), (potential.amplitude, 0.01 / 4000)):
    count = variable.shape.num_elements()
    ratio = np.mean(np.square(variable, dtype=np.float64)) / variance
    assert abs(ratio - 1.0) < 5 * np.sqrt(2 / count)
  np.testing.assert_array_equal(potential.bias, np.zeros(4000))


def test_initial_values_are_a_function_of_the_seed():
  first, same, other, fresh, fresher = (
    OneHiddenLayer(4, 5, seed=seed) for seed in (1, 1, 2, None, None)
  )
  for one, two in zip(first.variables, same.variables):
    np.testing.assert_array_equal(one, two)
  for different in (other, fresh):
    assert np.all(first.kernel != different.kernel)
    assert np.all(first.amplitude != different.amplitude)
  assert np.all(fresh.kernel != fresher.kernel)


def test_prepared_norms_are_computed_once_outside_a_loop():
  """In the graph of a loop, the squared norms are outside the body."""
  potential = cases.one_hidden_layer()

  @tf.function
  def loop(x):
    prepared = potential.prepared()
    step = lambda k, x: (k + 1, x + prepared.laplacian(0.0, x)[:, None])  # noqa: E731
    return tf.while_loop(lambda k, _: k < 3, step, (0, x))[1]

  graph = loop.get_concrete_function(cases.points(2)).graph.as_graph_def()
  bodies = [f for f in graph.library.function if 'body' in f.signature.name]
  assert len(bodies) == 1
  assert not any(node.op == 'Square' for node in bodies[0].node_def)
  assert any(node.op == 'Square' for node in graph.node)


@pytest.mark.parametrize(
  'arguments, message',
  [
    ({'hidden_units': 0}, '`hidden_units` must be a positive integer, got 0'),
    ({'hidden_units': 2.5}, '`hidden_units` must be a positive integer, got 2.5'),
    ({'hidden_units': 3, 'activation': 'relu'}, "`activation` must be one of .* got 'relu'"),
    ({'hidden_units': 3, 'seed': -1}, '`seed` must be a non-negative int .* got -1'),
    ({'hidden_units': 3, 'event_size': 0}, '`event_size` must be a positive integer, got 0'),
  ],
)
def test_errors_name_the_argument(arguments, message):
  with pytest.raises(ValueError, match=message):
    OneHiddenLayer(**{'event_size': 4, **arguments})


def covariance(n):
  root = np.random.default_rng(0).normal(size=(n, n)) / n
  return root @ root.T + np.diag(np.linspace(0.3, 2.0, n))


@pytest.mark.slow
def test_a_gaussian_start_flows_small_latents_to_that_gaussian():
  """Near 0 the map is linear, z -> C^1/2 z, with the errors of ln cosh of third order."""
  potential = OneHiddenLayer(3, 8, 'log_cosh', use_bias=False, dtype=tf.float64, seed=1)
  potential.start_gaussian(covariance(3), time=2.0)
  bijector = ma_keras.MongeAmpereBijector(potential, 40, 0.05)
  z = 1e-4 * np.random.default_rng(1).normal(size=(5, 3))
  values, vectors = np.linalg.eigh(covariance(3))
  expected = z @ (vectors * np.sqrt(values)) @ vectors.T
  np.testing.assert_allclose(bijector.forward(z), expected, rtol=1e-6, atol=1e-12)


def test_a_gaussian_start_inherits_the_symmetry_of_the_covariance():
  swapped = [1, 0, 2]
  symmetric = covariance(3)
  symmetric = (symmetric + symmetric[swapped][:, swapped]) / 2
  potential = OneHiddenLayer(3, 6, 'log_cosh', use_bias=False, dtype=tf.float64, seed=1)
  potential.start_gaussian(symmetric, time=1.0)
  x = np.random.default_rng(2).normal(size=(7, 3))
  np.testing.assert_allclose(potential(0.0, x), potential(0.0, x[:, swapped]), rtol=1e-12)


@pytest.mark.parametrize(
  ('hidden', 'activation', 'matrix', 'message'),
  [
    (5, 'log_cosh', np.eye(3), 'hidden_units'),
    (8, 'softplus', np.eye(3), 'activation'),
    (8, 'log_cosh', np.eye(2), 'covariance'),
    (8, 'log_cosh', -np.eye(3), 'covariance'),
  ],
)
def test_a_gaussian_start_that_cannot_be_is_refused(hidden, activation, matrix, message):
  potential = OneHiddenLayer(3, hidden, activation, seed=1)
  with pytest.raises(ValueError, match=message):
    potential.start_gaussian(matrix, time=1.0)


def test_a_start_per_coordinate_makes_the_first_units_separable():
  """Without the other units the Hessian is diagonal, and z_i = 2 (x_i - c_i), c in -3..3."""
  potential = OneHiddenLayer(4, 6, dtype=tf.float64, seed=0)
  potential.start_per_coordinate(steepness=2.0, centres=(-3.0, 3.0))
  np.testing.assert_array_equal(potential.kernel[:, :4], 2 * np.eye(4))
  np.testing.assert_allclose(np.sort(-potential.bias[:4] / 2), [-3, -1, 1, 3])
  potential.amplitude.assign([1.0, -2.0, 3.0, 4.0, 0.0, 0.0])
  x = tf.random.stateless_normal([4], (0, 1), dtype=tf.float64)
  with tf.GradientTape() as tape:
    tape.watch(x)
    slope = potential.gradient(0.0, x)
  hessian = tape.jacobian(slope, x).numpy()
  np.testing.assert_allclose(hessian, np.diag(np.diag(hessian)))
  assert np.all(np.abs(np.diag(hessian)) > 1e-3)


@pytest.mark.parametrize(
  'arguments, start, message',
  [
    ({'hidden_units': 3}, {}, 'hidden_units'),
    ({'hidden_units': 4, 'use_bias': False}, {}, 'bias'),
    ({'hidden_units': 4}, {'steepness': 0.0}, 'steepness'),
  ],
)
def test_a_start_per_coordinate_that_cannot_be_is_refused(arguments, start, message):
  with pytest.raises(ValueError, match=message):
    OneHiddenLayer(4, **arguments).start_per_coordinate(**start)
