"""The mean over rows that a metric reports."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras


class RowMean(tf_keras.metrics.Mean):
  """Running mean of numbers [b], one for every row, each by its weight.

  `Mean` lets weights have other shapes than values, and checks them by assertions within the graph:
  an eighth of what a training step of a small flow takes to trace. Rows have a weight each.
  """

  def update_state(self, values: tf.Tensor, sample_weight: tf.Tensor | None = None) -> Any:
    """Adds the values of some rows, by their weights [b] if there are any."""
    if sample_weight is None:
      return super().update_state(values)
    # In the shape of the values: [b, 1] would be broadcast to [b, b].
    weights = tf.reshape(tf.cast(sample_weight, self.dtype), tf.shape(values))
    self.total.assign_add(tf.reduce_sum(weights * tf.cast(values, self.dtype)))
    return self.count.assign_add(tf.reduce_sum(weights))
