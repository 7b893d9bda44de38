"""Nested tapes give exact derivatives, in any mode, at the paper's size."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras.potentials import OneHiddenLayer, autodiff
from tests.potentials import cases

TIME = tf.constant(cases.TIME, tf.float64)


def test_gradient_of_a_linear_potential_is_its_covector_and_its_laplacian_zero():
  x = cases.points(3)
  velocity, laplacian = autodiff.gradient_and_laplacian(cases.Linear(4), TIME, x)
  np.testing.assert_array_equal(velocity, [[1.0, -2.0, 0.0, 0.0]] * 3)
  np.testing.assert_array_equal(laplacian, np.zeros(3))


def test_constant_potential_moves_nothing():
  x = cases.points(3)
  velocity, laplacian = autodiff.gradient_and_laplacian(cases.Constant(4), TIME, x)
  np.testing.assert_array_equal(velocity, np.zeros([3, 4]))
  np.testing.assert_array_equal(laplacian, np.zeros(3))
  np.testing.assert_array_equal(autodiff.gradient(cases.Constant(4), TIME, x), np.zeros([3, 4]))


@pytest.mark.parametrize('name', ['value only', 'mlp in time', 'linear', 'constant'])
def test_hessian_vector_product_equals_the_full_hessian(name):
  potential = cases.CASES[name]()
  x, v = cases.points(3), cases.points(3, seed=2)
  velocity, product = autodiff.hessian_vector_product(potential, TIME, x, v)
  expected = np.einsum('bij,bj->bi', cases.hessians(potential, TIME, x), v)
  np.testing.assert_allclose(product, expected, atol=1e-13)
  np.testing.assert_array_equal(velocity, autodiff.gradient(potential, TIME, x))


@pytest.mark.slow
@pytest.mark.parametrize('name', ['value only', 'mlp in time', 'linear', 'constant'])
@pytest.mark.parametrize('jit_compile', [False, True])
def test_compiled_equals_eager(name, jit_compile):
  potential = cases.CASES[name]()
  x = cases.points(3)

  @tf.function(jit_compile=jit_compile)
  def compiled(x):
    return autodiff.gradient_and_laplacian(potential, TIME, x)

  for one, two in zip(compiled(x), autodiff.gradient_and_laplacian(potential, TIME, x)):
    np.testing.assert_allclose(one, two, atol=1e-13)


@pytest.mark.parametrize('compiled', [False, True])
def test_a_plain_function_will_do(compiled):
  def phi(t, x):
    return t * tf.reduce_sum(x**4, axis=-1)

  function = (
    tf.function(autodiff.gradient_and_laplacian) if compiled else (autodiff.gradient_and_laplacian)
  )
  x = cases.points(2, 3)
  velocity, laplacian = function(phi, TIME, x)
  np.testing.assert_allclose(velocity, 4 * cases.TIME * x**3, rtol=1e-14)
  expected = 12 * cases.TIME * np.sum(x.numpy() ** 2, axis=-1)
  np.testing.assert_allclose(laplacian, expected, rtol=1e-14)


@pytest.mark.slow
def test_trains_inside_a_while_loop_at_the_size_of_mnist():
  """Laplacian, inside a loop over steps, differentiated with respect to the variables, N = 784.

  The closed form is the ground truth of both the value and the gradients.
  """
  closed = OneHiddenLayer(784, 3, dtype=tf.float64, seed=1)
  taped = closed.with_laplacian(autodiff.gradient_and_laplacian)
  points = tf.constant(np.random.default_rng(0).normal(size=[2, 784]))

  @tf.function
  def loss_and_gradients(potential):
    def advance(k, x, change):
      velocity, laplacian = potential.gradient_and_laplacian(0.0, x)
      return k + 1, x + 0.1 * velocity, change - 0.1 * laplacian

    with tf.GradientTape() as tape:
      _, x, change = tf.while_loop(
        lambda k, *_: k < 2, advance, (0, points, tf.zeros([2], tf.float64))
      )
      loss = tf.reduce_sum(x**2) + 100.0 * tf.reduce_sum(change**2)
    return loss, tape.gradient(loss, closed.trainable_variables)

  loss, gradients = loss_and_gradients(taped)
  expected_loss, expected_gradients = loss_and_gradients(closed)
  np.testing.assert_allclose(loss, expected_loss, rtol=1e-13)
  for one, two in zip(gradients, expected_gradients):
    assert np.all(np.isfinite(one)) and np.any(one != 0.0)
    np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-12)
