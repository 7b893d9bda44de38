"""Parts of backward passes by hand: a pull for every push."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from ma_keras.flow.dynamics import Totals

Tensors = Sequence[tf.Tensor]
# Whatever a tape can watch besides the points: variables, and tensors of the potential.
Sources = Sequence[Any]
# Cotangents of the outputs, and sources -> cotangents of the arguments, and of the sources.
Pull = Callable[[Tensors, list[Any]], tuple[Tensors, list[tf.Tensor]]]
# Of the steps begin..end-1: (x, totals, begin, end) -> those after them.
Segment = Callable[[tf.Tensor, Totals, tf.Tensor, tf.Tensor], tuple[tf.Tensor, Totals]]


def differentiable(
  solve: Callable[..., tuple[Tensors, Pull]], tensors: Tensors, *arguments: tf.Tensor
) -> tuple[tf.Tensor, ...]:
  """The outputs of solve(tensors, *arguments) -> (outputs, pull), whose derivative is `pull`.

  By the arguments; and by tensors of the potential and by variables, the sources of `pull`. Tensors
  are arguments of TensorFlow's function, which would have no derivative by what it captures.
  """
  count = len(tensors)

  @tf.custom_gradient
  def run(*inputs: tf.Tensor) -> tuple[tuple[tf.Tensor, ...], Callable[..., Any]]:
    outputs, pull = solve(inputs[:count], *inputs[count:])

    def back(*doutputs: tf.Tensor, variables: Sequence[tf.Variable] | None = None) -> Any:
      darguments, pulled = pull(doutputs, [*inputs[:count], *(variables or ())])
      dinputs = (*pulled[:count], *darguments)
      return dinputs if variables is None else (dinputs, pulled[count:])

    return tuple(outputs), back

  return run(*tensors, *arguments)


def backwards(
  pull: Callable[[tf.Tensor, Any], Any],
  begin: int | tf.Tensor,
  end: int | tf.Tensor,
  cotangents: Any,
  most: int,
) -> Any:
  """pull(i, cotangents) for i = end-1, ..., begin, of which there are at most so many."""
  return tf.while_loop(
    lambda i, _: i >= begin,
    lambda i, after: (i - 1, pull(i, after)),
    (tf.convert_to_tensor(end) - 1, cotangents),
    maximum_iterations=most,
  )[1]


def segmented(
  forward: Segment, x: tf.Tensor, nothing: Totals, num_steps: int, size: int
) -> tuple[tf.Tensor, Totals, Callable[[Any, Callable[..., Any]], Any]]:
  """All steps, `size` at a time, of which only the states before are kept.

  Returns:
    x at the end, the totals, and (cotangents, back) -> cotangents at the start, where
    back(x, begin, end, cotangents) pulls them through one segment, from x before it.
  """
  number = -(-num_steps // size)

  def bounds(j: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return j * size, tf.minimum((j + 1) * size, num_steps)

  def advance(j: tf.Tensor, x: tf.Tensor, totals: Totals, starts: tf.TensorArray) -> tuple:
    starts = starts.write(j, x)
    x, totals = forward(x, totals, *bounds(j))
    return j + 1, x, totals, starts

  starts = tf.TensorArray(x.dtype, number, element_shape=x.shape)
  first = (tf.constant(0), x, nothing, starts)
  _, y, totals, starts = tf.while_loop(
    lambda j, *_: j < number, advance, first, maximum_iterations=number
  )
  states = starts.stack()

  def pull(cotangents: Any, back: Callable[..., Any]) -> Any:
    through = lambda j, after: back(states[j], *bounds(j), after)  # noqa: E731
    return backwards(through, 0, number, cotangents, number)

  return y, totals, pull


def added(totals: Totals, increments: Totals) -> Totals:
  """The totals after a step."""
  return tuple(t + i for t, i in zip(totals, increments))


def pulled_back(
  function: Callable[[tf.Tensor], Tensors],
  x: tf.Tensor,
  cotangents: Tensors,
  sources: Sources,
  totals: list[tf.Tensor],
) -> tuple[tf.Tensor, list[tf.Tensor]]:
  """The vector-Jacobian product of a function at x: by x, and by sources, added to `totals`."""
  dx, *more = vector_jacobian_product(function, [x], sources, cotangents)
  return dx, summed(totals, more)


def vector_jacobian_product(
  function: Callable[..., Tensors],
  arguments: Tensors,
  sources: Sources,
  cotangents: Tensors,
) -> list[tf.Tensor]:
  """The vector-Jacobian product of a function: by its arguments, then by the sources."""
  with tf.GradientTape(watch_accessed_variables=False) as tape:
    tape.watch([*arguments, *sources])
    outputs = function(*arguments)
  pulled = tape.gradient(
    outputs,
    [*arguments, *sources],
    output_gradients=cotangents,
    unconnected_gradients=tf.UnconnectedGradients.ZERO,
  )
  return [tf.convert_to_tensor(part) for part in pulled]


def summed(totals: list[tf.Tensor], more: Sequence[Any]) -> list[tf.Tensor]:
  """The totals with more added: tensors, or what stands for sparse ones."""
  return [total + tf.convert_to_tensor(one) for total, one in zip(totals, more)]


def zeros(sources: Sources) -> list[tf.Tensor]:
  """Totals to begin with."""
  return [tf.zeros_like(source) for source in sources]


def step_by_step(*parts: tf.Tensor) -> tuple[tf.TensorArray, ...]:
  """Room for the cotangents of coefficients [d, ...]."""
  return tuple(tf.TensorArray(p.dtype, p.shape[0], element_shape=p.shape[1:]) for p in parts)
