"""One-dimensional units: each coordinate flows by itself, along a monotone map."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras.potentials import OneHiddenLayer, Separable, TimeBasis
from tests.potentials import cases

TIME = tf.constant(cases.TIME, tf.float64)


def bijector(potential):
  return ma_keras.MongeAmpereBijector(potential, 20, 0.075)


def test_it_is_the_layer_whose_kernel_has_one_entry_per_column():
  potential = cases.separable()
  units, n = potential.kernel.shape
  layer = OneHiddenLayer(n, units * n, dtype=tf.float64)
  columns = [np.diag(w) for w in potential.kernel.numpy()]
  layer.kernel.assign(np.concatenate(columns, axis=1))
  layer.bias.assign(tf.reshape(potential.bias, [-1]))
  layer.amplitude.assign(tf.reshape(potential.amplitude, [-1]))
  x = cases.points(5)
  np.testing.assert_allclose(potential(TIME, x), layer(TIME, x), rtol=1e-13)
  np.testing.assert_allclose(potential.gradient(TIME, x), layer.gradient(TIME, x), rtol=1e-12)
  np.testing.assert_allclose(potential.laplacian(TIME, x), layer.laplacian(TIME, x), rtol=1e-12)


@pytest.mark.slow
def test_coordinates_move_by_themselves_and_in_order():
  flowing = bijector(cases.separable(basis=TimeBasis(1.5, 2)))
  x = np.tile(np.linspace(-4, 4, 50)[:, np.newaxis], [1, cases.EVENT_SIZE])
  y = flowing.forward(x).numpy()
  assert np.all(np.diff(y, axis=0) > 0)
  x[:, 0] += 0.3
  moved = flowing.forward(x).numpy()
  np.testing.assert_array_equal(moved[:, 1:], y[:, 1:])
  assert np.all(moved[:, 0] != y[:, 0])


def test_one_seed_gives_one_start_and_amplitudes_begin_constant():
  one, two = (Separable(3, 4, seed=5, time_basis=b) for b in (None, TimeBasis(2.0, 3)))
  np.testing.assert_array_equal(two.amplitude[0], one.amplitude)
  np.testing.assert_array_equal(two.amplitude[1:], np.zeros([2, 4, 3]))
  assert one.kernel.dtype == tf.float32
  assert np.any(Separable(3, 4, seed=6).amplitude != one.amplitude)


def test_units_are_centred_where_they_should_be_and_as_steep():
  potential = Separable(2, 5, spread=6.0, steepness=3.0)
  centres = -potential.bias.numpy() / potential.kernel.numpy()
  np.testing.assert_allclose(centres[:, 0], [-6, -3, 0, 3, 6], atol=1e-6)
  np.testing.assert_array_equal(potential.kernel, np.full([5, 2], 3.0))


def test_bad_arguments():
  with pytest.raises(ValueError, match=r'`units` and `steepness` must be positive .* got 0'):
    Separable(3, 0)
  with pytest.raises(ValueError, match=r"`activation` must be one of .*got 'relu'"):
    Separable(3, 2, 'relu')
