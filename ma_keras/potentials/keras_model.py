"""Any Keras model as a potential."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ma_keras.potentials.base import Potential
from ma_keras.potentials.linear import append_time


class KerasModel(Potential):
  """phi(t, x) = model(x)[..., 0], or model((x, t))[..., 0] with the time as last feature.

  Works for tf_keras models and for Keras 3 models on the TensorFlow backend. The model must be
  smooth (softplus, tanh, gelu; not relu) and act on each sample alone (no batch normalisation
  in training mode; it is called with `training=False`). Gradient and Laplacian come from nested
  tapes.

  Attributes:
    model: The Keras model.
    time_dependent: Whether the model's last input feature is the time.
  """

  def __init__(
    self,
    model: Any,
    event_size: int,
    time_dependent: bool = False,
    name: str | None = None,
  ) -> None:
    """Wraps a built model.

    Args:
      model: tf_keras or Keras 3 model: [B, N] (or [B, N + 1]) -> [B, 1].
      event_size: N.
      time_dependent: Append t as feature N + 1.
      name: Module name.

    Raises:
      ValueError: The model is not built, or its output is not one number per sample.
    """
    super().__init__(event_size, name=name)
    if not getattr(model, 'built', False):
      raise ValueError(
        f'`model` {getattr(model, "name", model)!r} has no variables yet: call '
        f'`model.build((None, {event_size + int(time_dependent)}))`, or start it with an Input.'
      )
    self.model = model
    self.time_dependent = time_dependent
    # Keras 3 layers are no tf.Modules, and their variables are wrappers: without this list the
    # bijector's trainable_variables would silently be empty.
    self._backing_variables = [_backing_variable(v) for v in model.variables]
    self._check_output()

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(t, x), shape [...]."""
    if self.time_dependent:
      x = append_time(t, x)
    rows = tf.reshape(x, [-1, x.shape[-1]])  # Keras layers want rank 2.
    return tf.reshape(self.model(rows, training=False), tf.shape(x)[:-1])

  def _check_output(self) -> None:
    width = self.event_size + int(self.time_dependent)
    shape = self.model(tf.zeros([2, width], self.dtype or tf.float32), training=False).shape
    if tuple(shape) != (2, 1):
      raise ValueError(
        f'`model` must map [B, {width}] to [B, 1], got {tuple(shape)} for B = 2. '
        'End it with a Dense(1, use_bias=False).'
      )


def _backing_variable(variable: Any) -> tf.Variable:
  """The tf.Variable itself: tf_keras holds it, Keras 3 wraps it."""
  return variable if isinstance(variable, tf.Variable) else variable.value
