"""Sums over pairs of particles without lists of neighbours: every pair is met by a cyclic shift."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from ma_keras.arguments import is_whole


@dataclasses.dataclass(frozen=True)
class Pairing:
  """Pairs (i, i + k mod n), k = 1, ..., K = n // 2, of n particles in D dimensions.

  Every pair comes once; with k = n/2 it comes twice, and then counts one half each time. Shifts
  are slices: they vectorise, and so does their derivative, where gathers by lists of pairs do not.

  Attributes:
    particles: n, at least 2.
    dimensions: D.
  """

  particles: int
  dimensions: int

  def __post_init__(self) -> None:
    """Checks the sizes.

    Raises:
      ValueError: A size is not whole, or too small.
    """
    if not is_whole(self.particles, 2) or not is_whole(self.dimensions):
      raise ValueError(
        '`particles` must be at least 2 and `dimensions` at least 1, both whole, got '
        f'{self.particles!r} and {self.dimensions!r}.'
      )

  @property
  def event_size(self) -> int:
    """N = n D."""
    return self.particles * self.dimensions

  @property
  def weights(self) -> np.ndarray:
    """How much the pairs of every shift count, [K, 1]."""
    shifts = np.arange(1, self.particles // 2 + 1)
    return np.where(2 * shifts == self.particles, 0.5, 1.0)[:, np.newaxis]

  def positions(self, x: tf.Tensor) -> tf.Tensor:
    """x [..., N] as positions [..., n, D]."""
    return tf.reshape(x, tf.concat([tf.shape(x)[:-1], [self.particles, self.dimensions]], axis=0))

  def flattened(self, positions: tf.Tensor) -> tf.Tensor:
    """Positions [..., n, D] as events [..., N]."""
    return tf.reshape(positions, tf.concat([tf.shape(positions)[:-2], [self.event_size]], axis=0))

  def columns(self, x: tf.Tensor) -> tf.Tensor:
    """Events x [..., N] as coordinates [D, n, B], B events in all.

    The batch comes last: sums over particles, shells and units are then sums of vectors, where
    those along a short last axis are of numbers, one at a time.
    """
    return tf.transpose(tf.reshape(x, [-1, self.particles, self.dimensions]), [2, 1, 0])

  def events(self, columns: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    """Coordinates [D, n, B] as events of the shape [..., N]."""
    return tf.reshape(tf.transpose(columns, [2, 1, 0]), shape)

  def differences(self, x: tf.Tensor) -> tf.Tensor:
    """x_i - x_(i+k) of events [..., N], shape [D, K, n, B]."""
    return self._with_partners(self.columns(x), tf.subtract)

  def squared_distances(self, x: tf.Tensor) -> tf.Tensor:
    """|x_i - x_(i+k)|^2 of events [..., N], shape [K, n, B]."""
    return tf.reduce_sum(tf.square(self.differences(x)), axis=0)

  def over_pairs(self, values: tf.Tensor) -> tf.Tensor:
    """The sum over all pairs of values [..., K, n, B], shape [..., B]."""
    weights = tf.constant(self.weights[..., np.newaxis], values.dtype)
    return tf.reduce_sum(weights * values, axis=[-3, -2])

  def over_neighbours(self, values: tf.Tensor, sign: float = 1.0) -> tf.Tensor:
    """For every particle i the sum over all others j of a function of the pair (i, j).

    Args:
      values: The function at (i, i + k), shape [C, K, n, B].
      sign: 1 for a function with f(j, i) = f(i, j); -1 for one with f(j, i) = -f(i, j), of the
        difference of positions say.

    Returns:
      Shape [C, n, B].
    """
    weighted = tf.constant(self.weights[..., np.newaxis], values.dtype) * values
    total = tf.reduce_sum(weighted, axis=1)
    for k, part in enumerate(tf.unstack(weighted, axis=1), start=1):
      total += sign * _rolled(part, k)
    return total

  def of_both(self, values: tf.Tensor) -> tf.Tensor:
    """v_i + v_(i+k) of values of the particles [C, n, B], shape [C, K, n, B]."""
    return self._with_partners(values, tf.add)

  def partners(self, values: tf.Tensor) -> tf.Tensor:
    """v_(i+k) of values of the particles [C, n, B], shape [C, K, n, B]."""
    return self._with_partners(values, lambda own, partner: partner)

  def _with_partners(
    self, values: tf.Tensor, function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
  ) -> tf.Tensor:
    """f(v_i, v_(i+k)) of values [C, n, B], shape [C, K, n, B]."""
    shifts = range(1, self.particles // 2 + 1)
    return tf.stack([function(values, _rolled(values, -k)) for k in shifts], axis=1)


def _rolled(values: tf.Tensor, shift: int) -> tf.Tensor:
  """Values [C, n, B] shifted along n."""
  first, last = tf.split(values, [-shift % values.shape[1], shift % values.shape[1]], axis=1)
  return tf.concat([last, first], axis=1)
