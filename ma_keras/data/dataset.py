"""A data set in memory: three splits that share no point."""

from __future__ import annotations

import dataclasses

import numpy as np

VALIDATION_SHARE = 6  # One in so many training points, as MNIST's 10,000 of 60,000.


@dataclasses.dataclass(frozen=True)
class Dataset:
  """Points in three splits: what trains, what chooses among trained models, what judges.

  Attributes:
    name: Of the data.
    train: [n, N]; uint8 or uint16 where the data are quantised, float32 otherwise.
    validation: [m, N].
    test: [k, N].
    event_shape: Of one point as it comes, (28, 28, 1) say; its product is N.
    levels: How many values a quantised coordinate takes, 0..levels-1; None for real numbers.
  """

  name: str
  train: np.ndarray
  validation: np.ndarray
  test: np.ndarray
  event_shape: tuple[int, ...]
  levels: int | None

  @property
  def event_size(self) -> int:
    """N."""
    return int(np.prod(self.event_shape))

  @property
  def is_image(self) -> bool:
    """Whether a point is a picture, [height, width, channels]."""
    return len(self.event_shape) == 3


def split(
  name: str,
  points: np.ndarray,
  test: np.ndarray | None = None,
  levels: int | None = None,
  seed: int = 0,
) -> Dataset:
  """Draws validation points, one in six, out of all but the test points.

  The draw is a function of the seed and of the number of points alone: a resumed run meets the
  same split. Without test points of their own, one in six are drawn for them, too.

  Args:
    name: Of the data.
    points: Shape [n, ...].
    test: Shape [k, ...], or None.
    levels: Of a quantised coordinate, or None.
    seed: Non-negative integer.

  Returns:
    The data set.

  Raises:
    ValueError: There are too few points, no coordinate, or points with NaN or infinity (the first
      of which are named).
  """
  if points.ndim < 2 or len(points) < 3 * VALIDATION_SHARE or points[0].size == 0:
    raise ValueError(
      f'The data {name!r} must be at least {3 * VALIDATION_SHARE} points in rows, [n, ...], got '
      f'an array of shape {list(points.shape)}.'
    )
  if test is not None and len(test) < 1:
    raise ValueError(
      f'The data {name!r} have no test points: leave `test` out, and one in six will be drawn.'
    )
  event_shape = tuple(points.shape[1:])
  rows = _checked(name, points, levels)
  order = np.random.default_rng(seed).permutation(len(points))
  share = len(points) // VALIDATION_SHARE
  parts = [rows[order[:share]], rows[order[share:]]]
  if test is None:
    held = len(parts[1]) // (VALIDATION_SHARE - 1)
    parts, found = [parts[0], parts[1][held:]], parts[1][:held]
  else:
    found = _checked(f'{name}, test', test, levels)
  return Dataset(name, parts[1], parts[0], found, event_shape, levels)


def _checked(name: str, points: np.ndarray, levels: int | None) -> np.ndarray:
  """[n, ...] -> [n, N], all finite, or within 0..levels-1."""
  rows = points.reshape(len(points), -1)
  if levels is not None:
    if rows.min() < 0 or rows.max() >= levels:
      raise ValueError(
        f'The data {name!r} must be integers in 0..{levels - 1}, got {rows.min()}..{rows.max()}.'
      )
    return rows.astype(np.uint8 if levels <= 256 else np.uint16)
  with np.errstate(over='ignore'):  # What float32 cannot hold becomes infinite, and is named below.
    rows = rows.astype(np.float32)
  bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
  if bad.size:
    raise ValueError(
      f'The data {name!r} hold NaN or infinity (in float32) in {bad.size} rows, the first '
      f'of them {bad[:5].tolist()}: remove those rows.'
    )
  return rows
