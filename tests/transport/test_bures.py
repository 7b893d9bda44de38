"""Distances and maps of Gaussians are those of Bures; L2-UVP is zero for the optimal map."""

import numpy as np
import pytest
import scipy.linalg

from ma_keras import transport

N = 3
ROOTS = np.random.default_rng(0).normal(size=(2, N, N))
MEANS = np.random.default_rng(1).normal(size=(2, N))
FIRST, SECOND = (m @ m.T + np.eye(N) for m in ROOTS)
P, Q = map(transport.Gaussian, MEANS, (FIRST, SECOND))


def test_the_distance_is_that_of_bures():
  """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^1/2): the root of another matrix, of equal trace."""
  cross = np.trace(scipy.linalg.sqrtm(FIRST @ SECOND)).real
  expected = np.sum((P.mean - Q.mean) ** 2) + np.trace(FIRST + SECOND) - 2 * cross
  assert P.squared_distance(Q) == pytest.approx(expected, rel=1e-12)
  assert P.squared_distance(P) == pytest.approx(0.0, abs=1e-12)


def test_the_map_takes_one_to_the_other_at_that_cost():
  """A S1 A = S2 with A symmetric and positive, and E|T(x) - x|^2 = W2^2."""
  matrix, shift = optimal = P.optimal_map(Q)
  np.testing.assert_allclose(matrix, matrix.T, atol=1e-13)
  np.testing.assert_allclose(matrix @ FIRST @ matrix, SECOND, rtol=1e-11)
  np.testing.assert_allclose(optimal(P.mean), Q.mean, rtol=1e-12)
  moved = matrix - np.eye(N)
  displaced = optimal(P.mean) - P.mean
  cost = displaced @ displaced + np.trace(moved @ FIRST @ moved)
  assert cost == pytest.approx(P.squared_distance(Q), rel=1e-11)
  np.testing.assert_array_equal(shift, optimal(np.zeros(N)))


def test_a_point_is_a_gaussian_that_others_can_be_mapped_to(rng):
  point = transport.Gaussian(np.ones(N), np.zeros((N, N)))
  np.testing.assert_allclose(P.optimal_map(point)(rng.normal(size=(4, N))), 1.0)
  assert P.squared_distance(point) == pytest.approx(np.sum((P.mean - 1) ** 2) + np.trace(FIRST))
  with pytest.raises(ValueError, match='from a singular Gaussian no map need exist'):
    point.optimal_map(P)


@pytest.mark.parametrize(
  'mean, covariance, message',
  [
    (np.zeros(2), np.eye(3), 'do not fit'),
    (np.zeros(2), [[1.0, 0.5], [0.2, 1.0]], 'symmetric'),
    (np.zeros(2), [[1.0, 2.0], [2.0, 1.0]], 'positive semidefinite'),
    (np.zeros(2), np.full((2, 2), np.nan), 'finite'),
  ],
)
def test_what_is_no_gaussian_is_refused(mean, covariance, message):
  with pytest.raises(ValueError, match=message):
    transport.Gaussian(mean, covariance)


def test_ends_have_one_dimension():
  with pytest.raises(ValueError, match='one dimension, got 3 and 2'):
    P.squared_distance(transport.Gaussian(np.zeros(2), np.eye(2)))


def test_the_unexplained_variance_is_that_of_the_errors(rng):
  """100 |e|^2 / Var(Q) of a shift e; 0 of the map itself, 100 of the constant map to the mean."""
  y = rng.normal(size=(400, N)) * [1.0, 2.0, 3.0]
  variance = np.sum(np.var(y, axis=0, ddof=1))
  shifted = transport.unexplained_variance(y + np.array([0.3, 0.0, -0.4]), y)
  assert shifted.value == pytest.approx(100 * 0.25 / variance) and shifted.error < 1e-10
  assert transport.unexplained_variance(y, y) == (0.0, 0.0)
  constant = transport.unexplained_variance(np.broadcast_to(np.mean(y, axis=0), y.shape), y)
  assert constant.value == pytest.approx(100.0, rel=1e-2)


@pytest.mark.parametrize(
  'mapped, optimal, message',
  [
    (np.zeros((3, 2)), np.zeros((4, 2)), 'same points'),
    (np.zeros((3, 2)), np.zeros((3, 2)), 'does not vary'),
    (np.zeros((1, 2)), np.zeros((1, 2)), 'at least 2'),
  ],
)
def test_maps_that_cannot_be_compared_are_refused(mapped, optimal, message):
  with pytest.raises(ValueError, match=message):
    transport.unexplained_variance(mapped, optimal)
