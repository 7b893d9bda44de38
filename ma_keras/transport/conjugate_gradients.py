"""Preconditioned conjugate gradients for many symmetric positive systems at once."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

Linear = Callable[[tf.Tensor], tf.Tensor]


def solve(
  product: Linear, b: tf.Tensor, target: tf.Tensor, preconditioner: Linear, max_iterations: int
) -> tf.Tensor:
  """x with |A x - b| <= target, from x = 0, row by row.

  Hestenes & Stiefel (1952). A row is left alone once it is solved. One along which A is found not
  to be positive becomes NaN; one that takes too many iterations is as near as they came.

  Args:
    product: v -> A v, [B, N] -> [B, N], a matrix for every row.
    b: Right-hand sides, [B, N].
    target: Largest norm of a residual, [B].
    preconditioner: v -> P v, symmetric positive, near A^-1.
    max_iterations: Products at most.

  Returns:
    x, [B, N].
  """

  def unsolved(i: tf.Tensor, x: tf.Tensor, r: tf.Tensor, *rest: tf.Tensor) -> tf.Tensor:
    return tf.reduce_any(tf.norm(r, axis=-1) > target)

  def advance(
    i: tf.Tensor, x: tf.Tensor, r: tf.Tensor, p: tf.Tensor, rho: tf.Tensor
  ) -> tuple[tf.Tensor, ...]:
    active = tf.norm(r, axis=-1) > target
    q = product(p)
    curvature = _dot(p, q)
    alpha = _only(active, rho / tf.where(curvature > 0, curvature, _nan(rho)))
    x, r = x + alpha * p, r - alpha * q
    y = preconditioner(r)
    following = _dot(r, y)
    return i + 1, x, r, y + _only(active, following / rho) * p, following

  y = preconditioner(b)
  start = (tf.constant(0), tf.zeros_like(b), b, y, _dot(b, y))
  return tf.while_loop(unsolved, advance, start, maximum_iterations=max_iterations)[1]


def _dot(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
  return tf.reduce_sum(a * b, axis=-1)


def _only(active: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
  """The factor of active rows and zero for others, [B, 1]."""
  return tf.where(active, factor, tf.zeros_like(factor))[:, tf.newaxis]


def _nan(like: tf.Tensor) -> tf.Tensor:
  return tf.constant(float('nan'), like.dtype)
