"""A Gaussian of full covariance, shrunk as far as held-out rows say."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

# lambda of (1 - lambda) R + lambda I, R the correlation matrix.
SHRINKAGES = np.array([1e-6, 1e-5, 1e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.2, 0.4, 0.7, 1.0])
FOLDS = 5
MOST_ROWS = 20_000  # So many rows choose the shrinkage.


@dataclasses.dataclass(frozen=True)
class Gaussian:
  """Normal(mean, S S'), S S' = D ((1 - lambda) R + lambda I) D of deviations D.

  Attributes:
    mean: Shape [N].
    scale_tril: S, lower triangular, [N, N].
    shrinkage: lambda.
  """

  mean: np.ndarray
  scale_tril: np.ndarray
  shrinkage: float

  @classmethod
  def fitted(cls, rows: np.ndarray, seed: int = 0, shrinkage: float | None = None) -> Gaussian:
    """Fits mean and covariance; the shrinkage is the one under which held-out rows are likeliest.

    Args:
      rows: Finite float64 rows that vary in every column, shape [n, N], n >= 2.
      seed: Non-negative integer that names the folds.
      shrinkage: lambda, where it is known already.
    """
    if shrinkage is None:
      shrinkage = _chosen_shrinkage(rows, seed)
    mean, deviation, correlation = _moments(rows)
    shrunk = (1 - shrinkage) * correlation + shrinkage * np.eye(len(mean))
    return cls(mean, deviation[:, np.newaxis] * np.linalg.cholesky(shrunk), shrinkage)

  def whitened(self, rows: np.ndarray) -> np.ndarray:
    """S^-1 (x - mean), [n, N]."""
    return np.linalg.solve(self.scale_tril, (rows - self.mean).T).T

  @property
  def standardising(self) -> np.ndarray:
    """The matrix D^-1 S, from whitened rows to standardised ones, [N, N]."""
    deviation = np.sqrt(np.sum(np.square(self.scale_tril), axis=1))
    return self.scale_tril / deviation[:, np.newaxis]

  @property
  def log_det(self) -> float:
    """ln det S."""
    return float(np.sum(np.log(np.diag(self.scale_tril))))

  def log_density(self, rows: np.ndarray) -> np.ndarray:
    """ln p of rows [n, N], shape [n]."""
    squares = np.sum(np.square(self.whitened(rows)), axis=1)
    return -0.5 * squares - self.log_det - 0.5 * rows.shape[1] * math.log(2 * math.pi)


def folds(number: int, seed: int, most: int = FOLDS) -> list[tuple[np.ndarray, np.ndarray]]:
  """Row numbers of (training, held-out) parts, which hold out every row once."""
  parts = np.array_split(np.random.default_rng(seed).permutation(number), min(most, number))
  return [(np.concatenate(parts[:k] + parts[k + 1 :]), parts[k]) for k in range(len(parts))]


def _chosen_shrinkage(rows: np.ndarray, seed: int) -> float:
  if len(rows) < 4:
    return 1.0
  if len(rows) > MOST_ROWS:
    rows = rows[np.random.default_rng(seed).choice(len(rows), MOST_ROWS, replace=False)]
  losses = sum(_losses(rows[train], rows[held_out]) for train, held_out in folds(len(rows), seed))
  return float(SHRINKAGES[np.argmin(losses)])


def _losses(train: np.ndarray, held_out: np.ndarray) -> np.ndarray:
  """Negative log density of held-out rows for every shrinkage, up to what they share."""
  mean, deviation, correlation = _moments(train)
  values, vectors = np.linalg.eigh(correlation)
  squares = np.sum(np.square((held_out - mean) / deviation @ vectors), axis=0)
  values = np.maximum(values, 0.0)
  shrunk = (1 - SHRINKAGES[:, np.newaxis]) * values + SHRINKAGES[:, np.newaxis]
  return 0.5 * np.sum(len(held_out) * np.log(shrunk) + squares / shrunk, axis=1)


def _moments(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Mean [N], deviation [N] and correlation [N, N]; a column without variance in a fold gets 1."""
  mean = np.mean(rows, axis=0)
  centred = rows - mean
  deviation = np.sqrt(np.mean(np.square(centred), axis=0))
  deviation = np.where(deviation > 0, deviation, 1.0)
  scaled = centred / deviation
  return mean, deviation, scaled.T @ scaled / len(rows)
