"""A network of time in place of polynomials: trained with the potential, and any function."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras.potentials import HyperNetwork, OneHiddenLayer
from tests.potentials import cases


def network(size=3):
  return HyperNetwork(2.0, size, width=4, dtype=tf.float64, seed=0)


def test_the_first_function_is_one_and_the_others_are_the_network():
  made, times = network(), np.linspace(0, 2, 7)
  found = made.values(tf.constant(times)).numpy()
  hidden = np.tanh((times - 1.0)[:, np.newaxis] * made.slope.numpy() + made.shift.numpy())
  np.testing.assert_array_equal(found[:, 0], 1.0)
  np.testing.assert_allclose(found[:, 1:], hidden @ made.mixing.numpy(), rtol=1e-12)


@pytest.mark.slow
def test_its_variables_are_those_of_the_potential_and_have_gradients(eagerly):
  """The hand-written pass and TensorFlow's own agree about them."""
  potential = cases.generic(OneHiddenLayer(4, 5, dtype=tf.float64, time_basis=network()))
  names = {v.name for v in potential.trainable_variables}
  assert {'slope:0', 'shift:0', 'mixing:0'} <= names
  gradients = []
  for mode in ('store', 'plain'):
    flow = ma_keras.standard_normal_flow(
      ma_keras.MongeAmpereBijector(potential, 4, 0.5, gradient=mode)
    )
    with tf.GradientTape() as tape:
      loss = -tf.reduce_mean(flow.log_prob(cases.points(6)))
    gradients.append(tape.gradient(loss, potential.trainable_variables))
  for one, two in zip(*gradients):
    np.testing.assert_allclose(one, two, atol=1e-12)
    assert np.any(one != 0)


def test_amplitudes_begin_constant():
  potential = OneHiddenLayer(4, 5, time_basis=HyperNetwork(2.0, 3, seed=0), seed=1)
  x = tf.random.stateless_normal([3, 4], [1, 2])
  np.testing.assert_allclose(potential(0.1, x), potential(1.9, x), rtol=1e-6)


@pytest.mark.parametrize('arguments', [(0.0, 3), (1.0, 1), (1.0, 3, 0)])
def test_bad_arguments(arguments):
  with pytest.raises(ValueError, match='must be positive and `size` at least 2'):
    HyperNetwork(*arguments)
