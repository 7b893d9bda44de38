"""A Keras model that makes the context of a flow of what is observed."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ma_keras.potentials.keras_model import backing_variable


class Encoder(tf.Module):
  """c = model(o): [..., O] -> [..., C] in the flow's dtype, by a model of rows.

  The model is called with `training=False`, as the potentials' are: rows of a batch must not depend
  on each other.

  Attributes:
    model: Keras model.
    dtype: Dtype of the context.
    input_size: O.
    context_size: C.
  """

  # Layers hold further variables, a Normalization the count of what it adapted to, that Keras does
  # not list: tf.Module would, and an optimiser would look for their gradients.
  _TF_MODULE_IGNORED_PROPERTIES = frozenset({'model', *tf.Module._TF_MODULE_IGNORED_PROPERTIES})

  def __init__(self, model: Any, context_size: int, dtype: tf.DType) -> None:
    """Wraps a built model.

    Args:
      model: tf_keras or Keras 3 model [B, O] -> [B, C].
      context_size: C, as the potential has it.
      dtype: Floating dtype of the flow.

    Raises:
      ValueError: The model is not built, or has other outputs.
    """
    super().__init__(name='encoder')
    shape = getattr(model, 'input_shape', None) if getattr(model, 'built', False) else None
    if shape is None or len(shape) != 2 or shape[-1] is None:
      raise ValueError(
        f'`encoder` {getattr(model, "name", model)!r} must be a built Keras model of rows [B, O], '
        f'got input shape {shape}: start it with an Input((O,)), and with a Reshape for images.'
      )
    self.model, self.dtype, self.input_size = model, dtype, int(shape[-1])
    self.context_size = context_size
    # Keras 3 layers are no tf.Modules, and their variables are wrappers.
    self._backing_variables = [backing_variable(v) for v in model.variables]
    made = self(tf.zeros([2, self.input_size], dtype)).shape
    if made != [2, context_size]:
      raise ValueError(
        f'`encoder` must map [B, {self.input_size}] to [B, {context_size}], the context_size of '
        f'the potential, got {made} for B = 2.'
      )

  def __getstate__(self) -> dict[str, Any]:
    """Returns a state to copy: Keras sees to the model, whose variables are listed anew."""
    return {key: value for key, value in vars(self).items() if key != '_backing_variables'}

  def __setstate__(self, state: dict[str, Any]) -> None:
    """Takes what `__getstate__` gave."""
    for key, value in state.items():
      setattr(self, key, value)
    self._backing_variables = [backing_variable(v) for v in self.model.variables]

  def __call__(self, observed: Any) -> tf.Tensor:
    """Contexts [..., C] of rows o [..., O]."""
    observed = tf.convert_to_tensor(observed, dtype_hint=self.dtype)
    if observed.shape.rank is not None and observed.shape[-1:] != [self.input_size]:
      raise ValueError(
        f'`context` must have shape [..., {self.input_size}], as the encoder takes it, got '
        f'{observed.shape}.'
      )
    rows = tf.reshape(observed, [-1, self.input_size])
    contexts = tf.cast(self.model(rows, training=False), self.dtype)
    leading = tf.shape(observed)[:-1]
    made = tf.reshape(contexts, tf.concat([leading, tf.shape(contexts)[-1:]], axis=0))
    return tf.ensure_shape(made, [*observed.shape[:-1], contexts.shape[-1]])
