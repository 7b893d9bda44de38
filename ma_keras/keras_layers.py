"""A flow within a functional model of tf_keras: a layer, whose variables the model finds."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras

from ma_keras.own_variables import OwnVariables


class Solve(OwnVariables, tf_keras.layers.Layer):
  """x -> the points at the other end of the flow, and the change of their log density.

  `bijector.forward(x)`, `flow.log_prob(x)` and so on of a `tf_keras.Input` x come to this layer:
  TensorFlow's operations alone would leave the variables of the flow untracked, and untrained.

  Attributes:
    bijector: The flow.
    reverse: Whether from T to 0.
    batch_size: Points solved at a time, or None.
  """

  def __init__(self, bijector: Any, reverse: bool, batch_size: int | None = None) -> None:
    """Keeps the arguments."""
    super().__init__(dtype=bijector.dtype, autocast=False)
    self.bijector = bijector
    self.reverse = reverse
    self.batch_size = batch_size

  def call(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Points [..., N] and ln p(end) - ln p(start), [...]."""
    flow, options = self.bijector, {'batch_size': self.batch_size}
    if self.reverse:
      return flow.inverse(x, **options), -flow.inverse_log_det_jacobian(x, 1, **options)
    return flow.forward(x, **options), -flow.forward_log_det_jacobian(x, 1, **options)

  def get_config(self) -> dict[str, Any]:
    """Raises NotImplementedError, which names what saves: a flow is no plain value."""
    raise NotImplementedError(
      "A functional model around a flow is saved by model.save_weights('w.weights.h5') or "
      "model.save('folder'), and the flow itself by pickle.dump(flow, file)."
    )

  def own_variables(self) -> list[tf.Variable]:
    """Trainable variables of the flow."""
    return list(self.bijector.variables)


def is_symbolic(x: Any) -> bool:
  """Tells if x is an Input of tf_keras, or made of one."""
  return isinstance(x, tf_keras.__internal__.KerasTensor)
