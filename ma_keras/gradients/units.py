"""One-hidden-layer flows, in x or in hidden coordinates, whichever multiplies less."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from ma_keras.dynamics import Motion, Tallies
from ma_keras.gradients.discrete import added
from ma_keras.gradients.stage_data import Coefficients, Cotangents
from ma_keras.gradients.stage_loop import StageLoop
from ma_keras.potentials.units import Units

# One product of H x H runs nearer the processor's peak than two of half its size.
ONE_PRODUCT_FOR_TWO = 1.05


def solve(
  motion: Motion,
  units: Units,
  x: tf.Tensor,
  products: tf.DType | None = None,
  segment: int | None = None,
) -> tuple[tf.Tensor, Tallies]:
  """dx/dt = W (a act'(z)) + v, d ln p/dt = -sum_j a_j |W_j|^2 act''(z_j) - l, z = W'x + b.

  v and l are those of the rest, where there is one. Without, and where it is cheaper, the flow
  runs in hidden coordinates: x = x_0 + W u, so that du/dt = a act'(z) and z = z_0 + G u with
  G = W'W. One H x H product per stage replaces two of N x H.

  Args:
    motion: The steps; explicit methods only.
    units: Its potential's hidden layer.
    x: Points, shape [B, N].
    products: Dtype of the factors of the matrix products of the stages, bfloat16 perhaps; that of
      x by default. Everything else stays in the dtype of x.
    segment: Keep the state before every so many steps, and compute the rest again; by default
      every stage is kept.

  Returns:
    x at the end [B, N] and the tallies [B].
  """
  a, n = units.amplitude(motion.stage_times()), units.squared_norms
  if not hidden_is_cheaper(units, motion, x.shape[0]):
    coefficients = Coefficients(units.kernel, units.bias[tf.newaxis], a, n)
    return _run(StageLoop(motion, units, True, products), x, coefficients, segment)
  # Each tensor has two uses at most: a sum of three cotangents would have no fixed order.
  at_ends, within = tf.identity(units.kernel), tf.identity(units.kernel)
  z = tf.matmul(x, at_ends) + units.bias
  gram = tf.matmul(within, within, transpose_a=True)
  loop = StageLoop(motion, units, False, products)
  u, tallies = _run(loop, tf.zeros_like(z), Coefficients(gram, z, a, n), segment)
  return x + tf.matmul(u, at_ends, transpose_b=True), tallies


def hidden_is_cheaper(units: Units, motion: Motion, batch_size: int | None) -> bool:
  """Multiplications per point: 2 N H per stage, or H^2 per stage, 2 N H at the ends, and G.

  G = W'W costs N H^2, shared by the batch (64 points where its size is unknown). Frames that
  change from step to step, a stiffness measured in x, and other terms of a sum need x itself.
  """
  if not units.at_rest or motion.stiffness or units.rest is not None:
    return False
  n, h = units.kernel.shape
  stages = motion.num_steps * len(motion.tableau.b)
  hidden = stages * h * h + 2 * n * h + n * h * h / (batch_size or 64)
  return hidden < ONE_PRODUCT_FOR_TWO * stages * 2 * n * h


def _run(
  loop: StageLoop, y: tf.Tensor, coefficients: Coefficients, segment: int | None
) -> tuple[tf.Tensor, Tallies]:
  """Y at the end and the tallies, differentiable by Y, the coefficients and rest's variables."""
  drive = _stored if segment is None else functools.partial(_recomputed, segment=segment)

  @tf.custom_gradient
  def run(y: tf.Tensor, *parts: tf.Tensor) -> Any:
    k = Coefficients(*parts)
    end, tallies, pull = drive(loop, y, k)

    def back(
      dy: tf.Tensor, *dtallies: tf.Tensor, variables: Sequence[tf.Variable] | None = None
    ) -> Any:
      held = list(variables or ())
      a = tf.TensorArray(y.dtype, loop.motion.num_steps, element_shape=k.a.shape[1:])
      m, c, n = (tf.zeros_like(part) for part in (k.m, y[:, :1] * k.n, k.n))
      before = Cotangents(dy, m, c, a, n, [tf.zeros_like(v) for v in held])
      found = pull(before, dtallies, held)
      dc = tf.reduce_sum(found.c, 0, keepdims=True) if loop.tied else found.c
      arguments = (found.y, found.m, dc, found.a.stack(), found.n)
      return arguments if variables is None else (arguments, found.variables)

    return (end, *tallies), back

  end, *tallies = run(y, *coefficients)
  return end, tuple(tallies)


Pull = Callable[[Cotangents, Sequence[tf.Tensor], list[tf.Variable]], Cotangents]


def _stored(loop: StageLoop, y: tf.Tensor, k: Coefficients) -> tuple[tf.Tensor, Tallies, Pull]:
  """All steps at once, every stage kept."""
  d = loop.motion.num_steps
  end, tallies, kept = loop.forward(y, k, 0, d, room=d)
  return end, tallies, lambda after, dt, held: loop.backward(kept, k, 0, d, after, dt, held)


def _recomputed(
  loop: StageLoop, y: tf.Tensor, k: Coefficients, segment: int
) -> tuple[tf.Tensor, Tallies, Pull]:
  """Segment by segment: only the states before each are kept."""
  d = loop.motion.num_steps
  segment = min(segment, d)
  segments = -(-d // segment)

  def bounds(j: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return j * segment, tf.minimum((j + 1) * segment, d)

  def advance(j: tf.Tensor, y: tf.Tensor, tallies: Tallies, starts: tf.TensorArray) -> tuple:
    starts = starts.write(j, y)
    y, increments, _ = loop.forward(y, k, *bounds(j), room=0)
    return j + 1, y, added(tallies, increments), starts

  starts = tf.TensorArray(y.dtype, segments, element_shape=y.shape)
  begin = (tf.constant(0), y, loop.motion.nothing(y), starts)
  _, end, tallies, starts = tf.while_loop(
    lambda j, *_: j < segments, advance, begin, maximum_iterations=segments
  )
  states = starts.stack()

  def pull(after: Cotangents, dtallies: Sequence[tf.Tensor], held: list[tf.Variable]) -> Cotangents:
    def through(j: tf.Tensor, after: Cotangents) -> tuple[tf.Tensor, Cotangents]:
      _, _, kept = loop.forward(states[j], k, *bounds(j), room=segment)
      return j - 1, loop.backward(kept, k, *bounds(j), after, dtallies, held)

    return tf.while_loop(
      lambda j, _: j >= 0,
      through,
      (tf.constant(segments - 1), after),
      maximum_iterations=segments,
    )[1]

  return end, tallies, pull
