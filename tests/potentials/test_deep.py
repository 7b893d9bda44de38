"""Gradient and Laplacian carried layer by layer equal those of the value alone."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras.potentials import MLP, activations, autodiff, deep
from tests.potentials import cases
from tests.support.eager import eagerly

TIME = tf.constant(cases.TIME, tf.float64)
# N = 4. Both starts of the factors, at every depth: W_1 itself, and 1 with the metric W_1' W_1.
WIDTHS = [
  (3,),
  (7,),
  (3, 5),
  (4, 3),
  (7, 3),
  (2, 5, 3),
  (6, 3, 5),
  (1, 1, 1),
  (2, 3, 4, 3),
  (5,) * 4,
]


def mlp(widths=(3, 5), activation='softplus', time_dependent=False, dtype=tf.float64):
  return cases.generic(MLP(cases.EVENT_SIZE, widths, activation, time_dependent, dtype))


def taped(potential):
  return potential.with_laplacian(autodiff.gradient_and_laplacian)


def loss_gradients(potential, x):
  """d/d variables of a function of both the gradient and the Laplacian."""
  with tf.GradientTape() as tape:
    velocity, laplacian = potential.gradient_and_laplacian(TIME, x)
    loss = tf.reduce_sum(tf.sin(velocity)) + tf.reduce_sum(laplacian**2)
  return tape.gradient(loss, potential.trainable_variables)


@pytest.mark.parametrize('widths', WIDTHS)
@pytest.mark.parametrize('time_dependent', [False, True])
def test_equals_the_trace_of_the_hessian(widths, time_dependent):
  potential, x = mlp(widths, time_dependent=time_dependent), cases.points(3)
  velocity, laplacian = potential.gradient_and_laplacian(TIME, x)
  expected = np.trace(cases.hessians(potential, TIME, x), axis1=-2, axis2=-1)
  np.testing.assert_allclose(laplacian, expected, rtol=1e-10, atol=1e-10)
  slopes = autodiff.gradient(potential, TIME, x)
  np.testing.assert_allclose(velocity, slopes, rtol=1e-10, atol=1e-10)
  np.testing.assert_allclose(potential.gradient(TIME, x), slopes, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize('activation', activations.JETS)
@pytest.mark.parametrize('widths', [(3, 5), (7, 3, 2)])
def test_every_activation_equals_differences_of_the_value(activation, widths):
  cases.assert_derivatives_are_exact(mlp(widths, activation), cases.TIME, 0.3 * cases.points(2))


def test_two_linear_layers_and_a_quadratic_written_out():
  """phi = (V'W'x)^2 has the gradient 2 (w.x) w and the Laplacian 2 |w|^2, w = W V."""
  rng = np.random.default_rng(0)
  first, second, x = rng.normal(size=[4, 3]), rng.normal(size=[3, 1]), cases.points(5)
  square = deep.Layer(tf.constant(second), None, lambda z: (z**2, 2 * z, 2 + 0 * z))
  layers = [deep.Layer(tf.constant(first), None, activations.linear), square]
  network = deep.Network(layers, tf.ones([1], tf.float64), 4)
  w = (first @ second)[:, 0]
  velocity, laplacian = deep.gradient_and_laplacian(network, x)
  np.testing.assert_allclose(deep.value(network, x), (x @ w[:, None])[:, 0] ** 2, rtol=1e-12)
  np.testing.assert_allclose(velocity, 2 * np.outer(x @ w[:, None], w), rtol=1e-12)
  np.testing.assert_allclose(laplacian, np.full(5, 2 * w @ w), rtol=1e-12)


@pytest.mark.parametrize('leading', [[], [2, 0], [2, 1, 3]])
@pytest.mark.parametrize('widths', [(3, 5), (7, 3, 2), (2, 5, 3)])
def test_any_leading_rank(leading, widths):
  potential, x = mlp(widths, time_dependent=True), cases.points(*leading)
  rows = tf.reshape(x, [-1, cases.EVENT_SIZE])
  velocity, laplacian = potential.gradient_and_laplacian(TIME, x)
  expected = taped(potential).gradient_and_laplacian(TIME, rows)
  assert velocity.shape == x.shape and laplacian.shape == leading
  np.testing.assert_allclose(velocity, tf.reshape(expected[0], x.shape), rtol=1e-12, atol=1e-13)
  np.testing.assert_allclose(laplacian, tf.reshape(expected[1], leading), rtol=1e-12, atol=1e-13)
  assert potential.gradient(TIME, x).shape == x.shape


@pytest.mark.parametrize('widths', WIDTHS)
def test_gradients_of_variables_equal_those_of_the_tapes(widths):
  potential, x = mlp(widths, 'tanh', time_dependent=True), cases.points(3)
  for own, other in zip(loss_gradients(potential, x), loss_gradients(taped(potential), x)):
    assert np.any(own != 0.0)
    np.testing.assert_allclose(own, other, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize('widths', [(3, 5), (7, 3, 2)])
def test_second_derivatives_in_the_variables_equal_those_of_the_tapes(widths):
  def second(potential):
    with tf.GradientTape() as tape:
      size = tf.add_n([tf.reduce_sum(g**2) for g in loss_gradients(potential, cases.points(2))])
    return tape.gradient(size, potential.trainable_variables)

  potential = mlp(widths)
  for own, other in zip(second(potential), second(taped(potential))):
    np.testing.assert_allclose(own, other, rtol=1e-9, atol=1e-9)


def test_dead_and_doubled_units_have_gradients():
  """W_1 has rank 1: the derivative of its QR factor would not be finite."""
  potential, x = mlp((3, 5)), cases.points(3)
  column = np.ones([cases.EVENT_SIZE, 1])
  potential.kernels[0].assign(column * [0.0, 0.7, 0.7])
  for own, other in zip(loss_gradients(potential, x), loss_gradients(taped(potential), x)):
    assert np.all(np.isfinite(own))
    np.testing.assert_allclose(own, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('widths', [(20, 30), (100, 30), (20, 30, 10)])
def test_single_precision_loses_no_more_than_its_own(widths):
  fine, coarse = (MLP(50, widths, 'log_cosh', dtype=d, seed=0) for d in (tf.float64, tf.float32))
  for one, two in zip(fine.variables, coarse.variables):
    one.assign(tf.cast(two, tf.float64))
  x = np.random.default_rng(0).normal(size=[8, 50]).astype(np.float32)
  one, two = (p.laplacian(0.0, x.astype(p.dtype.as_numpy_dtype)) for p in (fine, coarse))
  assert two.dtype == tf.float32
  np.testing.assert_allclose(two, one, atol=5e-6 * np.max(np.abs(one)))


@pytest.mark.slow
@pytest.mark.parametrize('widths, compilers', [((3, 5), (True,)), ((7, 3), (False,))])
def test_trains_through_the_flow(widths, compilers):
  """log_prob and its gradients, through a while loop over steps, equal those of the tapes.

  Both starts of the factors, at equal depth; one of them by XLA, too.
  """
  potential, x = mlp(widths, time_dependent=True), cases.points(3)

  def loss_and_gradients(potential):
    bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.1, integrator='euler')
    flow = ma_keras.standard_normal_flow(bijector)
    with tf.GradientTape() as tape:
      loss = -tf.reduce_mean(flow.log_prob(x))
    return loss, tape.gradient(loss, potential.trainable_variables)

  with eagerly():
    expected_loss, expected = loss_and_gradients(taped(potential))
  for jit_compile in compilers:
    compiled = tf.function(lambda: loss_and_gradients(potential), jit_compile=jit_compile)
    loss, gradients = compiled()
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-12)
    for one, two in zip(gradients, expected):
      assert np.any(one != 0.0)
      np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('widths', [(3, 5), (7, 3, 2)])
def test_unknown_batch_size_in_a_graph(widths):
  potential = mlp(widths)
  signature = [tf.TensorSpec([None, cases.EVENT_SIZE], tf.float64)]
  graph = tf.function(lambda x: potential.gradient_and_laplacian(TIME, x), signature)
  for size in (0, 2):
    x = cases.points(size)
    for compiled, eager in zip(graph(x), potential.gradient_and_laplacian(TIME, x)):
      np.testing.assert_allclose(compiled, eager, atol=1e-13)


@pytest.mark.parametrize('widths', [(3, 5), (7, 3, 2)])
def test_one_reverse_pass_and_no_more(widths, monkeypatch):
  """No tapes: neither the gradient nor the Laplacian of a perceptron differentiates anything."""
  potential, x = mlp(widths), cases.points(2)
  expected = taped(potential).laplacian(TIME, x)

  def forbidden(*args, **kwargs):
    raise AssertionError('A tape was opened.')

  monkeypatch.setattr(tf, 'GradientTape', forbidden)
  np.testing.assert_allclose(potential.laplacian(TIME, x), expected, rtol=1e-12)
  potential.gradient(TIME, x)
  with pytest.raises(AssertionError, match='tape was opened'):
    taped(potential).laplacian(TIME, x)
