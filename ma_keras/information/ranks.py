"""Mutual information of pairs of coordinates by histograms of their ranks, and where it is.

Unlike correlations they see dependence of any shape, a circle's or that of variances.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.stats

from ma_keras.arguments import is_whole
from ma_keras.information.correlations import PairwiseInformation, check_varying

BINS = 6


class OffsetInformation(NamedTuple):
  """Mean mutual information of two sites by the vector between them.

  Attributes:
    nats: Means, [H', W'], the offset zero in the middle, where it is NaN.
    noise: Standard deviation of each under independence, [H', W'], NaN there as well.
  """

  nats: np.ndarray
  noise: np.ndarray

  @property
  def nearest(self) -> float:
    """Mean of the offsets of length one: four, or fewer on two rows of a torus or one of sites."""
    height, width = self.nats.shape
    row, column = height // 2, width // 2
    around = ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1))
    places = {(i % height, j % width) for i, j in around} - {(row, column)}
    return float(np.mean([self.nats[place] for place in sorted(places)])) if places else math.nan


def pairwise_by_ranks(x: Any, bins: int = BINS, seed: int = 0) -> PairwiseInformation:
  """Mutual information of all pairs of coordinates, each in bins of equal counts.

  Binning loses some: the mean is at most the mutual information, and more bins lose less. Under
  independence 2n times the sum over bins is chi-square of (bins - 1)^2 degrees, whose mean is
  taken off; its standard deviation is the noise. Monotone maps of a coordinate change nothing.

  Equal values are put in an order by chance, in every coordinate by itself: noise of its own adds
  no information, where the order of rows, which all coordinates share, would.

  Args:
    x: Points, [n, N].
    bins: Bins of a coordinate.
    seed: Of the order of equal values.

  Raises:
    ValueError: `x` is no table of finite numbers with five points or more a cell, or a column is
      constant.
  """
  x = np.asarray(x, np.float64)
  if not is_whole(bins, 2):
    raise ValueError(f'`bins` must be a whole number, 2 at least, got {bins!r}: 6 is usual.')
  if not is_whole(seed, 0):
    raise ValueError(f'`seed` must be a whole number, 0 at least, got {seed!r}: 0 is usual.')
  bins = int(bins)
  if x.ndim != 2 or len(x) < 5 * bins**2 or not np.all(np.isfinite(x)):
    raise ValueError(
      f'`x` must be finite points [n, N], {5 * bins**2} or more for {bins} bins, got '
      f'{list(x.shape)}.'
    )
  check_varying(x)
  count, size = x.shape
  numbers = _ranks(x, int(seed)) * bins // count
  members = np.zeros([count, size, bins], np.float32)
  np.put_along_axis(members, numbers[..., np.newaxis], 1.0, axis=-1)
  members = members.reshape(count, size * bins)
  joint = (members.T @ members) / count  # Counts up to 2^24 are exact.
  joint = joint.reshape(size, bins, size, bins)
  shares = np.bincount(numbers[:, 0], minlength=bins) / count
  ratios = joint / (shares[:, np.newaxis, np.newaxis] * shares)
  nats = np.sum(joint * np.log(np.maximum(ratios, 1e-30)), axis=(1, 3), dtype=np.float64)
  degrees = (bins - 1) ** 2
  nats -= degrees / (2 * count)
  np.fill_diagonal(nats, 0.0)
  return PairwiseInformation(nats, math.sqrt(2 * degrees) / (2 * count))


def by_offset(
  pairs: PairwiseInformation, shape: Sequence[int], periodic: bool = False
) -> OffsetInformation:
  """Mean over all pairs of sites that are as far apart, in the same direction.

  Args:
    pairs: Mutual information of H W sites.
    shape: (H, W).
    periodic: Whether the sites are those of a torus.

  Returns:
    Maps [H, W] of a torus, else [2H - 1, 2W - 1].

  Raises:
    ValueError: There are not H W sites.
  """
  height, width = shape
  if pairs.nats.shape != (height * width,) * 2:
    raise ValueError(
      f'`shape` {tuple(shape)} is not that of the {len(pairs.nats)} sites of `pairs`.'
    )
  rows, columns = np.divmod(np.arange(height * width), width)
  sizes = (height, width) if periodic else (2 * height - 1, 2 * width - 1)
  places = [
    (positions - positions[:, np.newaxis] + size // 2) % size
    for positions, size in zip((rows, columns), sizes)
  ]
  # At half a torus, both ways, a vector is its own negative, and every pair is there twice.
  is_own = [2 * (np.arange(size) - size // 2) % size == 0 for size in sizes]
  times = 1 + np.logical_and.outer(*is_own)
  flat = np.ravel_multi_index(places, sizes).ravel()
  numbers = np.bincount(flat, minlength=math.prod(sizes)).reshape(sizes)
  nats = np.bincount(flat, pairs.nats.ravel(), math.prod(sizes)).reshape(sizes) / numbers
  noise = pairs.noise / np.sqrt(numbers / times)
  middle = (sizes[0] // 2, sizes[1] // 2)
  nats[middle] = noise[middle] = np.nan
  return OffsetInformation(nats, noise)


def _ranks(x: np.ndarray, seed: int) -> np.ndarray:
  """Ranks 0..n-1 of every column, ties by a permutation of its own."""
  rng = np.random.default_rng([seed, 2])  # Not the draws that made points of that seed.
  rows = np.broadcast_to(np.arange(len(x))[:, np.newaxis], x.shape)
  orders = rng.permuted(rows, axis=0)
  shuffled = scipy.stats.rankdata(np.take_along_axis(x, orders, axis=0), 'ordinal', axis=0)
  ranks = np.empty(x.shape, np.int64)
  np.put_along_axis(ranks, orders, shuffled.astype(np.int64) - 1, axis=0)
  return ranks
