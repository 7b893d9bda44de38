"""The quadratic potential, whose flow is known exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras.potentials import contexts
from ma_keras.potentials.base import Potential
from ma_keras.potentials.linear import apply_kernel


class Quadratic(Potential):
  """phi(x) = x.A x/2 with A symmetric: x(t) = exp(A t) x(0), ln p falls by t tr A.

  A context c adds the force V'c, phi(x | c) = x.A x/2 + c.V x, which moves the fixed point.

  Appendix A is the case A = lambda I. A Gaussian stays a Gaussian, which makes this potential
  the ground truth of many tests.

  Attributes:
    matrix: Variable [N, N]; its symmetric part A = (matrix + matrix')/2 is what acts.
    context_kernel: V, variable [C, N]; None without context.
  """

  self_contained = True

  def __init__(
    self,
    matrix: np.ndarray | tf.Tensor,
    dtype: tf.DType = tf.float32,
    context_kernel: np.ndarray | tf.Tensor | None = None,
    name: str | None = None,
  ) -> None:
    """Starts from the given matrices.

    Args:
      matrix: Initial value, shape [N, N].
      dtype: Floating dtype of the variables.
      context_kernel: V, initial value, shape [C, N]; None for a potential without context.
      name: Module name.

    Raises:
      ValueError: `matrix` is not square, `context_kernel` does not fit, or one of them holds
        something else than finite real numbers.
    """
    shape = np.shape(matrix)
    if len(shape) != 2 or shape[0] != shape[1]:
      raise ValueError(
        f'`matrix` must be square, shape [N, N], got {list(shape)}. '
        'For phi = lambda |x|^2/2 pass lambda * np.eye(N).'
      )
    _check_real('matrix', matrix)
    context_size = None if context_kernel is None else _rows(context_kernel, shape[0])
    super().__init__(shape[0], name, context_size)
    self.matrix = tf.Variable(tf.cast(matrix, dtype), name='matrix')
    self.context_kernel = None
    if context_kernel is not None:
      self.context_kernel = tf.Variable(tf.cast(context_kernel, dtype), name='context_kernel')

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    kernel = self.context_kernel
    return {
      'matrix': self.matrix.numpy().tolist(),
      'context_kernel': None if kernel is None else kernel.numpy().tolist(),
    }

  @property
  def symmetric_matrix(self) -> tf.Tensor:
    """A = (matrix + matrix')/2, shape [N, N]."""
    return (self.matrix + tf.transpose(self.matrix)) / 2.0

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """x.A x/2, and x.V'c, shape [...]."""
    del t
    linear = apply_kernel(x, self.symmetric_matrix) / 2.0
    return tf.reduce_sum(x * self._with_force(linear), axis=-1)

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    del t
    return self._with_force(apply_kernel(x, self.symmetric_matrix))

  def _with_force(self, field: tf.Tensor) -> tf.Tensor:
    if self.context_kernel is None:
      return field
    return field + contexts.added(self.context, self.context_kernel)

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    trace = tf.linalg.trace(self.matrix)
    return self._gradient(t, x), tf.zeros_like(x[..., 0]) + trace


def _rows(context_kernel: np.ndarray | tf.Tensor, event_size: int) -> int:
  """C of a kernel [C, N]."""
  shape = np.shape(context_kernel)
  if len(shape) != 2 or shape[1] != event_size or not shape[0]:
    raise ValueError(
      f'`context_kernel` must have shape [C, {event_size}], got {list(shape)}: a row for every '
      'number of the context.'
    )
  _check_real('context_kernel', context_kernel)
  return int(shape[0])


def _check_real(name: str, matrix: np.ndarray | tf.Tensor) -> None:
  if tf.is_tensor(matrix):
    return
  array = np.asarray(matrix)
  if array.dtype.kind not in 'biuf' or not np.all(np.isfinite(array)):
    raise ValueError(
      f'`{name}` must hold finite real numbers, got {array.dtype} {array.ravel()[:4].tolist()}...: '
      'mend them.'
    )
