"""Forward passes that keep nothing, and are differentiable all the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import record

from ma_keras.gradients import pullback
from ma_keras.gradients.pullback import Tensors


def recording() -> bool:
  """Whether a GradientTape or a ForwardAccumulator may record what is computed now.

  A `tf.function` asks when it is traced, with the tapes around that call. Every thread has tapes
  of its own: a replica of a strategy knows those opened within it.
  """
  return bool(record.could_possibly_record())


def on_demand(
  solve: Callable[..., Tensors], lean: Callable[..., Tensors], *arguments: tf.Tensor
) -> tuple[tf.Tensor, ...]:
  """lean(*arguments), whose derivative is that of solve(*arguments), run only if it is asked for.

  Somebody may ask who was not there before: a tape around a function that was traced without
  one, or `tf.gradients`. The price is one more forward pass.

  Args:
    solve: A differentiable function of the arguments and of trainable variables.
    lean: The same outputs, with nothing kept on the way.
    *arguments: All tensors that it may be differentiated by, variables apart.
  """

  @tf.custom_gradient
  def run(*arguments: tf.Tensor) -> tuple[tuple[tf.Tensor, ...], Callable[..., Any]]:
    def back(*doutputs: tf.Tensor, variables: Sequence[tf.Variable] | None = None) -> Any:
      pulled = pullback.vector_jacobian_product(solve, arguments, list(variables or ()), doutputs)
      darguments, gradients = pulled[: len(arguments)], pulled[len(arguments) :]
      return tuple(darguments) if variables is None else (tuple(darguments), gradients)

    return tuple(lean(*arguments)), back

  return run(*arguments)
