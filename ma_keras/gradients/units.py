"""One-hidden-layer flows, in x or in hidden coordinates, whichever multiplies less."""

from __future__ import annotations

import tensorflow as tf

from ma_keras.dynamics import Motion, Tallies
from ma_keras.gradients.stage_loop import StageLoop
from ma_keras.potentials.units import Units


def solve(
  motion: Motion, units: Units, x: tf.Tensor, products: tf.DType | None = None
) -> tuple[tf.Tensor, Tallies]:
  """dx/dt = W (a act'(z)), d ln p/dt = -sum_j a_j |W_j|^2 act''(z_j), z = W'x + b.

  In hidden coordinates, where that is cheaper: x = x_0 + W u, so that du/dt = a act'(z) and
  z = z_0 + G u with G = W'W. One H x H product per stage replaces two of N x H.

  Args:
    motion: The steps; explicit methods only.
    units: Its potential's hidden layer.
    x: Points, shape [B, N].
    products: Dtype of the factors of the matrix products of the stages, bfloat16 perhaps; that of
      x by default. Everything else stays in the dtype of x.

  Returns:
    x at the end [B, N] and the tallies [B].
  """
  a, w = units.amplitude, units.curvature_weights
  if not hidden_is_cheaper(units, motion, x.shape[0]):
    loop = StageLoop(motion, units, True, products)
    return loop(x, units.kernel, units.bias[tf.newaxis], a, w)
  # Each tensor has two uses at most: a sum of three cotangents would have no fixed order.
  at_ends, within = tf.identity(units.kernel), tf.identity(units.kernel)
  z = tf.matmul(x, at_ends) + units.bias
  gram = tf.matmul(within, within, transpose_a=True)
  u, tallies = StageLoop(motion, units, False, products)(tf.zeros_like(z), gram, z, a, w)
  return x + tf.matmul(u, at_ends, transpose_b=True), tallies


def hidden_is_cheaper(units: Units, motion: Motion, batch_size: int | None) -> bool:
  """Multiplications per point: 2 N H per stage, or H^2 per stage, 2 N H at the ends, and G.

  G = W'W costs N H^2, shared by the batch (64 points where its size is unknown). Frames that
  change from step to step, and a stiffness measured in x, need x itself.
  """
  if not units.at_rest or motion.stiffness:
    return False
  n, h = units.kernel.shape
  stages = motion.num_steps * len(motion.tableau.b)
  return stages * h * h + 2 * n * h + n * h * h / (batch_size or 64) < stages * 2 * n * h
