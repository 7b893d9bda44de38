"""Rows of a table: in memory, or beyond a size in a file that is read where rows are asked for."""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ma_keras.data.tables import Table
from ma_keras.data.writing import writing

BLOCK_ROWS = 1 << 14
MOST_BYTES = 1 << 29  # In memory; splitting takes as much again.


class DiskRows:
  """Rows of a .npy, float64 [n, N], in some order: like an array that takes no memory.

  An index, a slice or an array of indices gives an array. The file is read, not mapped, so that
  the process grows by nothing, and does not die if the file is cut off.

  Attributes:
    path: The file.
    order: Numbers of the rows in the file, int64 [n].
    shape: (n, N).
    dtype: float64.
  """

  dtype = np.dtype(np.float64)

  def __init__(self, path: pathlib.Path, order: np.ndarray | None = None) -> None:
    """Reads the header alone; `order` is that of the file by default."""
    header = np.load(path, mmap_mode='r', allow_pickle=False)
    self.path = path
    self.order = np.arange(len(header)) if order is None else order
    self.shape = (len(self.order), header.shape[1])
    self._offset = int(header.offset)

  def __len__(self) -> int:
    """n."""
    return self.shape[0]

  def of(self, indices: np.ndarray) -> DiskRows:
    """Some of the rows, unread."""
    return DiskRows(self.path, self.order[indices])

  def __getitem__(self, index: Any) -> np.ndarray:
    """Reads rows: an array [..., N]."""
    numbers = self.order[index]
    rows = np.empty((np.size(numbers), self.shape[1]))
    size = rows.shape[1] * rows.itemsize
    for row, number in zip(rows, np.ravel(numbers).tolist()):
      if os.preadv(self._descriptor, [row], self._offset + number * size) < size:
        raise ValueError(f'{self.path} became shorter while it was read: delete it.')
    return rows.reshape(*np.shape(numbers), self.shape[1])

  def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
    """All rows, in memory."""
    return np.asarray(self[:], dtype)

  def blocks(self, size: int = BLOCK_ROWS) -> Iterator[np.ndarray]:
    """The rows in order, [b, N] at a time."""
    return (self[k : k + size] for k in range(0, len(self), size))

  @functools.cached_property
  def _descriptor(self) -> int:
    return os.open(self.path, os.O_RDONLY)

  def __del__(self) -> None:
    """Closes the file."""
    if '_descriptor' in self.__dict__:
      os.close(self._descriptor)


Rows = Any  # An array, or `DiskRows`.


def gather(
  table: Table,
  key: Callable[[], str] = lambda: 'once',
  folder: pathlib.Path | None = None,
  most_bytes: int | None = None,
) -> Rows:
  """All rows of a table, in memory, or beyond a size in a file `rows-KEY.npy`.

  The file is whole or absent, and used again by whoever comes with the same key.

  Args:
    table: The table.
    key: () -> name of the content and of the way it is read; asked beyond that size alone.
    folder: Where the file goes; None: a temporary one that the process removes.
    most_bytes: The size; None for `MOST_BYTES`.

  Returns:
    float64 [n, N].

  Raises:
    ValueError: As `Table.read`.
    OSError: The disk is full.
  """
  if folder is not None and any(folder.glob('rows-*.npy')):
    kept = folder / f'rows-{key()}.npy'
    if kept.exists():
      table.num_rows = len(rows := DiskRows(kept))
      return rows
  most_rows = (MOST_BYTES if most_bytes is None else most_bytes) // (8 * table.event_size)
  blocks = table.read(BLOCK_ROWS)
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
  header = [str(k) for k in range(table.event_size)]
  with writing(path, None, (table.event_size,), header, np.float64) as write:
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
