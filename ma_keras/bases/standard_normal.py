"""The standard normal, which the paper's flows start from."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras.arguments import is_whole
from ma_keras.bases.whole import Whole, no_batches

tfd = tfp.distributions


class StandardNormal(Whole, tfp.distributions.Sample):
  """p(z) = (2 pi)^(-N/2) exp(-|z|^2/2), Normal(0, I) on R^N with vector events [N] (section 4)."""

  _parameter_properties = classmethod(no_batches)

  def __init__(
    self, event_size: int, dtype: tf.DType = tf.float32, name: str = 'standard_normal'
  ) -> None:
    """Checks the size.

    Args:
      event_size: N.
      dtype: Floating dtype of events.
      name: Name of the distribution.

    Raises:
      ValueError: N is not a positive integer.
    """
    parameters = dict(locals())
    if not is_whole(event_size):
      raise ValueError(f'`event_size` must be a positive integer, got {event_size!r}: it is N.')
    zero = tf.zeros([], dtype)
    super().__init__(tfd.Normal(zero, tf.ones_like(zero)), int(event_size), name=name)
    self._parameters = self._no_dependency(parameters)

  @property
  def degrees_of_freedom(self) -> int:
    """N."""
    return int(self.event_shape[0])

  def config(self) -> dict[str, Any]:
    """The constructor's arguments as plain values: see `model_file`."""
    return {'event_size': self.degrees_of_freedom}
