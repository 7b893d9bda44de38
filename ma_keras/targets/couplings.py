"""Couplings K of spins, and K + alpha I of their Gaussian factor: as a matrix, and on a torus."""

from __future__ import annotations

import abc

import numpy as np
import tensorflow as tf

from ma_keras.potentials.linear import apply_kernel
from ma_keras.potentials.torus import Torus
from ma_keras.targets import lattice
from ma_keras.targets.neighbours import neighbour_sum

SMALLEST_EIGENVALUE = 0.1  # Of K + alpha I (Appendix B).


class Couplings(abc.ABC):
  """K, symmetric and without diagonal, and alpha, by which K + alpha I is positive (Appendix B).

  Attributes:
    eigenvalues: Eigenvalues of K in any order, float64 [N].
    shift: alpha, which makes the smallest eigenvalue of K + alpha I exactly 0.1.
  """

  def __init__(self, eigenvalues: np.ndarray) -> None:
    """Chooses alpha for eigenvalues of K, [N]."""
    self.eigenvalues = eigenvalues
    self.shift = SMALLEST_EIGENVALUE - float(eigenvalues.min())

  @property
  @abc.abstractmethod
  def covariance(self) -> np.ndarray:
    """K + alpha I, float64 [N, N]."""

  @abc.abstractmethod
  def product(self, x: tf.Tensor) -> tf.Tensor:
    """K x, [..., N] -> [..., N]."""

  @abc.abstractmethod
  def solve(self, x: tf.Tensor) -> tf.Tensor:
    """(K + alpha I)^-1 x, [..., N] -> [..., N]."""


class MatrixCouplings(Couplings):
  """K as a matrix [N, N], whose shifted inverse is kept beside it."""

  def __init__(
    self, matrix: np.ndarray, dtype: tf.DType, eigenvalues: np.ndarray | None = None
  ) -> None:
    """Inverts K + alpha I in float64.

    Args:
      matrix: K, symmetric, float64 [N, N].
      dtype: Floating dtype that products are computed in.
      eigenvalues: Eigenvalues of K if they are known, float64 [N].
    """
    super().__init__(np.linalg.eigvalsh(matrix) if eigenvalues is None else eigenvalues)
    self._matrix = matrix
    precision = np.linalg.inv(self.covariance)
    with tf.init_scope():  # Constants outlive a tf.function in which the target is built.
      self._kernel = tf.constant(matrix, dtype)
      self._precision = tf.constant((precision + precision.T) / 2, dtype)

  @property
  def covariance(self) -> np.ndarray:
    """See `Couplings`."""
    return self._matrix + self.shift * np.eye(len(self._matrix))

  def product(self, x: tf.Tensor) -> tf.Tensor:
    """See `Couplings`; O(N^2)."""
    return apply_kernel(x, tf.cast(self._kernel, x.dtype))

  def solve(self, x: tf.Tensor) -> tf.Tensor:
    """See `Couplings`; O(N^2)."""
    return apply_kernel(x, tf.cast(self._precision, x.dtype))


class TorusCouplings(Couplings):
  """K of nearest neighbours of an L x L torus, all alike: diagonal in plane waves, no matrix."""

  def __init__(self, side: int, coupling: float) -> None:
    """Computes the spectrum.

    Args:
      side: L; N = L^2.
      coupling: K of every bond.
    """
    self.coupling = coupling
    self._torus = Torus(side)
    eigenvalues = lattice.adjacency_eigenvalues(side, side, 'periodic', ascending=False)
    super().__init__(coupling * eigenvalues)

  @property
  def covariance(self) -> np.ndarray:
    """See `Couplings`; made anew every time."""
    side = self._torus.side
    matrix = lattice.coupling_matrix(side, side, self.coupling)
    return matrix + self.shift * np.eye(len(matrix))

  def product(self, x: tf.Tensor) -> tf.Tensor:
    """See `Couplings`; O(N). Of spins it is the coupling times whole numbers."""
    return self.coupling * neighbour_sum(x, self._torus.side)

  def solve(self, x: tf.Tensor) -> tf.Tensor:
    """See `Couplings`; O(N L), by two real Fourier transforms."""
    spectrum = tf.constant(1.0 / (self.eigenvalues + self.shift), x.dtype)
    return self._torus.transform(self._torus.transform(x) * spectrum)
