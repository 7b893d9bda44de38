"""A flow of an `Input`, of tf_keras or of Keras 3: a layer, whose variables the model finds."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf
import tf_keras

from ma_keras.layers.own_variables import OwnVariables

ClassT = TypeVar('ClassT', bound=type)


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

  def call(self, x: tf.Tensor, context: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
    """Points [..., N] and ln p(end) - ln p(start), [...], given contexts [..., C]."""
    flow, options = self.bijector, {'batch_size': self.batch_size, 'context': context}
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


def is_of_keras3(thing: Any, name: str) -> bool:
  """Tells if a class of Keras 3 (`keras`, which `tf.keras` is) of that name is among its own."""
  kinds = [(kind.__module__.split('.')[0], kind.__name__) for kind in type(thing).__mro__]
  return ('keras', name) in kinds


def takes_inputs(*methods: str) -> Callable[[ClassT], ClassT]:
  """Class decorator: of an `Input` of Keras 3 these methods are a `keras3_layers.FlowLayer`.

  TFP would turn it into a tensor first, which Keras 3 refuses.

  Args:
    *methods: Names of methods of x, or of its value.
  """

  def decorate(cls: ClassT) -> ClassT:
    for name in methods:
      setattr(cls, name, _or_layer(name, getattr(cls, name)))
    return cls

  return decorate


def warn_of_stranger(flow: Any) -> None:
  """Warns within a layer of Keras 3 that knows nothing of this flow, and will not train it."""
  state = sys.modules.get('keras.src.backend.common.global_state')
  context = state and state.get_global_attribute('current_call_ctx')
  if context:
    from ma_keras.layers import keras3_layers

    keras3_layers.warn_of_stranger(flow, context.entry_layer)


def _or_layer(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
  _, *names = inspect.signature(method).parameters

  @functools.wraps(method)
  def call(self: Any, *arguments: Any, **options: Any) -> Any:
    if not any(is_of_keras3(a, 'KerasTensor') for a in (*arguments, *options.values())):
      return method(self, *arguments, **options)
    from ma_keras.layers.keras3_layers import FlowLayer  # Needs Keras 3, which few flows ever meet.

    options |= dict(zip(names, arguments))  # Keras takes tensors alone by their place.
    return FlowLayer(self, name)(options.pop(names[0]), **options)

  return call
