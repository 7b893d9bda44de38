"""Sets of vectors that share a latent label: exchangeable, and not independent."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras import seeds
from ma_keras.arguments import is_finite, is_whole
from ma_keras.targets.target import as_event, floating_dtype


class LatentClusters:
  """p(x) = (1/M) sum_k prod_i N(x_i; c_k, s_k^2 I): n points of the plane around one of M centres.

  Which centre is one draw for the whole set, so that permuting its points changes nothing, and one
  point says much of the others (de Finetti). Centres lie on a circle, widths s_k grow around it.
  Normalised, so E = -ln p and Z = 1.

  Attributes:
    points: n.
    event_size: N = 2 n, point by point.
    centres: c, [M, 2].
    widths: s, [M].
    dtype: Of points and energies.
  """

  def __init__(
    self,
    points: int = 50,
    clusters: int = 5,
    radius: float = 1.0,
    widths: tuple[float, float] = (0.4, 1.0),
    dtype: Any = tf.float32,
  ) -> None:
    """Places the centres.

    Args:
      points: n.
      clusters: M.
      radius: Of the circle of centres.
      widths: The least and the largest s_k.
      dtype: Floating dtype.

    Raises:
      ValueError: A number is out of range.
    """
    if not is_whole(points) or not is_whole(clusters):
      raise ValueError(
        f'`points` and `clusters` must be positive integers, got {points!r} and {clusters!r}.'
      )
    if not all(is_finite(length) and length > 0 for length in (radius, *widths)):
      raise ValueError(
        f'`radius` and `widths` must be positive, got {radius!r} and {widths!r}. Try the default.'
      )
    self.points, self.event_size = int(points), 2 * int(points)
    self.dtype = floating_dtype(dtype)
    angles = 2 * np.pi * np.arange(clusters) / clusters
    self.centres = radius * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    self.widths = np.linspace(*widths, int(clusters))

  def energy(self, x: Any) -> tf.Tensor:
    """E(x) = -ln p(x), nats: [..., N] -> [...]."""
    x = as_event(x, self)
    positions = tf.reshape(x, tf.concat([tf.shape(x)[:-1], [1, self.points, 2]], axis=0))
    centres = tf.constant(self.centres[:, np.newaxis], self.dtype)
    squares = tf.reduce_sum(tf.square(positions - centres), axis=[-2, -1])
    norms = self.event_size * (np.log(self.widths) + 0.5 * math.log(2.0 * math.pi))
    exponents = -0.5 * squares / tf.constant(self.widths**2, self.dtype)
    exponents -= tf.constant(norms + math.log(len(self.widths)), self.dtype)
    return -tf.reduce_logsumexp(exponents, axis=-1)

  def exact_log_partition(self) -> float:
    """ln Z = 0."""
    return 0.0

  def sample(self, n: int, seed: Any) -> tf.Tensor:
    """Independent sets [n, N], a function of `seed`."""
    key = seeds.stateless(seed, salt='latent_clusters')
    first, second = seeds.split(key, 2, salt='parts')
    labels = seeds.integers([n], first, len(self.widths))
    normal = tf.random.stateless_normal([n, self.points, 2], second, dtype=self.dtype)
    widths = tf.gather(tf.constant(self.widths, self.dtype), labels)
    centres = tf.gather(tf.constant(self.centres, self.dtype), labels)
    positions = centres[:, tf.newaxis] + widths[:, tf.newaxis, tf.newaxis] * normal
    return tf.reshape(positions, [n, self.event_size])
