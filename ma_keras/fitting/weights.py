"""Weights of rows as numbers of copies, in an order that depends on the rows alone."""

from __future__ import annotations

import numpy as np

COPIES = 4  # On average, of weights that are no whole numbers.


def repeated(rows: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
  """Rows in order of their bytes, each as often as its weight says: [n, N] -> [m, N].

  Whole weights are numbers of copies; so a row of weight 2 is a row that stands twice, one of
  weight 0 is not there, and no fit depends on the order of the rows. Others are rounded, 4 copies
  a row on average, with remainders carried from row to row: no weight is off by more than a
  quarter of the mean.

  Args:
    rows: Shape [n, N].
    weights: Shape [n]; None for 1.

  Raises:
    ValueError: A weight is negative, or all are zero.
  """
  rows = np.ascontiguousarray(rows) + 0.0  # -0 is 0, and has other bytes.
  order = np.argsort(rows.view(np.dtype((np.void, rows[0].nbytes))).ravel(), kind='stable')
  if weights is None:
    return rows[order]
  if np.any(weights < 0) or not np.any(weights > 0):
    raise ValueError('`sample_weight` must not be negative, and not all of it zero.')
  return np.repeat(rows[order], _copies(weights[order]), axis=0)


def _copies(weights: np.ndarray) -> np.ndarray:
  if np.all(weights == np.floor(weights)) and np.sum(weights) <= 2 * COPIES * len(weights):
    return weights.astype(np.int64)
  ends = np.cumsum(weights / np.sum(weights)) * COPIES * len(weights)
  return np.diff(np.round(ends).astype(np.int64), prepend=0)
