"""One step is the method of the textbook: its order, its Taylor polynomial, its inverse."""

import math

import numpy as np
import pytest
import tensorflow as tf

from ma_keras import integrators
from tests.support import reference

ALL = pytest.mark.parametrize('tableau', integrators.TABLEAUS.values(), ids=lambda t: t.name)
EXPLICIT = pytest.mark.parametrize(
  'tableau', [t for t in integrators.TABLEAUS.values() if t.explicit], ids=lambda t: t.name
)


def integrate(tableau, field, state, start, stop, steps):
  step = tf.function(integrators.step, autograph=False)
  h = tf.constant((stop - start) / steps, tf.float64)
  for k in range(steps):
    state = step(tableau, field, start + k * h, h, state)
  return state


def swirl(t, state):
  """dx/dt = -2 t x^2 and dy/dt = x: x = 1/(1 + t^2), y = arctan t, a nest of two shapes."""
  return {'x': -2.0 * t * state['x'] ** 2, 'y': state['x'][0]}


def solution(t):
  return {
    'x': tf.constant([1.0 / (1.0 + t**2)], tf.float64),
    'y': tf.constant(math.atan(t), tf.float64),
  }


@pytest.mark.slow
@ALL
@pytest.mark.parametrize('start, stop', [(0.0, 1.5), (1.5, 0.0)])
def test_observed_order(tableau, start, stop):
  """Nonlinear and non-autonomous, forwards and backwards in time."""
  exact = solution(stop)
  coarse, fine = (
    integrate(tableau, swirl, solution(start), start, stop, steps) for steps in (40, 80)
  )
  for name in exact:
    errors = [abs(float(tf.squeeze(end[name] - exact[name]))) for end in (coarse, fine)]
    assert errors[1] < errors[0]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(tableau.order, abs=0.2)


@EXPLICIT
def test_a_linear_field_gives_the_taylor_polynomial(tableau):
  """As many stages as orders: one step multiplies by sum over k <= p of (h A)^k / k!.

  A method of n times as many is n such steps of h/n.
  """
  matrix = np.random.default_rng(0).normal(size=[3, 3])
  x, h = np.array([1.0, -2.0, 0.5]), 0.3
  parts = len(tableau.c) // tableau.order
  factor = sum(
    np.linalg.matrix_power(h / parts * matrix, k) / math.factorial(k)
    for k in range(tableau.order + 1)
  )
  expected = np.linalg.matrix_power(factor, parts) @ x
  field = lambda t, x: tf.linalg.matvec(matrix, x)  # noqa: E731
  end = integrators.step(tableau, field, 0.0, tf.constant(h, tf.float64), tf.constant(x))
  np.testing.assert_allclose(end, expected, rtol=1e-14)


@EXPLICIT
@pytest.mark.parametrize('h', [0.7, -0.7])
def test_quadrature_is_exact_below_the_order(tableau, h):
  """dx/dt = t^(p-1) is integrated exactly, either way; Euler is exact for constant fields."""
  power = tableau.order - 1
  field = lambda t, x: t**power * tf.ones_like(x)  # noqa: E731
  start = tf.constant(0.4, tf.float64)
  end = integrators.step(tableau, field, start, tf.constant(h, tf.float64), tf.zeros_like(start))
  expected = ((0.4 + h) ** tableau.order - 0.4**tableau.order) / tableau.order
  np.testing.assert_allclose(end, expected, rtol=1e-14)


@ALL
def test_constant_fields_are_followed_exactly_and_back(tableau):
  start = tf.constant([1.0, 2.0], tf.float64)
  velocity = tf.constant([0.5, -0.25], tf.float64)
  field = lambda t, x: velocity  # noqa: E731
  h = tf.constant(0.125, tf.float64)
  end = integrators.step(tableau, field, 0.0, h, start)
  np.testing.assert_allclose(end, start + h * velocity, rtol=1e-15)
  np.testing.assert_allclose(integrators.step(tableau, field, h, -h, end), start, rtol=1e-15)


def test_rk4_equals_the_method_written_out():
  field = lambda t, x: np.sin(x[::-1]) + t * x  # noqa: E731
  graph_field = lambda t, x: tf.sin(x[::-1]) + t * x  # noqa: E731
  start = np.array([0.3, -1.2, 0.8])
  expected = reference.rk4_loops(field, start, 0.2, 0.1, 7)
  end = integrate(integrators.RK4, graph_field, tf.constant(start), 0.2, 0.9, 7)
  np.testing.assert_allclose(end, expected, rtol=1e-13)


@EXPLICIT
def test_stages_see_the_times_of_the_tableau(tableau):
  seen = []

  def field(t, x):
    seen.append(float(t))
    return x

  integrators.step(tableau, field, 2.0, tf.constant(-0.5, tf.float64), tf.ones([], tf.float64))
  np.testing.assert_allclose(seen, [2.0 - 0.5 * c for c in tableau.c], rtol=1e-15)


@ALL
@pytest.mark.parametrize('dtype', [tf.float32, tf.float64])
def test_dtype_and_structure_are_kept(tableau, dtype):
  state = (tf.ones([2, 3], dtype), [tf.zeros([2], dtype)])
  field = lambda t, state: (state[0], [tf.reduce_sum(state[0], axis=-1)])  # noqa: E731
  end = integrators.step(tableau, field, tf.zeros([], dtype), tf.constant(0.1, dtype), state)
  tf.nest.assert_same_structure(end, state)
  assert [x.dtype for x in tf.nest.flatten(end)] == [dtype, dtype]
