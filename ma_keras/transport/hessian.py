"""H = 1 + Hess phi at many points: its Cholesky factor, ln det H, and H^-1 v."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from ma_keras.potentials import autodiff
from ma_keras.potentials.base import Potential


@dataclasses.dataclass(frozen=True)
class Dense:
  """H by its lower Cholesky factor.

  Attributes:
    factor: [B, N, N].
  """

  factor: tf.Tensor

  def log_det(self) -> tf.Tensor:
    """ln det H, [B]."""
    return _log_det(self.factor)

  def solve(self, v: tf.Tensor) -> tf.Tensor:
    """H^-1 v, [B, N]."""
    return tf.linalg.cholesky_solve(self.factor, v[..., tf.newaxis])[..., 0]


@dataclasses.dataclass(frozen=True)
class LowRank:
  """H = 1 + V V' with V [B, N, K], by the factor of the K x K matrix 1 + V'V.

  det(1 + V V') = det(1 + V'V), and (1 + V V')^-1 = 1 - V (1 + V'V)^-1 V'.

  Attributes:
    v: V.
    factor: [B, K, K].
  """

  v: tf.Tensor
  factor: tf.Tensor

  def log_det(self) -> tf.Tensor:
    """ln det H, [B]."""
    return _log_det(self.factor)

  def solve(self, v: tf.Tensor) -> tf.Tensor:
    """H^-1 v, [B, N]."""
    inner = tf.linalg.matvec(self.v, v, transpose_a=True)
    solved = tf.linalg.cholesky_solve(self.factor, inner[..., tf.newaxis])[..., 0]
    return v - tf.linalg.matvec(self.v, solved)


def factored(potential: Potential, x: tf.Tensor) -> Dense | LowRank:
  """H at the points x [B, N], in the smaller of its two shapes.

  A potential with `hessian_root(x)`, V [B, N, K] with Hess phi = V V', is convex by construction;
  the Hessian of any other comes from gradient tapes.
  """
  root = getattr(potential, 'hessian_root', None)
  if root is None:
    return Dense(tf.linalg.cholesky(_plus_identity(_hessian(potential, x))))
  v = root(x)
  if v.shape[-1] < v.shape[-2]:
    return LowRank(v, tf.linalg.cholesky(_plus_identity(tf.matmul(v, v, transpose_a=True))))
  return Dense(tf.linalg.cholesky(_plus_identity(tf.matmul(v, v, transpose_b=True))))


def _hessian(potential: Potential, x: tf.Tensor) -> tf.Tensor:
  """Hess phi, [B, N, N], symmetric to rounding: one reverse pass for every row."""
  zero = tf.zeros([], x.dtype)
  rows = []
  for i in range(x.shape[-1]):
    direction = tf.one_hot(i, x.shape[-1], dtype=x.dtype) * tf.ones_like(x)
    rows.append(autodiff.with_derivative(potential.gradient, zero, x, direction)[1])
  hessian = tf.stack(rows, axis=-2)
  return (hessian + tf.linalg.matrix_transpose(hessian)) / 2.0


def _plus_identity(matrix: tf.Tensor) -> tf.Tensor:
  return matrix + tf.eye(matrix.shape[-1], dtype=matrix.dtype)


def _log_det(factor: tf.Tensor) -> Any:
  return 2.0 * tf.reduce_sum(tf.math.log(tf.linalg.diag_part(factor)), axis=-1)
