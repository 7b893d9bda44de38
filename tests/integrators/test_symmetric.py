"""Gauss collocation: the textbook's rational function, undone by its own reverse step."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from ma_keras import flow, integrators
from ma_keras.flow import Horizon
from ma_keras.flow.horizon import EqualSteps
from ma_keras.potentials import Quadratic
from tests.support import flows

GAUSS = pytest.mark.parametrize(
  'tableau', [integrators.IMPLICIT_MIDPOINT, integrators.GAUSS4], ids=lambda t: t.name
)
MATRIX = np.array([[0.5, 0.2], [0.2, -1.0]])


@functools.cache
def round_trip(method):
  """(x, number of steps, their size) -> x and the change of ln p, there and back; one trace."""
  potential = flows.Breathing()

  @tf.function(autograph=False)
  def back_and_difference(x, num_steps, step_size):
    steps = EqualSteps(num_steps, step_size)
    end, out = flow.solve(potential, method, steps, x)
    back, home = flow.solve(potential, method, steps, end, reverse=True)
    return back, out + home

  return back_and_difference


def there_and_back(method, num_steps):
  """Errors of x and of the change of ln p after a round trip, the larger one."""
  x, step_size = flows.points(4), tf.constant(1.2 / num_steps, tf.float64)
  back, difference = round_trip(method)(x, tf.constant(num_steps), step_size)
  return max(flows.max_error(back, x), flows.max_error(difference, 0.0))


def pade(tableau, z):
  """Diagonal Pade approximation of exp(z): what s-stage Gauss makes of a linear field."""
  second = z @ z / 12 if tableau.order == 4 else 0.0
  one = np.eye(len(z))
  return np.linalg.solve(one - z / 2 + second, one + z / 2 + second)


@pytest.mark.slow
@GAUSS
def test_a_quadratic_potential_gives_a_power_of_the_pade_approximation(tableau):
  x, h, steps = np.array([[1.0, -2.0]]), 0.2, 3
  end, change = flow.solve(Quadratic(MATRIX, tf.float64), tableau, Horizon(steps, h), x)
  expected = x @ np.linalg.matrix_power(pade(tableau, h * MATRIX), steps)
  # The iteration contracts by h |A| |a| < 0.11 each time.
  np.testing.assert_allclose(end, expected, rtol=1e-11)
  np.testing.assert_allclose(change, [-h * steps * np.trace(MATRIX)], rtol=1e-13)


@GAUSS
def test_symmetric_and_of_the_order_its_times_allow(tableau):
  """Quadrature at Gauss points is exact up to degree 2 s - 1, and at 2 s no more."""
  assert tableau.symmetric and not tableau.explicit
  for degree in range(tableau.order + 1):
    value = sum(b * c**degree for b, c in zip(tableau.b, tableau.c))
    assert (abs(value - 1 / (degree + 1)) < 1e-15) == (degree < tableau.order)
  for row, c in zip(tableau.a, tableau.c):
    assert sum(row) == pytest.approx(c, abs=1e-15)


@GAUSS
def test_the_iteration_stops_where_nothing_moves_by_more_than_rounding(tableau):
  """dx/dt = -x, h = 1e-3: every iteration gains three digits, so six are enough for sixteen."""
  calls = []

  def field(t, x):
    calls.append(t)
    return -x

  x, h = tf.ones([2], tf.float64), tf.constant(1e-3, tf.float64)
  end = integrators.step(tableau, field, tf.zeros_like(h), h, x)
  np.testing.assert_allclose(end, np.exp(-1e-3), rtol=1e-9)
  assert 4 * len(tableau.c) < len(calls) <= 8 * len(tableau.c)


@pytest.mark.slow
@GAUSS
@pytest.mark.parametrize('steps', [8, 16, 32])
def test_there_and_back_is_the_identity_whatever_the_step(tableau, steps):
  """Explicit methods come back only at their order."""
  assert there_and_back(tableau, steps) < 1e-10
  assert there_and_back(integrators.RK4, steps) > 1e-10


@pytest.mark.slow
def test_more_iterations_come_back_closer():
  few = integrators.Tableau('few', 2, ((0.5,),), (1.0,), (0.5,), iterations=3)
  errors = [there_and_back(tableau, 8) for tableau in (few, integrators.IMPLICIT_MIDPOINT)]
  assert errors[1] < 1e-4 * errors[0]
