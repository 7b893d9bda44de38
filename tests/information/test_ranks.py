"""Histograms of ranks: cells of a normal law in closed form, and dependence without correlation."""

import numpy as np
import pytest
import scipy.special
import scipy.stats

from ma_keras import information


def cells(correlation, bins):
  """Information of a bivariate normal in bins of equal probability."""
  ends = np.clip(scipy.special.ndtri(np.arange(bins + 1) / bins), -9, 9)
  grid = np.stack(np.meshgrid(ends, ends, indexing='ij'), axis=-1)
  covariance = [[1.0, correlation], [correlation, 1.0]]
  below = scipy.stats.multivariate_normal(cov=covariance).cdf(grid)
  joint = np.diff(np.diff(below, axis=0), axis=1)
  return np.sum(joint * np.log(joint * bins**2))


@pytest.mark.parametrize('bins', [2, 6])
def test_a_normal_law_has_the_information_of_its_cells(bins, rng):
  x = rng.normal(size=(20_000, 2))
  x[:, 1] = 0.8 * x[:, 0] + 0.6 * x[:, 1]
  exact = cells(0.8, bins)
  found = information.pairwise_by_ranks(x, bins)
  assert found.nats[0, 1] == found.nats[1, 0] == pytest.approx(exact, abs=0.015)
  assert exact < -0.5 * np.log(1 - 0.8**2) and not np.any(np.diag(found.nats))
  mapped = information.pairwise_by_ranks(np.stack([np.exp(x[:, 0]), x[:, 1] ** 3], axis=-1), bins)
  np.testing.assert_array_equal(mapped.nats, found.nats)


def test_a_circle_is_seen_where_correlations_see_nothing(rng):
  angle = rng.uniform(0, 2 * np.pi, 5000)
  x = np.stack([np.cos(angle), np.sin(angle)], axis=-1) + 0.1 * rng.normal(size=(5000, 2))
  blind = information.pairwise(x)
  assert abs(blind.nats[0, 1]) < 4 * blind.noise
  assert information.pairwise_by_ranks(x).nats[0, 1] > 0.4


def test_independent_coordinates_have_the_noise_that_is_stated(rng):
  found = information.pairwise_by_ranks(rng.normal(size=(3000, 40)), bins=5)
  entries = found.nats[np.triu_indices(40, 1)]
  assert abs(np.mean(entries)) < 5 * found.noise / np.sqrt(len(entries))
  assert np.std(entries) == pytest.approx(found.noise, rel=0.15)


