"""Optimal transport between Gaussians, in closed form."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

ROUNDING = 1e-10  # Relative size of an eigenvalue that counts as zero.


class AffineMap(NamedTuple):
  """T(x) = A x + b.

  Attributes:
    matrix: A, [N, N]; symmetric and positive definite where T is an optimal map.
    shift: b, [N].
  """

  matrix: np.ndarray
  shift: np.ndarray

  def __call__(self, x: np.ndarray) -> np.ndarray:
    """T(x) of points [..., N]."""
    return np.asarray(x, np.float64) @ self.matrix.T + self.shift


@dataclasses.dataclass(frozen=True)
class Gaussian:
  """Normal(m, S) on R^N, with its optimal maps and distances to others (Bures 1969; Gelbrich 1990).

  Attributes:
    mean: m, [N].
    covariance: S, symmetric and positive semidefinite, [N, N].
  """

  mean: np.ndarray
  covariance: np.ndarray

  def __post_init__(self) -> None:
    """Takes both as float64.

    Raises:
      ValueError: Shapes do not fit, or S is not symmetric and positive semidefinite.
    """
    mean, covariance = (np.asarray(part, np.float64) for part in (self.mean, self.covariance))
    if mean.ndim != 1 or covariance.shape != (mean.size, mean.size):
      raise ValueError(
        f'`mean` [N] and `covariance` [N, N] do not fit, got {mean.shape} and {covariance.shape}.'
      )
    if not _is_covariance(covariance):
      raise ValueError('`covariance` must be finite, symmetric and positive semidefinite.')
    object.__setattr__(self, 'mean', mean)
    object.__setattr__(self, 'covariance', (covariance + covariance.T) / 2)

  @classmethod
  def of_samples(cls, x: np.ndarray) -> Gaussian:
    """Mean and covariance of samples [n, N], n at least 2."""
    x = np.asarray(x, np.float64)
    return cls(np.mean(x, axis=0), np.atleast_2d(np.cov(x, rowvar=False)))

  def squared_distance(self, other: Gaussian) -> float:
    """W2^2 = |m1 - m2|^2 + tr(S1 + S2 - 2 (S1^1/2 S2 S1^1/2)^1/2).

    Of any two distributions with these means and covariances it is a lower bound (Gelbrich).
    """
    self._check(other)
    root = _power(self.covariance, 0.5)
    cross = _power(root @ other.covariance @ root, 0.5)
    spread = np.trace(self.covariance) + np.trace(other.covariance) - 2 * np.trace(cross)
    return float(np.sum((self.mean - other.mean) ** 2) + max(spread, 0.0))

  def optimal_map(self, other: Gaussian) -> AffineMap:
    """T(x) = m2 + A (x - m1), A = S1^-1/2 (S1^1/2 S2 S1^1/2)^1/2 S1^-1/2.

    Raises:
      ValueError: S1 is singular, so that a map need not exist, or the dimensions differ.
    """
    self._check(other)
    eigenvalues = np.linalg.eigvalsh(self.covariance)
    if eigenvalues[0] <= ROUNDING * eigenvalues[-1]:
      raise ValueError(
        f'`covariance` has eigenvalues from {eigenvalues[0]:.2g} to {eigenvalues[-1]:.2g}: from a '
        'singular Gaussian no map need exist. Add a little to its diagonal.'
      )
    root, inverse = _power(self.covariance, 0.5), _power(self.covariance, -0.5)
    matrix = inverse @ _power(root @ other.covariance @ root, 0.5) @ inverse
    return AffineMap(matrix, other.mean - matrix @ self.mean)

  def _check(self, other: Gaussian) -> None:
    if self.mean.shape != other.mean.shape:
      raise ValueError(
        f'Ends of a transport must have one dimension, got {self.mean.size} and {other.mean.size}.'
      )


def _is_covariance(matrix: np.ndarray) -> bool:
  """Tells if a matrix is finite, symmetric and positive semidefinite, up to rounding."""
  if not np.all(np.isfinite(matrix)):
    return False
  rounding = 1e-8 * np.max(np.abs(matrix), initial=0.0)
  symmetric = np.allclose(matrix, matrix.T, rtol=0.0, atol=rounding)
  return bool(symmetric and np.linalg.eigvalsh(matrix)[0] >= -rounding)


def _power(matrix: np.ndarray, exponent: float) -> np.ndarray:
  """A power of a symmetric, positive semidefinite matrix."""
  values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
  return (vectors * np.maximum(values, 0.0) ** exponent) @ vectors.T
