"""A kernel density is the mean of Gaussians about its points."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from ma_keras import bases

POINTS = np.random.default_rng(0).normal(size=(30, 2)) * [1.0, 3.0]


def test_it_is_that_of_scipy():
  x = np.random.default_rng(1).normal(size=(5, 2))
  ours = bases.kernel_density(POINTS, dtype=tf.float64).log_prob(x)
  np.testing.assert_allclose(ours, scipy.stats.gaussian_kde(POINTS.T).logpdf(x.T), rtol=1e-10)
  narrow = bases.kernel_density(POINTS, 0.1, tf.float64).log_prob(x)
  expected = scipy.stats.gaussian_kde(POINTS.T, bw_method=0.1).logpdf(x.T)
  np.testing.assert_allclose(narrow, expected, rtol=1e-10)


@pytest.mark.parametrize(
  'points, bandwidth, message',
  [
    (POINTS[:2], None, 'n above N'),
    (np.full((9, 2), np.nan), None, 'finite'),
    (POINTS, 0.0, '`bandwidth` must be positive'),
    (POINTS[:, [0, 0]], None, 'on a plane'),
  ],
)
def test_points_without_a_density_are_refused(points, bandwidth, message):
  with pytest.raises(ValueError, match=message):
    bases.kernel_density(points, bandwidth)
