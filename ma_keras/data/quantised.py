"""Whole numbers 0..levels-1 in tables and arrays: `--levels`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MOST_LEVELS = 65536


def dtype(levels: int) -> np.dtype:
  """The smallest integer type that holds 0..levels-1."""
  return np.dtype(np.uint8 if levels <= 256 else np.uint16)


def quantised(
  rows: np.ndarray, levels: int, where: str, names: Sequence[str] | None = None, start: int = 0
) -> np.ndarray:
  """Checks that all numbers are levels, and returns them as integers.

  Args:
    rows: Numbers of any type, shape [n, ...].
    levels: Number of levels, 2 to 65536.
    where: What they are, for the message.
    names: Of the columns of [n, N].
    start: Number of the first row.

  Returns:
    uint8 or uint16, shape [n, ...].

  Raises:
    ValueError: A number is not whole, or not in 0..levels-1; row and column are named.
  """
  if not 2 <= levels <= MOST_LEVELS:
    raise ValueError(f'`levels` must be within 2 to {MOST_LEVELS}, got {levels}: bytes have 256.')
  flat = rows.reshape(len(rows), -1)
  with np.errstate(invalid='ignore'):
    wrong = ~((flat >= 0) & (flat <= levels - 1) & (np.floor(flat) == flat))
  if np.any(wrong):
    row, column = (int(index[0]) for index in np.nonzero(wrong))
    name = names[column] if names is not None else column
    raise ValueError(
      f'{where} has {flat[row, column]:g} in row {start + row} (from 0), column {name}, and '
      f'{int(wrong.sum())} such numbers: --levels={levels} takes whole numbers 0 to {levels - 1}.'
    )
  return rows.astype(dtype(levels))
