"""Amplitudes in time: Chebyshev series, constant where they should be."""

import fractions

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import transport
from ma_keras.potentials import HyperNetwork, Lattice, OneHiddenLayer, ParameterODE, TimeBasis
from ma_keras.potentials.time_basis import amplitudes
from tests.potentials import cases


def test_polynomials_are_chebyshev_over_the_horizon():
  times = np.linspace(0, 3.0, 7)
  found = TimeBasis(3.0, 5).values(tf.constant(times))
  expected = np.polynomial.chebyshev.chebvander(2 * times / 3.0 - 1, 4)
  np.testing.assert_allclose(found, expected, atol=1e-14)


@pytest.mark.parametrize('size', [1, 2, 4])
def test_amplitudes_are_the_series_of_their_coefficients(size):
  coefficients = np.random.default_rng(0).normal(size=(size, 5))
  times = np.linspace(0, 2.0, 6).reshape(2, 3)
  found = amplitudes(TimeBasis(2.0, size), tf.constant(coefficients), tf.constant(times))
  expected = np.polynomial.chebyshev.chebval(times - 1, coefficients)
  np.testing.assert_allclose(found, np.moveaxis(expected, 0, -1), atol=1e-13)


def test_a_series_starts_as_the_constant_of_the_same_seed():
  plain, series = (
    OneHiddenLayer(4, 6, dtype=tf.float64, seed=1, time_basis=basis)
    for basis in (None, TimeBasis(2.0, 3))
  )
  x = cases.points(3)
  for t in (0.0, 0.7, 2.0):
    np.testing.assert_allclose(series.gradient(t, x), plain.gradient(t, x), rtol=1e-14)


def test_a_gaussian_start_is_constant_in_time():
  layer = OneHiddenLayer(2, 4, 'log_cosh', dtype=tf.float64, time_basis=TimeBasis(1.0, 3))
  layer.start_gaussian(np.array([[2.0, 0.3], [0.3, 0.5]]), 1.0)
  np.testing.assert_array_equal(layer.amplitude, [[1, 1, -1, -1], [0] * 4, [0] * 4])


@pytest.mark.parametrize(
  'arguments, message',
  [
    ((0.0, 2), '`time` must be positive, got 0.0'),
    ((1.0, 0), '`size` must be a positive integer, got 0'),
    ((1.0, 1.5), '`size` must be a positive integer, got 1.5'),
  ],
)
def test_bad_arguments(arguments, message):
  with pytest.raises(ValueError, match=message):
    TimeBasis(*arguments)


@pytest.mark.parametrize('basis', [TimeBasis, HyperNetwork, ParameterODE])
@pytest.mark.parametrize('argument', ['time_basis', 'layer_basis'])
def test_no_flow_goes_beyond_the_end_of_a_basis(argument, basis):
  """Chebyshev polynomials grow as cosh(k arcosh(u)) there: phi would be anything."""
  constant = OneHiddenLayer(16, 3, seed=0)
  phi = constant + Lattice(4, 2, seed=0, **{argument: basis(0.3, 2)})
  for num_steps in (1, 3):  # 3 * 0.1 > 0.3 by a rounding.
    ma_keras.MongeAmpereBijector(phi, num_steps, 0.1)
  bijector = ma_keras.MongeAmpereBijector(phi, 3, 0.1)
  with pytest.raises(ValueError, match=rf'`{argument}` of Lattice ends at time 0\.3, .* = 0\.4'):
    bijector.copy(num_steps=4)
  assert bijector.in_steps(6).horizon.time == pytest.approx(0.3)
  with pytest.raises(ValueError, match=r'= 0\.333333: beyond'):
    ma_keras.MongeAmpereBijector(phi, 1, fractions.Fraction(1, 3))


def test_bases_of_ones_own_and_potentials_at_the_start_may_end_anywhere():
  periodic = TimeBasis(0.25, 2)

  class Waves:
    """1 and cos(2 pi t/T), for all times."""

    size, time = 2, None

    def values(self, t):
      return tf.stack([tf.ones_like(t), tf.cos(8.0 * np.pi * t)], axis=-1)

  ma_keras.MongeAmpereBijector(OneHiddenLayer(4, 3, time_basis=Waves()), 4, 0.25)
  still = transport.PressurelessFlow(OneHiddenLayer(4, 3, time_basis=periodic), time=1.0)
  ma_keras.MongeAmpereBijector(still.potential_in_time, 10, 0.1)
