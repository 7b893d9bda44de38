"""A potential of the sum of all coordinates: derivatives, symmetries and the flow of one mode."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import potentials
from tests.potentials import cases

N, TIME, STEPS = 9, 1.5, 60
BASIS = potentials.TimeBasis(TIME, 3)


def built(size=N, seed=0, **options):
  options = {'growth': 0.8, 'time_basis': BASIS, **options}
  return cases.generic(
    potentials.Magnetisation(size, 4, **options, dtype=tf.float64, seed=seed), seed=seed
  )


def fields(*shape, seed=1):
  return tf.constant(np.random.default_rng(seed).normal(size=shape))


def flow(potential):
  return ma_keras.MongeAmpereBijector(potential, STEPS, TIME / STEPS)


def test_only_the_sum_moves_and_as_a_field_of_one_site_does():
  """The flow of N sites is that of y = sum x / sqrt N by itself; what is orthogonal stays."""
  many, one = built(), built(1)
  for variable, value in zip(one.variables, many.variables, strict=True):
    variable.assign(value)
  x = fields(5, N)
  moved = flow(many).forward(x)
  y = tf.reduce_sum(x, axis=-1, keepdims=True) / 3.0
  np.testing.assert_allclose(tf.reduce_sum(moved, -1, keepdims=True) / 3.0, flow(one).forward(y))
  np.testing.assert_allclose(moved - tf.reduce_mean(moved, -1, keepdims=True), x - y / 3.0)
  ours, theirs = (
    bijector.forward_log_det_jacobian(z, event_ndims=1)
    for bijector, z in ((flow(many), x), (flow(one), y))
  )
  np.testing.assert_allclose(ours, theirs)
  assert np.abs(moved - x).max() > 0.1


def test_permutations_and_the_sign_leave_it_alone():
  potential, x, t = built(), fields(5, N), tf.constant(0.7, tf.float64)
  shuffled = tf.gather(x, np.random.default_rng(2).permutation(N), axis=-1)
  for other in (shuffled, -x):
    np.testing.assert_allclose(potential(t, other), potential(t, x))
    np.testing.assert_allclose(potential.laplacian(t, other), potential.laplacian(t, x))


def test_velocities_grow_as_the_mode_does():
  """At u = y exp(-g t) of one size the rate (d phi/dy)/y is the same at all times."""
  potential = built(time_basis=None)
  growth, rates = potential.growth.numpy(), []
  for time in (0.0, 0.5, 1.5):
    x = fields(1, N) * np.exp(growth * time)
    rates.append(potential.gradient(tf.constant(time, tf.float64), x)[0, 0] / tf.reduce_mean(x))
  np.testing.assert_allclose(rates, rates[0])


def test_a_larger_field_of_either_precision_takes_the_weights():
  small, same = built(seed=1), built(seed=2)
  large = built(16, time_basis=potentials.TimeBasis(TIME, 5))
  same.start_from(small)
  large.start_from(small)
  for one, two in zip(small.variables, same.variables, strict=True):
    np.testing.assert_array_equal(one, two)
  np.testing.assert_array_equal(large.amplitude[:3], small.amplitude)
  assert not np.any(large.amplitude[3:])
  for other, message in (
    (potentials.Magnetisation(N, 5, time_basis=BASIS), 'amplitudes of shape'),
    (potentials.Magnetisation(N, 4, time_basis=BASIS, context_size=2), '.* context_size None'),
    (large, 'a Magnetisation of at most 9 coordinates, got a Magnetisation of 16'),
    (potentials.SpectralQuadratic(3), 'a Magnetisation of at most 9'),
  ):
    with pytest.raises(ValueError, match=rf'`smaller` must (have|be) {message}'):
      small.start_from(other)
  single = potentials.Magnetisation(N, 4, time_basis=BASIS, context_size=2)
  double = built(context_size=2)
  double.start_from(single)
  for one, two in zip(single.variables, double.variables, strict=True):
    np.testing.assert_allclose(one, two)


@pytest.mark.parametrize(
  'options', [{'units': 0}, {'units': 1.5}, {'growth': np.nan}, {'growth': '1'}]
)
def test_numbers_out_of_range_are_named(options):
  with pytest.raises(ValueError, match=f'`{next(iter(options))}`'):
    potentials.Magnetisation(N, **options)