@pytest.mark.parametrize('periodic', [False, True])
def test_offsets_are_those_of_a_loop_over_pairs(periodic, rng):
  height, width = 2, 3
  nats = rng.random((6, 6))
  nats += nats.T
  sizes = (height, width) if periodic else (3, 5)
  expected = [[[] for _ in range(sizes[1])] for _ in range(sizes[0])]
  for i in range(6):
    for j in range(6):
      row = (j // width - i // width + sizes[0] // 2) % sizes[0]
      column = (j % width - i % width + sizes[1] // 2) % sizes[1]
      expected[row][column].append(nats[i, j])
  pairs = information.PairwiseInformation(nats, 0.5)
  found = information.by_offset(pairs, (height, width), periodic)
  middle = (sizes[0] // 2, sizes[1] // 2)
  assert np.isnan(found.nats[middle]) and np.sum(np.isnan(found.nats)) == 1
  for place in np.ndindex(*sizes):
    if place != middle:
      assert found.nats[place] == pytest.approx(np.mean(expected[place[0]][place[1]]))
  if not periodic:
    around = [(0, 2), (2, 2), (1, 1), (1, 3)]
    assert found.nearest == pytest.approx(np.mean([found.nats[place] for place in around]))


@pytest.mark.slow
@pytest.mark.parametrize('periodic', [False, True])
@pytest.mark.parametrize('shape', [(2, 3), (4, 2)])
def test_offsets_have_the_spread_that_is_stated(shape, periodic, rng):
  draws = [
    information.by_offset(
      information.pairwise_by_ranks(rng.normal(size=(200, np.prod(shape))), 3),
      shape,
      periodic,
    )
    for _ in range(600)
  ]
  spread, noise = np.std([draw.nats for draw in draws], axis=0), draws[0].noise
  middle = tuple(size // 2 for size in noise.shape)
  assert np.isnan(noise[middle]) and np.sum(np.isnan(noise)) == 1
  np.testing.assert_allclose(spread / noise, np.where(np.isnan(noise), np.nan, 1.0), rtol=0.2)


@pytest.mark.parametrize(
  'shape, periodic, pairs',
  [
    ((1, 4), True, [(0, 1), (1, 2), (2, 3), (3, 0)]),
    ((1, 4), False, [(0, 1), (1, 2), (2, 3)]),
    ((1, 2), True, [(0, 1)]),
  ],
)
def test_neighbours_in_one_row_are_those_beside_each_other(shape, periodic, pairs, rng):
  nats = rng.random((shape[1],) * 2)
  nats += nats.T
  found = information.by_offset(information.PairwiseInformation(nats, 0.5), shape, periodic)
  assert found.nearest == pytest.approx(np.mean([nats[pair] for pair in pairs]))


def test_neighbours_of_two_rows_of_a_torus_are_across_and_beside(rng):
  nats = rng.random((8, 8))
  nats += nats.T
  found = information.by_offset(information.PairwiseInformation(nats, 0.5), (2, 4), True)
  across = np.mean([nats[j, j + 4] for j in range(4)])
  beside = np.mean([nats[4 * i + j, 4 * i + (j + 1) % 4] for i in range(2) for j in range(4)])
  assert found.nearest == pytest.approx((across + 2 * beside) / 3)  # Beside: to the left, right.


def test_one_site_has_no_neighbours():
  found = information.by_offset(information.PairwiseInformation(np.zeros([1, 1]), 0.5), (1, 1))
  assert np.isnan(found.nearest)


@pytest.mark.parametrize('bins', [2, 6.0])
def test_spins_have_no_information_that_is_not_theirs(bins, rng):
  """None if they are independent, ln 2 at most if they are the same."""
  spins = rng.choice([-1.0, 1.0], size=(5000, 20))
  spins[:, 1] = spins[:, 0] = rng.permutation(np.repeat([-1.0, 1.0], 2500))
  found = information.pairwise_by_ranks(spins, bins)
  assert 0.97 * np.log(2) < found.nats[0, 1] < np.log(2)
  entries = found.nats[np.triu_indices(20, 1)][1:]
  assert np.max(np.abs(entries)) < 6 * found.noise
  assert abs(np.mean(entries)) < 5 * found.noise / np.sqrt(len(entries))
  again = information.pairwise_by_ranks(spins, bins, seed=1)
  assert np.any(again.nats != found.nats)


def test_what_has_no_ranks_is_refused(rng):
  x = rng.normal(size=(100, 2))
  for call, message in (
    (lambda: information.pairwise_by_ranks(x), '`x` must be finite points .* 180 or more for 6'),
    (lambda: information.pairwise_by_ranks(x, 1), '`bins` must be a whole number, 2 at least'),
    (lambda: information.pairwise_by_ranks(x, 2, seed=-1), '`seed` must be .* 0 at least, got -1'),
    (
      lambda: information.pairwise_by_ranks(x * [1.0, 0.0], 2),
      '`x` does not vary in column 1, which has no rank',
    ),
    (lambda: information.pairwise_by_ranks([[np.nan, 1.0]] * 50, 2), '`x` must be finite points'),
    (
      lambda: information.by_offset(information.pairwise_by_ranks(x, 2), (2, 2)),
      r'`shape` \(2, 2\) is not that of the 2 sites',
    ),
  ):
    with pytest.raises(ValueError, match=message):
      call()
