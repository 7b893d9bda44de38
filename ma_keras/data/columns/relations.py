"""Linear relations between the columns of a table, under which its covariance has no inverse."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ma_keras.data.columns.column import robust_deviation

LIMIT = 0.99  # Correlation from which a pair is reported.
INLIER = 10.0  # Robust deviations.
FAR = 1e100  # Robust deviations whose squares do not overflow.
SINGULAR = 1e-6  # Variance, in units of the columns', of a linear relation that holds.
JOINED = 1e-3  # Entry of the projector that joins two columns.


def collinear(
  rows: np.ndarray, names: Sequence[str] | None = None, limit: float = LIMIT
) -> list[tuple[str, str, float]]:
  """Pairs of columns whose correlation is at least `limit`, or at most `-limit`.

  Rows with a value beyond ten robust deviations, which would make a correlation by themselves, are
  left out where the others are enough.

  Args:
    rows: Shape [n, N].
    names: Of the columns; their numbers by default.
    limit: In (0, 1].

  Returns:
    Names and correlation, the closest pair first.
  """
  names = _names(rows, names)
  correlation = _correlation(rows)
  first, second = np.nonzero(np.triu(np.abs(correlation) >= limit - 1e-12, k=1))
  pairs = [(names[i], names[j], float(correlation[i, j])) for i, j in zip(first, second)]
  return sorted(pairs, key=lambda pair: -round(abs(pair[2]), 9))


def dependent(rows: np.ndarray, names: Sequence[str] | None = None) -> list[tuple[str, ...]]:
  """Groups of columns between which linear relations hold: the covariance has no inverse.

  Null vectors v of the correlation matrix span the relations; columns i and j take part in the
  same one where the projector sum of v v^T joins them.

  Args:
    rows: Shape [n, N], n > N; no group is found in fewer, all of which are dependent.
    names: Of the columns; their numbers by default.

  Returns:
    Names of the columns of every group.
  """
  names = _names(rows, names)
  if len(rows) <= len(names):
    return []
  values, vectors = np.linalg.eigh(_correlation(rows))
  null = vectors[:, values < SINGULAR]
  joined = np.abs(null @ null.T) > JOINED
  groups, left = [], set(np.flatnonzero(np.diag(joined)).tolist())
  while left:
    group, edge = set(), {min(left)}
    while edge:
      group |= edge
      edge = {j for i in edge for j in np.flatnonzero(joined[i]).tolist()} - group
    groups.append(tuple(names[k] for k in sorted(group)))
    left -= group
  return groups


def _names(rows: np.ndarray, names: Sequence[str] | None) -> list[str]:
  return [str(k) for k in range(rows.shape[1])] if names is None else list(names)


def _correlation(rows: np.ndarray) -> np.ndarray:
  """Correlation of the rows without missing values and outliers, [N, N]; 0 of constants."""
  rows = np.asarray(rows, np.float64)
  rows = rows[np.isfinite(rows).all(axis=1)]
  if len(rows) < 2:
    return np.eye(rows.shape[1])
  rows = rows / np.maximum(np.max(np.abs(rows), axis=0), np.finfo(np.float64).tiny)
  median = np.median(rows, axis=0)
  scale = np.array([robust_deviation(*pair) for pair in zip(rows.T, median)])
  scale = np.where(scale > 0, scale, np.ptp(rows, axis=0))
  scale = np.where(scale > 0, scale, 1.0)
  with np.errstate(over='ignore'):
    ratio = np.clip((rows - median) / scale, -FAR, FAR)
  inliers = np.all(np.abs(ratio) <= INLIER, axis=1)
  if 2 * np.sum(inliers) > max(len(rows), 4 * rows.shape[1]):
    ratio = ratio[inliers]
  ratio = ratio - ratio.mean(axis=0)
  length = np.linalg.norm(ratio, axis=0)
  ratio /= np.where(length > 0, length, 1.0)
  correlation = np.clip(ratio.T @ ratio, -1.0, 1.0)
  np.fill_diagonal(correlation, 1.0)
  return correlation
