"""The convex quadratic potential, whose map is linear."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras.potentials.base import Potential
from ma_keras.potentials.linear import apply_kernel

ROUNDING = 1e-6  # Part of the largest eigenvalue that the smallest may lie below zero.


class ConvexQuadratic(Potential):
  """phi(x) = |F'x|^2/2 + b.x, whose Hessian A = F F' is positive semidefinite whatever F is.

  The optimal map between two Gaussians is of this kind: see `gaussian_map`.

  Attributes:
    factor: F, variable [N, N].
    shift: b, variable [N].
  """

  self_contained = True

  def __init__(
    self,
    matrix: np.ndarray,
    shift: np.ndarray | None = None,
    dtype: tf.DType = tf.float32,
    name: str | None = None,
  ) -> None:
    """Starts from F = A^1/2.

    Args:
      matrix: A, initial value, shape [N, N], symmetric and positive semidefinite.
      shift: b, initial value, shape [N]; zeros by default.
      dtype: Floating dtype of the variables.
      name: Module name.

    Raises:
      ValueError: A is not symmetric, not positive semidefinite or not finite, or b does not fit.
    """
    matrix = np.asarray(matrix, np.float64)
    factor = _root(matrix)
    shift = np.zeros(len(factor)) if shift is None else np.asarray(shift, np.float64)
    super().__init__(len(factor), name)
    if shift.shape != (self.event_size,) or not np.all(np.isfinite(shift)):
      raise ValueError(
        f'`shift` must be finite, of shape [{self.event_size}], got {list(shift.shape)}.'
      )
    self.factor = tf.Variable(tf.cast(factor, dtype), name='factor')
    self.shift = tf.Variable(tf.cast(shift, dtype), name='shift')

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    factor = self.factor.numpy().astype(np.float64)
    return {'matrix': (factor @ factor.T).tolist(), 'shift': self.shift.numpy().tolist()}

  @property
  def matrix(self) -> tf.Tensor:
    """A = F F', [N, N]."""
    return tf.matmul(self.factor, self.factor, transpose_b=True)

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """|F'x|^2/2 + b.x, shape [...]."""
    squares = tf.reduce_sum(tf.square(apply_kernel(x, self.factor)), axis=-1)
    return 0.5 * squares + tf.reduce_sum(self.shift * x, axis=-1)

  def hessian_root(self, x: tf.Tensor) -> tf.Tensor:
    """F at every point, [..., N, N]."""
    shape = tf.concat([tf.shape(x)[:-1], tf.shape(self.factor)], axis=0)
    root = tf.broadcast_to(self.factor, shape)
    return tf.ensure_shape(root, [*x.shape[:-1], *self.factor.shape])

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    inner = apply_kernel(x, self.factor)
    return apply_kernel(inner, self.factor, transpose=True) + self.shift

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    trace = tf.reduce_sum(tf.square(self.factor))
    return self._gradient(t, x), tf.zeros_like(x[..., 0]) + trace


def _root(matrix: np.ndarray) -> np.ndarray:
  """The symmetric root of a positive semidefinite matrix."""
  if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.all(np.isfinite(matrix)):
    raise ValueError(
      f'`matrix` must be finite and square, shape [N, N], got {list(matrix.shape)}: a * np.eye(N), '
      'say.'
    )
  largest = np.abs(matrix).max(initial=0.0)
  if np.abs(matrix - matrix.T).max(initial=0.0) > ROUNDING * largest:
    raise ValueError('`matrix` must be symmetric: pass (A + A.T)/2.')
  values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
  if values.min(initial=0.0) < -ROUNDING * largest:
    raise ValueError(
      f'`matrix` must be positive semidefinite, got an eigenvalue {values.min():.3g}: '
      'potentials.Quadratic takes any symmetric matrix, and BrenierMap a smaller `modulus`.'
    )
  return vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
