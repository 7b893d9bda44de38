"""A distribution whose arguments make one density together, none of them with a batch."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras import pickling


def no_batches(cls: Any, dtype: Any, num_classes: Any = None) -> dict[str, Any]:
  """Tells TFP that no argument has a batch; it warns of classes that do not answer themselves."""
  del cls, dtype, num_classes
  return {}


class Whole:
  """Answers of a TFP distribution, before its other parents, about arguments without batches."""

  def __reduce__(self) -> pickling.Reduced:
    """Class and arguments: TFP's own classes have no way that works."""
    return pickling.reduced(self)


class VectorDistribution(Whole, tfp.distributions.Distribution):
  """One density of vectors [N], whose samples are functions of its arguments.

  Subclasses define `_sample_n` and `_log_prob`.
  """

  _parameter_properties = classmethod(no_batches)

  def __init__(
    self, event_size: int, dtype: tf.DType, parameters: dict[str, Any], name: str
  ) -> None:
    """Takes N, the dtype of events, and the arguments of the subclass."""
    self._event_size = event_size
    super().__init__(
      dtype=tf.as_dtype(dtype),
      reparameterization_type=tfp.distributions.FULLY_REPARAMETERIZED,
      validate_args=False,
      allow_nan_stats=True,
      parameters=parameters,
      name=name,
    )

  def _event_shape(self) -> tf.TensorShape:
    return tf.TensorShape([self._event_size])

  def _event_shape_tensor(self) -> tf.Tensor:
    return tf.constant([self._event_size])

  def _batch_shape(self) -> tf.TensorShape:
    return tf.TensorShape([])

  def _batch_shape_tensor(self) -> tf.Tensor:
    return tf.constant([], tf.int32)
