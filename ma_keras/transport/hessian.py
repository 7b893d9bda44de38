"""H = m + Hess phi at many points: its Cholesky factor, ln det H, H^-1 v and H v."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ma_keras.potentials import autodiff, overrides
from ma_keras.potentials.base import Potential, Sum

ROOT = 'hessian_root'  # Method x -> V [..., N, K] with Hess phi = V V', of convex potentials.


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
  """H = m + V V' with V [B, N, K], by the factor of the K x K matrix m + V'V.

  det(m + V V') = m^(N - K) det(m + V'V), and (m + V V')^-1 = (1 - V (m + V'V)^-1 V') / m.

  Attributes:
    v: V.
    factor: [B, K, K].
    modulus: m, positive.
  """

  v: tf.Tensor
  factor: tf.Tensor
  modulus: float

  def log_det(self) -> tf.Tensor:
    """ln det H, [B]."""
    rows, columns = self.v.shape[-2:]
    logarithm = tf.math.log(tf.constant(self.modulus, self.v.dtype))
    return _log_det(self.factor) + (rows - columns) * logarithm

  def solve(self, v: tf.Tensor) -> tf.Tensor:
    """H^-1 v, [B, N]."""
    inner = tf.linalg.matvec(self.v, v, transpose_a=True)
    solved = tf.linalg.cholesky_solve(self.factor, inner[..., tf.newaxis])[..., 0]
    return (v - tf.linalg.matvec(self.v, solved)) / self.modulus


def is_convex(potential: Potential) -> bool:
  """Tells if a potential is convex by construction: it has a root of its Hessian.

  A sum is where all terms are; a subclass that changes phi is not, unless it has its own root. A
  class of which some objects are convex says so by an attribute `is_convex`.
  """
  if type(potential) is Sum:
    return all(is_convex(term) for term in potential.terms)
  if not hasattr(potential, ROOT) or overrides.is_replaced(potential, ROOT):
    return False
  return bool(getattr(potential, 'is_convex', True))


def root(potential: Potential, x: tf.Tensor) -> tf.Tensor:
  """V [..., N, K] with Hess phi = V V' at x [..., N], of a potential with `is_convex`."""
  if type(potential) is Sum:
    return tf.concat([root(term, x) for term in potential.terms], axis=-1)
  return getattr(potential, ROOT)(x)


def factored(potential: Potential, x: tf.Tensor, modulus: float = 1.0) -> Dense | LowRank:
  """H at the points x [B, N], in the smaller of its two shapes; NaN where it has no factor.

  The Hessian of a potential that is not convex by construction comes from gradient tapes.
  """
  if not is_convex(potential):
    return Dense(tf.linalg.cholesky(_shifted(hessian(potential, x), modulus)))
  v = root(potential, x)
  if v.shape[-1] < v.shape[-2] and modulus > 0:
    inner = tf.matmul(v, v, transpose_a=True)
    return LowRank(v, tf.linalg.cholesky(_shifted(inner, modulus)), modulus)
  return Dense(tf.linalg.cholesky(_shifted(tf.matmul(v, v, transpose_b=True), modulus)))


def mean_factor(potential: Potential, x: tf.Tensor, modulus: float = 1.0) -> tf.Tensor:
  """Lower Cholesky factor [N, N] of the mean of H over the points x [B, N].

  Points whose Hessian is not finite count as zeros: m alone.
  """
  number = tf.cast(tf.maximum(tf.shape(x)[0], 1), x.dtype)
  if not is_convex(potential):
    total = tf.reduce_sum(_finite(hessian(potential, x)), axis=0)
  else:  # One product for all points.
    v = _finite(root(potential, x))
    rows = tf.reshape(tf.transpose(v, [1, 0, 2]), [v.shape[-2], -1])
    total = tf.matmul(rows, rows, transpose_b=True)
  return tf.linalg.cholesky(_shifted(total / number, modulus))


def products(
  potential: Potential, x: tf.Tensor, modulus: float = 1.0
) -> Callable[[tf.Tensor], tf.Tensor]:
  """Returns v -> H v at the points x [B, N]; all products share one pass of grad phi."""
  with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
    tape.watch(x)
    gradient = potential.gradient(tf.zeros([], x.dtype), x)

  def product(v: tf.Tensor) -> tf.Tensor:
    return modulus * v + tape.gradient(
      gradient, x, output_gradients=v, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )

  return product


def hessian(potential: Potential, x: tf.Tensor) -> tf.Tensor:
  """Hess phi, [B, N, N], symmetric to rounding: from its root, or one reverse pass a row."""
  if is_convex(potential):
    v = root(potential, x)
    return tf.matmul(v, v, transpose_b=True)
  zero = tf.zeros([], x.dtype)
  rows = []
  for i in range(x.shape[-1]):
    direction = tf.one_hot(i, x.shape[-1], dtype=x.dtype) * tf.ones_like(x)
    rows.append(autodiff.with_derivative(potential.gradient, zero, x, direction)[1])
  stacked = tf.stack(rows, axis=-2)
  return (stacked + tf.linalg.matrix_transpose(stacked)) / 2.0


def _finite(x: tf.Tensor) -> tf.Tensor:
  return tf.where(tf.math.is_finite(x), x, tf.zeros_like(x))


def _shifted(matrix: tf.Tensor, modulus: float) -> tf.Tensor:
  return matrix + modulus * tf.eye(matrix.shape[-1], dtype=matrix.dtype)


def _log_det(factor: tf.Tensor) -> Any:
  return 2.0 * tf.reduce_sum(tf.math.log(tf.linalg.diag_part(factor)), axis=-1)
