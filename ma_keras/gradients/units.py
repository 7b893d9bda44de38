"""One-hidden-layer flows, in x or in hidden coordinates, whichever multiplies less."""

from __future__ import annotations

import functools
from collections.abc import Callable

import tensorflow as tf

from ma_keras.dynamics import Motion, Tallies
from ma_keras.gradients import pullback
from ma_keras.gradients.pullback import Tensors
from ma_keras.gradients.stage_data import Coefficients, Cotangents
from ma_keras.gradients.stage_loop import StageLoop
from ma_keras.potentials.units import Units

# One product of H x H runs nearer the processor's peak than two of half its size.
ONE_PRODUCT_FOR_TWO = 1.05


def solve(
  units: Units,
  motion: Motion,
  x: tf.Tensor,
  products: tf.DType | None = None,
  segment: int | None = None,
) -> tuple[tf.Tensor, Tallies]:
  """dx/dt = W (a act'(z)) + v, d ln p/dt = -sum_j a_j |W_j|^2 act''(z_j) - l, z = W'x + b.

  v and l are those of the rest, where there is one. Without, and where it is cheaper, the flow
  runs in hidden coordinates: x = x_0 + W u, so that du/dt = a act'(z) and z = z_0 + G u with
  G = W'W. One H x H product per stage replaces two of N x H.

  Args:
    units: The potential's hidden layer.
    motion: The steps; explicit methods only.
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

  def solve(y: tf.Tensor, *parts: tf.Tensor) -> tuple[Tensors, pullback.Pull]:
    k = Coefficients(*parts)
    end, tallies, through = drive(loop, y, k)

    def pull(doutputs: Tensors, held: list[tf.Variable]) -> tuple[Tensors, list[tf.Tensor]]:
      dy, *dtallies = doutputs
      a = tf.TensorArray(y.dtype, loop.motion.num_steps, element_shape=k.a.shape[1:])
      m, c, n = (tf.zeros_like(part) for part in (k.m, y[:, :1] * k.n, k.n))
      found = through(Cotangents(dy, m, c, a, n, pullback.zeros(held)), dtallies, held)
      dc = tf.reduce_sum(found.c, 0, keepdims=True) if loop.tied else found.c
      return (found.y, found.m, dc, found.a.stack(), found.n), found.variables

    return (end, *tallies), pull

  end, *tallies = pullback.differentiable(solve, y, *coefficients)
  return end, tuple(tallies)


Through = Callable[[Cotangents, Tensors, list[tf.Variable]], Cotangents]


def _stored(loop: StageLoop, y: tf.Tensor, k: Coefficients) -> tuple[tf.Tensor, Tallies, Through]:
  """All steps at once, every stage kept."""
  d = loop.motion.num_steps
  end, tallies, kept = loop.forward(y, k, 0, d, room=d)
  return end, tallies, lambda after, dt, held: loop.backward(kept, k, 0, d, after, dt, held)


def _recomputed(
  loop: StageLoop, y: tf.Tensor, k: Coefficients, segment: int
) -> tuple[tf.Tensor, Tallies, Through]:
  """Segment by segment: only the states before each are kept."""
  d = loop.motion.num_steps
  size = min(segment, d)

  def forward(
    y: tf.Tensor, tallies: Tallies, begin: tf.Tensor, end: tf.Tensor
  ) -> tuple[tf.Tensor, Tallies]:
    y, increments, _ = loop.forward(y, k, begin, end, room=0)
    return y, pullback.added(tallies, increments)

  end, tallies, pull = pullback.segmented(forward, y, loop.motion.nothing(y), d, size)

  def through(after: Cotangents, dtallies: Tensors, held: list[tf.Variable]) -> Cotangents:
    def back(y: tf.Tensor, begin: tf.Tensor, end: tf.Tensor, after: Cotangents) -> Cotangents:
      _, _, kept = loop.forward(y, k, begin, end, room=size)
      return loop.backward(kept, k, begin, end, after, dtallies, held)

    return pull(after, back)

  return end, tallies, through
