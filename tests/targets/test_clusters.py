"""Sets of points around one of several centres: the density against SciPy's, and its samples."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from ma_keras import targets


def test_the_density_is_the_mean_of_products_of_gaussians(rng):
  target = targets.LatentClusters(3, 4, dtype=tf.float64)
  x = rng.normal(size=(5, 3, 2))
  terms = [
    np.prod(scipy.stats.multivariate_normal(centre, width**2).pdf(x), axis=-1)
    for centre, width in zip(target.centres, target.widths)
  ]
  np.testing.assert_allclose(target.energy(x.reshape(5, 6)), -np.log(np.mean(terms, axis=0)))
  assert isinstance(target, targets.SolvedTarget) and isinstance(target, targets.SampledTarget)
  assert target.exact_log_partition() == 0.0


def test_one_point_integrates_to_one():
  """The trapezoidal rule on a square that holds it all."""
  target, side = targets.LatentClusters(1, 3, dtype=tf.float64), np.linspace(-7.0, 7.0, 400)
  plane = np.stack(np.meshgrid(side, side), axis=-1)
  total = np.sum(np.exp(-target.energy(plane))) * (side[1] - side[0]) ** 2
  assert total == pytest.approx(1.0, abs=1e-8)


def test_samples_are_of_the_density():
  """Every set has the mean of a centre, and clusters come equally often."""
  target = targets.LatentClusters(50, 5, radius=3.0)
  x = target.sample(2000, seed=1).numpy().reshape(2000, 50, 2)
  distances = np.linalg.norm(x.mean(axis=1)[:, np.newaxis] - target.centres, axis=-1)
  labels = distances.argmin(axis=-1)
  assert distances.min(axis=-1).max() < 5 / np.sqrt(50)
  np.testing.assert_allclose(np.bincount(labels) / 2000, 0.2, atol=0.04)
  spreads = [x[labels == k].std(axis=1).mean() for k in range(5)]
  np.testing.assert_allclose(spreads, target.widths, rtol=0.03)


@pytest.mark.parametrize(
  'options, message',
  [
    ({'points': 0}, '`points` and `clusters`'),
    ({'clusters': 1.5}, '`points` and `clusters`'),
    ({'radius': -1.0}, '`radius` and `widths`'),
    ({'widths': (0.0, 1.0)}, '`radius` and `widths`'),
  ],
)
def test_bad_numbers_are_refused(options, message):
  with pytest.raises(ValueError, match=message):
    targets.LatentClusters(**options)
