"""A data set in three splits that share no point."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from ma_keras.data.context_columns import ContextColumn
from ma_keras.data.disk_rows import DiskRows, row_numbers

Rows = Any  # An array, or `DiskRows`.
MOST_HELD_OUT = 100_000  # Points for validation, and for the test: enough for any likelihood.
VALIDATION_SHARE = 6  # One in so many training points, as MNIST's 10,000 of 60,000.


@dataclasses.dataclass(frozen=True)
class Dataset:
  """Points in three splits: what trains, what chooses among trained models, what judges.

  Attributes:
    name: Of the data.
    train: [n, O + N], O of the contexts; uint8 or uint16 where the data are quantised, float64
      otherwise; `DiskRows` where they are too large for memory.
    validation: [m, O + N].
    test: [k, O + N].
    event_shape: Of one point as it comes, (28, 28, 1) say; its product is N.
    levels: How many values a quantised coordinate takes, 0..levels-1; None for real numbers.
    columns: Names of the N columns of a table; None where they have none.
    contexts: O context columns, whose numbers stand before the N others in every row.
  """

  name: str
  train: Rows
  validation: Rows
  test: Rows
  event_shape: tuple[int, ...]
  levels: int | None
  columns: tuple[str, ...] | None = None
  contexts: tuple[ContextColumn, ...] = ()

  def parts(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Contexts [m, O] and points [m, N] of rows [m, O + N]."""
    return rows[:, : len(self.contexts)], rows[:, len(self.contexts) :]

  @property
  def event_size(self) -> int:
    """N."""
    return int(np.prod(self.event_shape))

  @property
  def is_image(self) -> bool:
    """Tells if a point is a picture, [height, width, channels]."""
    return len(self.event_shape) == 3


def split(
  name: str,
  points: Rows,
  test: Rows | None = None,
  levels: int | None = None,
  seed: int = 0,
  columns: tuple[str, ...] | None = None,
  event_shape: tuple[int, ...] | None = None,
  contexts: tuple[ContextColumn, ...] = (),
) -> Dataset:
  """Draws validation points, one in six up to `MOST_HELD_OUT`, out of all but the test points.

  The draw is a function of the seed and of the number of points alone: a resumed run meets the
  same split. Without test points of their own, as many are drawn for them, too. Rows on disk stay
  there.

  Args:
    name: Of the data.
    points: Shape [n, ...].
    test: Shape [k, ...], or None.
    levels: Of a quantised coordinate, or None.
    seed: Non-negative integer.
    columns: Names of the columns of a table, or None.
    event_shape: Of one point, where the points are flat.
    contexts: Context columns, whose numbers stand before those of the points.

  Returns:
    The data set.

  Raises:
    ValueError: There are too few points, no coordinate, or points with NaN or infinity (the first
      of which are named).
  """
  points, test = _as_rows(name, points), None if test is None else _as_rows(f'{name}, test', test)
  if len(points.shape) < 2 or len(points) < 3 * VALIDATION_SHARE or 0 in points.shape:
    raise ValueError(
      f'The data {name!r} must be at least {3 * VALIDATION_SHARE} points in rows, [n, ...], got '
      f'an array of shape {list(points.shape)}.'
    )
  if test is not None and len(test) < 1:
    raise ValueError(
      f'The data {name!r} have no test points: leave `test` out, and one in six will be drawn.'
    )
  if test is not None and math.prod(test.shape[1:]) != math.prod(points.shape[1:]):
    raise ValueError(
      f'The test points of {name!r} must have the shape of the others, {list(points.shape[1:])}, '
      f'got {list(test.shape[1:])}.'
    )
  event_shape = tuple(points.shape[1:]) if event_shape is None else event_shape
  rows = _checked(name, points, levels)
  order = np.random.default_rng(seed).permutation(row_numbers(len(points)))
  share = min(len(points) // VALIDATION_SHARE, MOST_HELD_OUT)
  validation, rest = order[:share], order[share:]
  if test is None:
    count = min(len(rest) // (VALIDATION_SHARE - 1), MOST_HELD_OUT)
    held_out, rest = _at(rows, rest[:count]), rest[count:]
  else:
    held_out = _checked(f'{name}, test', test, levels)
  return Dataset(
    name, _at(rows, rest), _at(rows, validation), held_out, event_shape, levels, columns, contexts
  )


def _at(rows: Rows, indices: np.ndarray) -> Rows:
  return rows.of(indices) if isinstance(rows, DiskRows) else rows[indices]


def _as_rows(name: str, points: Any) -> Rows:
  """Real numbers as an array; rows on disk as they are."""
  if isinstance(points, DiskRows):
    return points
  if isinstance(points, np.ma.MaskedArray) and np.ma.is_masked(points):
    raise ValueError(f'The data {name!r} have masked values: leave their rows out.')
  array = np.asarray(points)
  if array.dtype.kind not in 'buif':
    raise ValueError(f'The data {name!r} must be real numbers, got {array.dtype}.')
  return array


def _checked(name: str, points: Rows, levels: int | None) -> Rows:
  """[n, ...] -> [n, N], all finite, or within 0..levels-1; rows on disk were checked before."""
  if isinstance(points, DiskRows):
    return points
  rows = points.reshape(len(points), -1)
  if levels is not None:
    fractions = rows.dtype.kind == 'f' and bool(np.any(rows != np.floor(rows)))
    if rows.min() < 0 or rows.max() >= levels or fractions:
      raise ValueError(
        f'The data {name!r} must be integers in 0..{levels - 1}, got {rows.min()}..{rows.max()}'
        f'{" with fractions" if fractions else ""}.'
      )
    return rows.astype(np.min_scalar_type(levels - 1))
  rows = rows.astype(np.float64)
  bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
  if bad.size:
    raise ValueError(
      f'The data {name!r} hold NaN or infinity in {bad.size} rows, the first '
      f'of them {bad[:5].tolist()}: remove those rows.'
    )
  return rows
