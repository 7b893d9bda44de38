"""The standard normal, which the paper's flows start from."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


def standard_normal(event_size: int, dtype: tf.DType) -> Any:
  """Normal(0, I) on R^N, with vector events [N].

  Args:
    event_size: N.
    dtype: Floating dtype of events.

  Returns:
    tfd.Sample(tfd.Normal(0, 1), N).
  """
  zero = tf.zeros([], dtype)
  return tfd.Sample(tfd.Normal(zero, tf.ones_like(zero)), event_size)
