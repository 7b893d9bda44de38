"""A survey of the columns of a table in float64: what they hold, and the map that suits each.

Counts, range, mean and deviation are of all rows, in one pass over blocks. Median, number of
different values, step and kind are of a uniform sample of rows where the table is larger than that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ma_keras.data.columns.column import Column, Moments, column

SAMPLE = 100_000  # Rows,
MOST_NUMBERS = 1 << 23  # and numbers in them: 64 MB.
SEED = 0x726F7773  # Of the sample; the keys of a seed of 0 may be the data themselves.


def survey(rows: np.ndarray, names: Sequence[str] | None = None) -> tuple[Column, ...]:
  """Surveys a table in memory.

  Args:
    rows: Numbers, shape [n, N]; NaN and infinity count as missing.
    names: Of the columns, [N]; their numbers by default.

  Returns:
    The columns, [N].

  Raises:
    ValueError: It is no such table, or has other than N names.
  """
  return survey_blocks([np.asarray(rows)], names)


def survey_blocks(
  blocks: Iterable[np.ndarray], names: Sequence[str] | None = None, sample: int = SAMPLE
) -> tuple[Column, ...]:
  """Surveys a table of any length in one pass; see `survey` and `Survey`.

  Args:
    blocks: Rows in turn, each [b, N].
    names: Of the columns, [N]; their numbers by default.
    sample: Rows to be kept for what needs all values at once.
  """
  result = Survey(names, sample)
  for block in blocks:
    result.add(block)
  return result.columns()


class Survey:
  """Statistics of rows that come in blocks, and a uniform sample of the rows.

  Means and squared distances of blocks are joined by Chan's update (Chan, Golub & LeVeque 1983),
  which loses nothing where the mean is large. The sample has the rows of the smallest random keys,
  from a fixed seed: the same for any size of block.
  """

  def __init__(self, names: Sequence[str] | None = None, sample: int = SAMPLE) -> None:
    """Starts without rows; `add` takes them.

    Args:
      names: Of the columns, [N]; their numbers by default.
      sample: Rows to be kept, fewer where these are more than 2^23 numbers.
    """
    self._names = None if names is None else [str(name) for name in names]
    self._sample = sample
    self._rng = np.random.default_rng(SEED)
    self._count = 0

  def add(self, block: np.ndarray) -> None:
    """Takes in the next rows, [b, N].

    Raises:
      ValueError: They are no rows of N numbers.
    """
    rows = np.asarray(block, np.float64)
    if rows.ndim != 2 or rows.shape[1] < 1:
      raise ValueError(f'`block` must be rows of numbers, [b, N], got {list(rows.shape)}.')
    if self._names is not None and rows.shape[1] != len(self._names):
      raise ValueError(f'`block` has {rows.shape[1]} columns, for {len(self._names)} names.')
    if not self._count:
      self._begin(rows)
    finite = np.isfinite(rows)
    complete = bool(finite.all())  # The usual case, for which NumPy is much faster.
    self._update_moments(rows, finite, complete)
    self._update_range(rows, finite, complete)
    self._update_order(rows, finite)
    self._update_sample(rows)
    self._count += len(rows)

  @property
  def rows(self) -> np.ndarray:
    """The sample in the order of the table, [m, N]; all rows where there are no more than m."""
    return self._rows

  def columns(self) -> tuple[Column, ...]:
    """Returns what is known so far; raises ValueError before the first row."""
    if not self._count:
      raise ValueError('The table has no rows: nothing is known of its columns.')
    samples = (values[np.isfinite(values)] for values in self._rows.T)
    return tuple(column(self._moments(k), values) for k, values in enumerate(samples))

  def _begin(self, rows: np.ndarray) -> None:
    width = rows.shape[1]
    self._names = self._names or [str(k) for k in range(width)]
    self._sample = max(1, min(self._sample, MOST_NUMBERS // width))
    self._finite = np.zeros(width, np.int64)
    self._origin = np.full(width, np.nan)  # First finite value: means are distances from it.
    self._mean, self._squares = np.zeros(width), np.zeros(width)
    self._least, self._greatest = np.full(width, np.inf), np.full(width, -np.inf)
    self._whole, self._rising, self._falling = (np.ones(width, bool) for _ in range(3))
    self._last = rows[:0]
    self._rows: np.ndarray = np.empty((0, width))
    self._keys: np.ndarray = np.empty(0)
    self._bound = 1.0

  def _update_moments(self, rows: np.ndarray, finite: np.ndarray, complete: bool) -> None:
    """Chan's update of mean and sum of squared distances from it, [N] each."""
    number = finite.sum(axis=0)
    weight = number / np.maximum(self._finite + number, 1)
    first = np.take_along_axis(rows, np.argmax(finite, axis=0)[np.newaxis], axis=0)[0]
    fresh = np.isnan(self._origin) & (number > 0)
    self._origin[fresh] = first[fresh]
    with np.errstate(over='ignore', invalid='ignore'):  # Infinite rows, and squares of huge values.
      values = rows - self._origin
      if not complete:
        values[~finite] = 0.0
      mean = np.sum(values, axis=0) / np.maximum(number, 1)
      values -= mean
      if not complete:
        values[~finite] = 0.0
      squares = np.einsum('nk,nk->k', values, values)
      shift = np.where(number > 0, mean - self._mean, 0.0)
      self._squares += squares + shift**2 * (self._finite * weight)
      self._mean += shift * weight
    self._finite += number

  def _update_range(self, rows: np.ndarray, finite: np.ndarray, complete: bool) -> None:
    low, high = (rows, rows) if complete else (np.where(finite, rows, x) for x in (np.inf, -np.inf))
    self._least = np.minimum(self._least, np.min(low, axis=0, initial=np.inf))
    self._greatest = np.maximum(self._greatest, np.max(high, axis=0, initial=-np.inf))

  def _update_order(self, rows: np.ndarray, finite: np.ndarray) -> None:
    """Notes if values are whole, and rise or fall from row to row, where still in question."""
    k = np.flatnonzero(self._whole)
    self._whole[k] = np.all((np.floor(rows[:, k]) == rows[:, k]) | ~finite[:, k], axis=0)
    k = np.flatnonzero(self._whole & (self._rising | self._falling))
    chain = np.concatenate([self._last[:, k], rows[:, k]])
    self._rising[k] &= np.all(chain[1:] > chain[:-1], axis=0)
    self._falling[k] &= np.all(chain[1:] < chain[:-1], axis=0)
    self._last = rows[-1:].copy() if len(rows) else self._last

  def _update_sample(self, rows: np.ndarray) -> None:
    """Rows of the smallest keys, in the order of the table."""
    keys = self._rng.random(len(rows))
    small = np.flatnonzero(keys < self._bound)
    self._rows = np.concatenate([self._rows, rows[small]])
    self._keys = np.concatenate([self._keys, keys[small]])
    if len(self._keys) > self._sample:
      smallest = np.sort(np.argpartition(self._keys, self._sample - 1)[: self._sample])
      self._rows, self._keys = self._rows[smallest], self._keys[smallest]
      self._bound = float(np.max(self._keys))

  def _moments(self, k: int) -> Moments:
    """Statistics of column k."""
    names, present = self._names or [], int(self._finite[k])
    mean = self._origin[k] + self._mean[k]
    least, greatest = float(self._least[k]), float(self._greatest[k])
    return Moments(
      name=names[k],
      count=self._count,
      missing=self._count - present,
      least=least,
      greatest=greatest,
      mean=float(np.clip(mean, least, greatest)) if present else np.nan,
      deviation=float(np.sqrt(self._squares[k] / max(present, 1))),
      whole=bool(self._whole[k]),
      ordered=bool(self._whole[k] and (self._rising[k] or self._falling[k])),
    )
