"""The discrete flow converges to the closed forms at its integrator's order, in both directions."""

import math

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import flow, integrators
from ma_keras.flow import Horizon
from ma_keras.potentials import Hutchinson, OneHiddenLayer, Quadratic
from tests.support import flows

TABLEAUS = pytest.mark.parametrize('tableau', integrators.TABLEAUS.values(), ids=lambda t: t.name)
EXPLICIT = pytest.mark.parametrize(
  'tableau', [t for t in integrators.TABLEAUS.values() if t.explicit], ids=lambda t: t.name
)
DIRECTIONS = pytest.mark.parametrize('reverse', [False, True])
POTENTIALS = pytest.mark.parametrize('name', flows.POTENTIALS)
RK4 = integrators.RK4


def expm(symmetric):
  values, vectors = np.linalg.eigh(symmetric)
  return (vectors * np.exp(values)) @ vectors.T


def gaussian_log_density(x, covariance):
  quadratic = np.einsum('...i,ij,...j', x, np.linalg.inv(covariance), x)
  return -0.5 * (quadratic + np.linalg.slogdet(2 * np.pi * covariance)[1])


@pytest.mark.slow
@pytest.mark.parametrize('size', [1, 4])
def test_appendix_a(size):
  """x(T) = exp(A T) x, ln p falls by T tr A, and N(0, I) becomes N(0, exp(2 A T))."""
  matrix = 0.4 * np.random.default_rng(size).normal(size=(size, size)) + 0.3 * np.eye(size)
  symmetric = (matrix + matrix.T) / 2
  bijector = ma_keras.MongeAmpereBijector(Quadratic(matrix, tf.float64), 150, 0.01)
  x = np.random.default_rng(0).normal(size=(5, size))
  propagator = expm(1.5 * symmetric)
  np.testing.assert_allclose(bijector.forward(x), x @ propagator, atol=1e-9)
  np.testing.assert_allclose(bijector.inverse(x), x @ np.linalg.inv(propagator), atol=1e-9)
  log_det = np.full(5, 1.5 * np.trace(matrix))
  np.testing.assert_allclose(bijector.forward_log_det_jacobian(x, 1), log_det, rtol=1e-12)
  log_prob = ma_keras.standard_normal_flow(bijector).log_prob(x)
  expected = gaussian_log_density(x, propagator @ propagator)
  np.testing.assert_allclose(log_prob, expected, atol=1e-8)


@EXPLICIT
def test_quadratic_flow_is_a_power_of_the_taylor_polynomial(tableau):
  """At any step size: the discrete flow itself is known exactly."""
  matrix = np.array([[0.5, 0.2], [0.2, -1.0]])
  h, steps, x = 0.4, 6, np.array([[1.0, -2.0]])
  parts = len(tableau.c) // tableau.order  # Each of as many stages as orders.
  terms = [
    np.linalg.matrix_power(h / parts * matrix, k) / math.factorial(k)
    for k in range(tableau.order + 1)
  ]
  expected = x @ np.linalg.matrix_power(sum(terms), parts * steps)
  end, change = flow.solve(Quadratic(matrix, tf.float64), tableau, Horizon(steps, h), x)
  np.testing.assert_allclose(end, expected, rtol=1e-13)
  np.testing.assert_allclose(change, [-h * steps * np.trace(matrix)], rtol=1e-13)


@pytest.mark.slow
@TABLEAUS
@DIRECTIONS
def test_observed_orders_of_position_and_log_density(tableau, reverse):
  potential, x, errors = flows.Breathing(), flows.points(4), []
  exact = flows.exact('breathing', x, 0.3, reverse)
  for d in (4, 8):
    solved = flow.solve(potential, tableau, Horizon(d, 0.3 / d), x, reverse)
    errors.append([flows.max_error(one, two) for one, two in zip(solved, exact)])
  np.testing.assert_allclose(flows.observed_orders(errors), [[tableau.order] * 2], atol=0.2)


@pytest.mark.slow
@POTENTIALS
@DIRECTIONS
def test_fine_steps_reach_the_closed_form(name, reverse):
  potential, x = flows.POTENTIALS[name](), flows.points(4)
  solve = tf.function(lambda x: flow.solve(potential, RK4, Horizon(150, 0.008), x, reverse))
  end, change = solve(x)
  exact_end, exact_change = flows.exact(name, x, 1.2, reverse)
  np.testing.assert_allclose(end, exact_end, atol=1e-10)
  np.testing.assert_allclose(change, exact_change, atol=1e-10)


@pytest.mark.slow
@EXPLICIT
def test_there_and_back_is_the_identity_at_the_order(tableau):
  """Methods of even order come back one order better: their leading errors cancel."""
  potential, x, errors = flows.Breathing(), flows.points(4), []
  for d in (4, 8):
    horizon = Horizon(d, 0.3 / d)
    end, out = flow.solve(potential, tableau, horizon, x)
    back, home = flow.solve(potential, tableau, horizon, end, reverse=True)
    errors.append([flows.max_error(back, x), flows.max_error(out, -home)])
  order = tableau.order + (tableau.order % 2 == 0)
  np.testing.assert_allclose(flows.observed_orders(errors), [[order] * 2], atol=0.3)


