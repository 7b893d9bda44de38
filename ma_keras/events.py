"""What an event of the flow looks like, and what to write instead of what does not."""

from __future__ import annotations

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Events:
  """Events x in R^N: vectors of shape [N], with any leading dimensions.

  Attributes:
    size: N.
    dtype: Floating dtype.
  """

  size: int
  dtype: tf.DType

  def checked(self, x: tf.Tensor) -> tf.Tensor:
    """x as a tensor [..., N].

    Raises:
      ValueError: Its last axis is not N.
    """
    x = tf.convert_to_tensor(x, dtype=self.dtype)
    n = self.size
    if x.shape.rank is None or x.shape.rank == 0 or x.shape[-1] not in (None, n):
      raise ValueError(
        f'Events must have shape [..., {n}], got {x.shape}. {self._remedy()} '
        'Flatten images with tfb.Reshape.'
      )
    return tf.ensure_shape(x, [*x.shape[:-1], n])

  def checked_shape(self, shape: tf.TensorShape) -> tf.TensorShape:
    """The event shape of a base distribution.

    Raises:
      ValueError: It does not end in N.
    """
    if shape.rank is not None and (shape.rank == 0 or shape[-1] not in (None, self.size)):
      raise ValueError(f'The base distribution has events of shape {shape}. {self._remedy()}')
    return shape

  def check_ndims(self, event_ndims: int) -> None:
    """Meets a scalar base before it samples nonsense: TFP would not promote batch to event.

    Raises:
      ValueError: Events have no dimensions.
    """
    if event_ndims == 0:
      raise ValueError(f'The base distribution has scalar events. {self._remedy()}')

  def _remedy(self) -> str:
    return (
      f'This bijector needs events of shape [{self.size}]: for a standard normal base write '
      f'tfd.Sample(tfd.Normal(0., 1.), {self.size}); for one with parameters of shape '
      f'[{self.size}] write tfd.Independent(tfd.Normal(loc, scale), reinterpreted_batch_ndims=1); '
      'ma_keras.standard_normal_flow(bijector) builds the whole distribution.'
    )
