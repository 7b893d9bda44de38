"""Functions of time that solve an equation: against an adaptive solver, and within potentials."""

import numpy as np
import pytest
import scipy.integrate
import tensorflow as tf

import ma_keras
from ma_keras.potentials import OneHiddenLayer, ParameterODE
from tests.potentials import cases
from tests.support import eager

TIME = 2.0


def equation(size=4):
  return ParameterODE(TIME, size, width=5, dtype=tf.float64, seed=0)


def test_values_solve_the_equation():
  made, times = equation(), np.linspace(0, TIME, 23)
  mixing, shift, rate = (part.numpy() for part in (made.mixing, made.shift, made.rate))
  field = lambda _, y: rate.T @ np.tanh(mixing.T @ y + shift)  # noqa: E731
  exact = scipy.integrate.solve_ivp(
    field, (0, 1), made.start.numpy(), t_eval=times / TIME, rtol=1e-10, atol=1e-12
  )
  values = made.values(tf.constant(times)).numpy()
  np.testing.assert_array_equal(values[:, 0], 1.0)
  np.testing.assert_allclose(values[:, 1:], exact.y.T, atol=2e-4)
  assert np.max(np.ptp(values[:, 1:], axis=0)) > 0.5


def test_rates_are_the_slopes_of_the_values():
  made, times, h = equation(), tf.linspace(tf.constant(0.11, tf.float64), 1.87, 9), 1e-6
  slopes = (made.values(times + h) - made.values(times - h)) / (2 * h)
  np.testing.assert_allclose(made.rates(times), slopes, atol=1e-8)


def test_one_time_and_many_have_the_same_values():
  made = equation()
  times = tf.constant([[0.0, 0.3, 1.0], [1.1, 1.9, 2.0]], tf.float64)
  values = made.values(times)
  assert values.shape == [2, 3, 4]
  np.testing.assert_allclose(made.values(times[1, 2]), values[1, 2], rtol=1e-12)


@pytest.mark.slow
def test_its_variables_are_trained_with_the_potential():
  """The hand-written pass, as a graph and by XLA, and TensorFlow's own agree about them."""
  potential = cases.generic(OneHiddenLayer(4, 3, dtype=tf.float64, time_basis=equation(3)))
  names = {v.name for v in potential.trainable_variables}
  assert {'start:0', 'mixing:0', 'shift:0', 'rate:0'} <= names

  def gradients(mode):
    bijector = ma_keras.MongeAmpereBijector(potential, 2, 1.0, 'euler', gradient=mode)
    flow = ma_keras.standard_normal_flow(bijector)
    with tf.GradientTape() as tape:
      loss = -tf.reduce_mean(flow.log_prob(cases.points(6)))
    return tape.gradient(loss, potential.trainable_variables)

  with eager.eagerly():
    plain = gradients('plain')
  for jit_compile in (False, True):
    ours = tf.function(lambda: gradients('store'), autograph=False, jit_compile=jit_compile)()
    for one, two in zip(ours, plain):
      np.testing.assert_allclose(one, two, atol=1e-12)
      assert np.any(one != 0)


def test_amplitudes_begin_constant():
  potential = OneHiddenLayer(4, 5, time_basis=ParameterODE(TIME, 3, seed=0), seed=1)
  x = tf.random.stateless_normal([3, 4], [1, 2])
  np.testing.assert_allclose(potential(0.1, x), potential(1.9, x), rtol=1e-6)


@pytest.mark.parametrize('arguments', [(0.0, 3), (1.0, 1), (1.0, 3, 0)])
def test_bad_arguments(arguments):
  with pytest.raises(ValueError, match='must be positive and `size` at least 2'):
    ParameterODE(*arguments)
