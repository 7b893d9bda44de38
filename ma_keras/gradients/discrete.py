"""The exact derivative of the discrete flow, one step at a time, last step first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from ma_keras.dynamics import Motion, Tallies

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


def added(tallies: Tallies, increments: Tallies) -> Tallies:
  """The tallies after a step."""
  return tuple(t + i for t, i in zip(tallies, increments))


def recomputed(motion: Motion, x: tf.Tensor, segment: int) -> Solution:
  """`run`, keeping x before every segment of steps and computing the rest again."""
  d = motion.num_steps
  segments = -(-d // segment)
  bounds = lambda j: (j * segment, tf.minimum((j + 1) * segment, d))  # noqa: E731

  @tf.custom_gradient
  def solve(x: tf.Tensor) -> tuple[tuple[tf.Tensor, ...], Callable[..., object]]:
    kept = tf.TensorArray(x.dtype, segments, element_shape=x.shape)

    def advance(j: tf.Tensor, x: tf.Tensor, tallies: Tallies, kept: tf.TensorArray) -> tuple:
      kept = kept.write(j, x)
      x, increments = run(motion, x, *bounds(j))
      return j + 1, x, added(tallies, increments), kept

    _, y, tallies, kept = tf.while_loop(
      lambda j, *_: j < segments,
      advance,
      (tf.constant(0), x, motion.nothing(x), kept),
      maximum_iterations=segments,
    )
    starts = kept.stack()

    def back(
      dy: tf.Tensor, *dtallies: tf.Tensor, variables: Sequence[tf.Variable] | None = None
    ) -> object:
      def through(j: tf.Tensor, cotangents: Cotangents) -> tuple[tf.Tensor, Cotangents]:
        begin, end = bounds(j)
        states = _states(motion, starts[j], begin, end, segment)
        pull = lambda i, c: _pulled(motion, i, states[i - begin], c, dtallies, held)  # noqa: E731
        return j - 1, _backwards(pull, begin, end, segment, cotangents)

      held = list(variables or ())
      _, (dx, gradients) = tf.while_loop(
        lambda j, _: j >= 0,
        through,
        (tf.constant(segments - 1), (dy, [tf.zeros_like(v) for v in held])),
        maximum_iterations=segments,
      )
      return dx if variables is None else (dx, gradients)

    return (y, *tallies), back

  y, *tallies = solve(x)
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


def _backwards(
  pull: Callable[[tf.Tensor, Cotangents], Cotangents],
  begin: tf.Tensor,
  end: tf.Tensor,
  size: int,
  cotangents: Cotangents,
) -> Cotangents:
  """Pulls the cotangents back through steps end-1..begin."""
  _, cotangents = tf.while_loop(
    lambda i, _: i >= begin,
    lambda i, c: (i - 1, pull(i, c)),
    (end - 1, cotangents),
    maximum_iterations=size,
  )
  return cotangents


def _pulled(
  motion: Motion,
  i: tf.Tensor,
  before: tf.Tensor,
  cotangents: Cotangents,
  dtallies: Tallies,
  variables: list[tf.Variable],
) -> Cotangents:
  """The vector-Jacobian product of step i at the state before it."""
  dx, gradients = cotangents
  with tf.GradientTape(watch_accessed_variables=False) as tape:
    tape.watch([before, *variables])
    # Prepared within the tape: what depends on the variables alone has a derivative, too.
    after, increments = motion.prepared().step(i, before)
  dx, *more = tape.gradient(
    [after, *increments],
    [before, *variables],
    output_gradients=[dx, *dtallies],
    unconnected_gradients=tf.UnconnectedGradients.ZERO,
  )
  return dx, [g + tf.convert_to_tensor(m) for g, m in zip(gradients, more)]
