"""W2^2 from samples: exact for clouds, bounded from both sides for distributions."""

import itertools
import sys

import numpy as np
import pytest

from ma_keras import transport


def gaussians(dimension, seed=1):
  rng = np.random.default_rng(seed)
  first, second = (
    m @ m.T / dimension + 0.2 * np.eye(dimension)
    for m in rng.normal(size=(2, dimension, dimension))
  )
  return [
    transport.Gaussian(2.0 * rng.normal(size=dimension), covariance)
    for covariance in (first, second)
  ]


def draw(gaussian, n, rng):
  return rng.multivariate_normal(gaussian.mean, gaussian.covariance, size=n)


def test_the_transport_of_a_few_points_is_the_best_of_all_assignments(rng):
  x, y = rng.normal(size=(2, 6, 2))
  costs = [
    np.mean(np.sum((x - y[list(order)]) ** 2, 1)) for order in itertools.permutations(range(6))
  ]
  assert transport.discrete_squared_distance(x, y) == pytest.approx(min(costs), rel=1e-12)


def test_in_one_dimension_the_sorted_points_are_matched_also_far_off(rng):
  x, y = rng.normal(size=(2, 200)) + 1e6
  expected = np.mean((np.sort(x) - np.sort(y)) ** 2)
  found = transport.discrete_squared_distance(x[:, np.newaxis], y[:, np.newaxis])
  assert found == pytest.approx(expected, rel=1e-6)


def test_clouds_of_two_sizes_split_their_points():
  """Two points at 0 and 1 to one at 3: (9 + 4)/2."""
  assert transport.discrete_squared_distance([[0.0], [1.0]], [[3.0]]) == pytest.approx(6.5)


def test_gaussians_lie_between_their_bounds(rng):
  """The lower bound is Bures' value itself as samples grow; the upper is biased upwards."""
  p, q = gaussians(2)
  exact = p.squared_distance(q)
  found = transport.squared_distance(draw(p, 1600, rng), draw(q, 1600, rng))
  assert (found.num_points, found.num_batches) == (200, 4)
  assert found.lower.value == pytest.approx(exact, abs=5 * found.lower.error)
  assert found.debiased.value == pytest.approx(exact, abs=5 * found.debiased.error)
  assert 0 < found.lower.error < 0.1 * exact and 0 < found.debiased.error < 0.2 * exact
  assert found.upper.value > found.debiased.value > 0.5 * exact


def test_the_upper_bound_is_biased_upwards_and_the_debiased_value_less(rng):
  """One distribution is at distance 0 from itself: means over 40 repetitions of 20 points."""
  rows = [
    transport.squared_distance(*rng.normal(size=(2, 80, 3)), num_batches=2) for _ in range(40)
  ]
  upper = transport.Estimate.of([row.upper.value for row in rows])
  debiased = transport.Estimate.of([row.debiased.value for row in rows])
  assert upper.value > 30 * upper.error and abs(debiased.value) < 4 * debiased.error


@pytest.mark.parametrize('dimension, samples', [(2, 400), (12, 20)])
def test_the_lower_bound_is_one_on_average_of_however_few_samples(dimension, samples, rng):
  """Gelbrich's formula of sample covariances is far above it."""
  p, q = gaussians(dimension)
  pairs = [(draw(p, samples, rng), draw(q, samples, rng)) for _ in range(60)]
  bound = transport.Estimate.of([transport.quadratic_bound(*pair).value for pair in pairs])
  assert bound.value < p.squared_distance(q) + 2 * bound.error


def test_the_error_of_the_bound_is_its_spread(rng):
  p, q = gaussians(2)
  rows = [transport.quadratic_bound(draw(p, 300, rng), draw(q, 300, rng)) for _ in range(100)]
  spread = np.std([row.value for row in rows], ddof=1)
  assert np.mean([row.error for row in rows]) == pytest.approx(spread, rel=0.25)


def test_a_bound_of_many_coordinates_and_of_points_that_do_not_vary(rng):
  x = np.zeros((8, 2))
  assert transport.quadratic_bound(x, x + 3.0).value == pytest.approx(18.0)
  wide = rng.normal(size=(8, 1500))
  assert transport.quadratic_bound(wide, wide[::-1] + 1.0).value < 1e5


@pytest.mark.parametrize(
  'x, y, message',
  [
    (np.zeros((8, 2)), np.zeros((8, 3)), 'one dimension, got 2 of x and 3 of y'),
    (np.zeros((8, 2)), np.full((8, 2), np.nan), '`y` holds NaN'),
    (np.zeros(8), np.zeros((8, 1)), r'points \[n, N\]'),
    (np.zeros((0, 2)), np.zeros((8, 2)), 'must hold points'),
  ],
)
def test_clouds_that_do_not_go_together_are_refused(x, y, message):
  for function in (transport.discrete_squared_distance, transport.squared_distance):
    with pytest.raises(ValueError, match=message):
      function(x, y)


@pytest.mark.parametrize('batches, points', [(1, 8), (2, 7), (0, 8), (2.5, 90)])
def test_errors_need_two_batches_of_four_points(batches, points):
  with pytest.raises(ValueError, match='`num_batches` must be at least 2'):
    transport.squared_distance(*np.zeros((2, points, 2)), num_batches=batches)


def test_a_plan_that_is_not_optimal_is_an_error(monkeypatch, rng):
  monkeypatch.setattr(transport.wasserstein, 'MOST_PIVOTS', 1)
  with pytest.raises(RuntimeError, match='did not reach its optimum'):
    transport.discrete_squared_distance(*rng.normal(size=(2, 50, 2)))


def test_without_pot_the_error_says_how_to_get_it(monkeypatch):
  monkeypatch.setitem(sys.modules, 'ot', None)
  with pytest.raises(ModuleNotFoundError, match=r"pip install 'ma_keras\[transport\]'"):
    transport.discrete_squared_distance([[0.0]], [[1.0]])


def test_an_estimate_has_the_digits_of_its_error():
  assert str(transport.Estimate(1.23456, 0.0213)) == '1.235 +- 0.021'
  assert str(transport.Estimate.of([2.0])) == '2 +- inf'
