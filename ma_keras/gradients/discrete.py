"""The exact derivative of the discrete flow, one step at a time, last step first."""

from __future__ import annotations

import tensorflow as tf

from ma_keras.dynamics import Motion, Tallies
from ma_keras.gradients import pullback
from ma_keras.gradients.pullback import Tensors, added

Solution = tuple[tf.Tensor, Tallies]
# What flows back through a step: the cotangents of x and of every variable.
Cotangents = tuple[tf.Tensor, list[tf.Tensor]]


def run(
  motion: Motion, x: tf.Tensor, begin: int | tf.Tensor = 0, end: int | tf.Tensor | None = None
) -> Solution:
  """x after steps begin..end-1, all by default, [..., N], and the tallies."""
  last = motion.num_steps if end is None else end

  def advance(i: tf.Tensor, x: tf.Tensor, tallies: Tallies) -> tuple[tf.Tensor, ...]:
    x, increments = motion.step(i, x)
    return i + 1, x, added(tallies, increments)

  _, x, tallies = tf.while_loop(
    lambda i, *_: i < last,
    advance,
    (tf.convert_to_tensor(begin), x, motion.nothing(x)),
    maximum_iterations=motion.num_steps,
  )
  return x, tallies


def recomputed(motion: Motion, x: tf.Tensor, segment: int) -> Solution:
  """`run`, keeping x before every segment of steps and computing the rest again."""

  def solve(x: tf.Tensor) -> tuple[Tensors, pullback.Pull]:
    forward = lambda x, begin, end: run(motion, x, begin, end)  # noqa: E731
    steps = (motion.num_steps, segment)
    y, tallies, through = pullback.segmented(forward, x, motion.nothing(x), *steps)

    def pull(doutputs: Tensors, held: list[tf.Variable]) -> tuple[Tensors, list[tf.Tensor]]:
      dy, *dtallies = doutputs

      def back(x: tf.Tensor, begin: tf.Tensor, end: tf.Tensor, after: Cotangents) -> Cotangents:
        states = _states(motion, x, begin, end, segment)
        step = lambda i, c: _pulled(motion, i, states[i - begin], c, dtallies, held)  # noqa: E731
        return pullback.backwards(step, begin, end, after, segment)

      dx, gradients = through((dy, pullback.zeros(held)), back)
      return (dx,), gradients

    return (y, *tallies), pull

  y, *tallies = pullback.differentiable(solve, x)
  return y, tuple(tallies)


def _states(motion: Motion, x: tf.Tensor, begin: tf.Tensor, end: tf.Tensor, size: int) -> tf.Tensor:
  """x before each of the steps begin..end-1, [size, ..., N]; what is missing stays zero."""
  kept = tf.TensorArray(x.dtype, size, element_shape=x.shape, clear_after_read=False)

  def advance(i: tf.Tensor, x: tf.Tensor, kept: tf.TensorArray) -> tuple:
    x, _ = motion.step(i, x)
    return i + 1, x, kept.write(i + 1 - begin, x)

  _, _, kept = tf.while_loop(
    lambda i, *_: i < end - 1, advance, (begin, x, kept.write(0, x)), maximum_iterations=size
  )
  return kept.stack()


def _pulled(
  motion: Motion,
  i: tf.Tensor,
  before: tf.Tensor,
  cotangents: Cotangents,
  dtallies: Tensors,
  variables: list[tf.Variable],
) -> Cotangents:
  """The vector-Jacobian product of step i at the state before it."""
  dx, gradients = cotangents

  def step(x: tf.Tensor) -> list[tf.Tensor]:
    # Prepared within the tape: what depends on the variables alone has a derivative, too.
    after, increments = motion.prepared().step(i, x)
    return [after, *increments]

  return pullback.pulled_back(step, before, [dx, *dtallies], variables, gradients)
