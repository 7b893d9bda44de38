"""A kernel density of samples, for flows that start from data."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras.bases.mixture import Mixture


def kernel_density(
  points: Any, bandwidth: float | None = None, dtype: tf.DType = tf.float32
) -> Mixture:
  """p(z) = (1/n) sum_i Normal(z; z_i, h^2 S), S the covariance of the points.

  Args:
    points: z_i, [n, N], n above N.
    bandwidth: h; by default Scott's n^(-1/(N + 4)).
    dtype: Floating dtype of events.

  Returns:
    A mixture with a component for every point: sampling takes memory of n N^2 numbers.

  Raises:
    ValueError: The points are too few, not finite or on a plane, or h is not positive.
  """
  points = np.asarray(points, np.float64)
  if points.ndim != 2 or len(points) <= points.shape[1] or not np.all(np.isfinite(points)):
    raise ValueError(
      f'`points` must be finite, [n, N] with n above N, got an array of shape {points.shape}.'
    )
  size, dimension = points.shape
  bandwidth = size ** (-1.0 / (dimension + 4)) if bandwidth is None else bandwidth
  if not 0 < bandwidth < np.inf:
    raise ValueError(f'`bandwidth` must be positive and finite, got {bandwidth!r}: 0.2, say.')
  covariance = np.atleast_2d(np.cov(points, rowvar=False))
  values = np.linalg.eigvalsh(covariance)
  if values[0] <= 1e-12 * values[-1]:
    raise ValueError('`points` lie on a plane of fewer dimensions, and have no density there.')
  scale = bandwidth * np.linalg.cholesky(covariance)
  return Mixture(np.ones(size), points, np.broadcast_to(scale, (size, *scale.shape)), dtype)
