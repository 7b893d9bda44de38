"""Forward passes that keep nothing, and are differentiable all the same."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import record
from tensorflow.python.ops import gradients_util, resource_variable_ops

from ma_keras.flow.dynamics import Motion
from ma_keras.flow.gradients import pullback
from ma_keras.flow.gradients.pullback import Tensors
from ma_keras.flow.horizon import Grid
from ma_keras.potentials import parts
from ma_keras.potentials.base import Potential

# TensorFlow's name for it is not public: 0 is no derivative, 1 the first, 2 any.
HIGHER_ORDER = 2
# (motion, x) -> x at the end and the totals.
Solve = Callable[[Motion, tf.Tensor], Tensors]


def recording() -> bool:
  """Tells if a GradientTape or a ForwardAccumulator may record what is computed now.

  A `tf.function` asks when it is traced, with the tapes around that call. Every thread has tapes
  of its own: a replica of a strategy knows those opened within it.
  """
  return bool(record.could_possibly_record())


def second_order(potential: Potential, x: tf.Tensor) -> bool:
  """Tells if tapes around this call may take second derivatives of what is computed now.

  They may where two tapes watch x, or a persistent one, which can be asked again within itself. In
  eager calls variables count as well.

  Args:
    potential: phi, whose variables tapes may watch.
    x: Points, [..., N].
  """
  if not recording():
    return False
  watched = [x]
  if tf.executing_eagerly():
    watched += parts.tensors(potential)
    for variable in potential.trainable_variables:
      variable.read_value()  # From here on a tape knows that it watches it.
      if isinstance(variable, resource_variable_ops.ResourceVariable):
        watched.append(variable.handle)
  return bool(gradients_util.PossibleTapeGradientTypes(watched) == HIGHER_ORDER)


def on_demand(solve: Solve, lean: Solve, motion: Motion, x: tf.Tensor) -> Tensors:
  """lean(motion, x), whose derivative is that of `solve`, run only if it is asked for.

  Somebody may ask who was not there before: a tape around a function that was traced without
  one, or `tf.gradients`. The price is one more forward pass.

  Args:
    solve: A function differentiable by the points, the potential's tensors and its variables.
    lean: The same outputs, with nothing kept on the way.
    motion: The steps.
    x: Points.
  """
  count = len(motion.grid)

  def along(function: Solve, x: tf.Tensor, *arguments: tf.Tensor) -> Tensors:
    steps = dataclasses.replace(motion, grid=Grid(*arguments[:count]))
    return tuple(function(steps.with_tensors(arguments[count:]), x))

  @tf.custom_gradient
  def run(*arguments: tf.Tensor) -> tuple[Tensors, Callable[..., Any]]:
    def back(*doutputs: tf.Tensor, variables: Sequence[tf.Variable] | None = None) -> Any:
      # Tensors of the graph of the backward pass: that of a second derivative sees no others.
      again = [tf.identity(part) for part in arguments]
      solved = functools.partial(along, solve)
      pulled = pullback.vector_jacobian_product(solved, again, list(variables or ()), doutputs)
      darguments, gradients = pulled[: len(arguments)], pulled[len(arguments) :]
      return tuple(darguments) if variables is None else (tuple(darguments), gradients)

    return along(lean, *arguments), back

  return run(x, *motion.grid, *motion.tensors())
