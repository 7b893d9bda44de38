"""Gathering all rows of a table: in memory, or beyond a size in a file beside the run."""

from __future__ import annotations

import contextlib
import functools
import pathlib
import tempfile
from collections.abc import Callable, Iterator

import numpy as np

from ma_keras.data import quantised
from ma_keras.data.disk_rows import BLOCK_ROWS, DiskRows
from ma_keras.data.table import Table
from ma_keras.data.writing import writing

MOST_BYTES = 1 << 29  # In memory; splitting takes as much again.


def gather(
  table: Table,
  key: Callable[[], str] = lambda: 'once',
  folder: pathlib.Path | None = None,
  most_bytes: int | None = None,
) -> np.ndarray | DiskRows:
  """Reads all rows of a table, into memory, or beyond a size in a file `rows-KEY.npy`.

  The file is whole or absent, and used again by whoever comes with the same key.

  Args:
    table: The table.
    key: () -> name of the content and of the way it is read; asked beyond that size alone.
    folder: Where the file goes; None: a temporary one that the process removes.
    most_bytes: The size; None for `MOST_BYTES`.

  Returns:
    float64 [n, N], or uint8 or uint16 where the numbers are levels.

  Raises:
    ValueError: As `Table.read`.
    OSError: The disk is full.
  """
  if folder is not None and any(folder.glob('rows-*.npy')):
    cache = folder / f'rows-{key()}.npy'
    if cache.exists():
      table.num_rows = len(rows := DiskRows(cache))
      return rows
  dtype = np.dtype(np.float64) if table.levels is None else quantised.dtype(table.levels)
  row_bytes = table.row_size * dtype.itemsize
  most_rows = (MOST_BYTES if most_bytes is None else most_bytes) // row_bytes
  blocks = (block.astype(dtype, copy=False) for block in table.read(BLOCK_ROWS))
  first: list[np.ndarray] = []
  for block in blocks:
    first.append(block)
    if sum(map(len, first)) > most_rows:
      break
  else:
    return np.concatenate(first)
  folder = _temporary_folder() if folder is None else folder
  return _spilled(table, first, blocks, folder / f'rows-{key()}.npy')


def _spilled(
  table: Table, first: list[np.ndarray], blocks: Iterator[np.ndarray], path: pathlib.Path
) -> DiskRows:
  path.parent.mkdir(parents=True, exist_ok=True)
  header = [str(k) for k in range(table.row_size)]
  with writing(path, None, (table.row_size,), header, first[0].dtype) as write:
    while first:
      write(first.pop(0))
    for block in blocks:
      write(block)
  for old in path.parent.glob('rows-*.npy'):
    if old != path:
      with contextlib.suppress(OSError):
        old.unlink()
  return DiskRows(path)


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory:
  return tempfile.TemporaryDirectory(prefix='ma_keras-')


def _temporary_folder() -> pathlib.Path:
  return pathlib.Path(tempfile.mkdtemp(dir=_scratch().name))