@pytest.mark.slow
def test_log_determinant_is_that_of_the_dense_jacobian():
  """Integral of the Laplacian and slogdet of d x(T)/dx(0) meet at the integrator's order."""
  potential, x = flows.steady(), flows.points(3)
  errors = []
  for steps in (5, 10):
    horizon = Horizon(steps, 0.2 / steps)
    solve = lambda x, horizon=horizon: flow.solve(potential, RK4, horizon, x)  # noqa: E731
    jacobian = flows.jacobians(lambda x, solve=solve: solve(x)[0], x)
    errors.append(flows.max_error(np.linalg.slogdet(jacobian)[1], -solve(x)[1]))
  np.testing.assert_allclose(flows.observed_orders(errors), [4.0], atol=0.2)
  assert errors[-1] < 1e-8


@pytest.mark.slow
def test_density_integrates_to_one():
  """On a grid wide enough for the tails, where the rectangle rule is spectrally exact."""
  potential = OneHiddenLayer(2, 6, dtype=tf.float64, seed=3)
  potential.amplitude.assign(6.0 * potential.amplitude)
  axis, cell = np.linspace(-9.0, 9.0, 121, retstep=True)
  grid = np.stack(np.meshgrid(axis, axis, indexing='ij'), axis=-1)
  bijector = ma_keras.MongeAmpereBijector(potential, 40, 0.05)
  log_prob = ma_keras.standard_normal_flow(bijector).log_prob(grid).numpy()
  gaussian = gaussian_log_density(grid, np.eye(2))
  assert np.max(np.abs(np.exp(log_prob) - np.exp(gaussian))) > 0.02
  assert cell**2 * np.sum(np.exp(log_prob)) == pytest.approx(1.0, abs=1e-8)


@DIRECTIONS
def test_a_range_of_steps_is_a_part_of_the_whole(reverse):
  potential, x, horizon = flows.POTENTIALS['breathing'](), flows.points(4), Horizon(7, 0.15)
  whole = flow.solve(potential, RK4, horizon, x, reverse)
  ranges = [(3, 7), (0, 3)] if reverse else [(0, 3), (3, 7)]
  middle, first = flow.solve(potential, RK4, horizon, x, reverse, ranges[0])
  end, second = flow.solve(potential, RK4, horizon, middle, reverse, ranges[1])
  np.testing.assert_array_equal(end, whole[0])
  np.testing.assert_allclose(first + second, whole[1], atol=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize(
  'leading, compiled',
  [
    *((leading, False) for leading in ([], [0], [4], [2, 3], [2, 0])),
    *((leading, True) for leading in ([], [2, 3], [2, 0])),
  ],
)
def test_any_leading_rank(leading, compiled):
  potential, horizon = flows.steady(), Horizon(2, 0.2)
  solve = lambda x: flow.solve(potential, integrators.HEUN, horizon, x)  # noqa: E731
  x = flows.points(*leading)
  end, change = (tf.function(solve) if compiled else solve)(x)
  assert end.shape == x.shape and change.shape == leading
  rows = [solve(row) for row in tf.reshape(x, [-1, flows.EVENT_SIZE])]
  expected = np.reshape([row for row, _ in rows], x.shape)
  np.testing.assert_allclose(end, expected, atol=1e-14)
  np.testing.assert_allclose(change, np.reshape([c for _, c in rows], leading), atol=1e-14)


def graph_size(steps):
  solve = tf.function(lambda x: flow.solve(flows.steady_once, RK4, Horizon(steps, 0.1), x))
  graph = solve.get_concrete_function(flows.points(2)).graph.as_graph_def()
  return len(graph.node) + sum(len(f.node_def) for f in graph.library.function)


@pytest.mark.slow
def test_the_graph_does_not_grow_with_the_steps(monkeypatch):
  monkeypatch.setattr(flows, 'steady_once', flows.steady(), raising=False)
  sizes = {steps: graph_size(steps) for steps in (5, 500)}
  assert sizes[5] == sizes[500] < 500


@pytest.mark.slow
def test_hutchinson_gives_one_log_determinant_there_and_back():
  """Its probe knows neither time nor direction, so that fldj(x) = -ildj(f(x)) up to h^4."""
  potential = flows.steady().with_laplacian(Hutchinson(seed=1))
  x, horizon = flows.points(4), Horizon(10, 0.02)
  end, out = flow.solve(potential, RK4, horizon, x)
  _, home = flow.solve(potential, RK4, horizon, end, reverse=True)
  np.testing.assert_allclose(out, -home, atol=1e-9)
  assert flows.max_error(out, flow.solve(flows.steady(), RK4, horizon, x)[1]) > 1e-3
