"""The quadratic potential, whose flow is known exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras.potentials.base import Potential
from ma_keras.potentials.linear import apply_kernel


class Quadratic(Potential):
  """phi(x) = x.A x/2 with A symmetric: x(t) = exp(A t) x(0), ln p falls by t tr A.

  Appendix A is the case A = lambda I. A Gaussian stays a Gaussian, which makes this potential
  the ground truth of many tests.

  Attributes:
    matrix: Variable [N, N]; its symmetric part A = (matrix + matrix')/2 is what acts.
  """

  self_contained = True

  def __init__(
    self,
    matrix: np.ndarray | tf.Tensor,
    dtype: tf.DType = tf.float32,
    name: str | None = None,
  ) -> None:
    """Starts from the given matrix.

    Args:
      matrix: Initial value, shape [N, N].
      dtype: Floating dtype of the variable.
      name: Module name.

    Raises:
      ValueError: `matrix` is not square, or holds something else than finite real numbers.
    """
    shape = np.shape(matrix)
    if len(shape) != 2 or shape[0] != shape[1]:
      raise ValueError(
        f'`matrix` must be square, shape [N, N], got {list(shape)}. '
        'For phi = lambda |x|^2/2 pass lambda * np.eye(N).'
      )
    _check_real(matrix)
    super().__init__(shape[0], name=name)
    self.matrix = tf.Variable(tf.cast(matrix, dtype), name='matrix')

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    return {'matrix': self.matrix.numpy().tolist()}

  @property
  def symmetric_matrix(self) -> tf.Tensor:
    """A = (matrix + matrix')/2, shape [N, N]."""
    return (self.matrix + tf.transpose(self.matrix)) / 2.0

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """x.A x/2, shape [...]."""
    return tf.reduce_sum(x * self._gradient(t, x), axis=-1) / 2.0

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    del t
    return apply_kernel(x, self.symmetric_matrix)

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    trace = tf.linalg.trace(self.matrix)
    return self._gradient(t, x), tf.zeros_like(x[..., 0]) + trace


def _check_real(matrix: np.ndarray | tf.Tensor) -> None:
  if tf.is_tensor(matrix):
    return
  array = np.asarray(matrix)
  if array.dtype.kind not in 'biuf' or not np.all(np.isfinite(array)):
    raise ValueError(
      f'`matrix` must hold finite real numbers, got {array.dtype} {array.ravel()[:4].tolist()}...: '
      'mend them.'
    )
