"""Rows in a file that is read where rows are asked for, like an array that takes no memory."""

from __future__ import annotations

import functools
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

BLOCK_ROWS = 1 << 14


def row_numbers(count: int) -> np.ndarray:
  """0, 1, ..., count - 1, in four bytes each where they suffice."""
  return np.arange(count, dtype=np.uint32 if count <= 1 << 32 else np.int64)


class DiskRows:
  """Rows of a .npy [n, N] in some order.

  An index, a slice or an array of indices gives an array. The file is read, not mapped, so that
  the process grows by four bytes a row, and does not die if the file is cut off. Neighbours are
  read at once, others in the order of the file.

  Attributes:
    path: The file.
    order: Numbers of the rows in the file, [n]; uint32 up to four milliards.
    shape: (n, N).
    dtype: That of the file.
  """

  def __init__(self, path: pathlib.Path, order: np.ndarray | None = None) -> None:
    """Reads the header alone; `order` is that of the file by default."""
    header = np.load(path, mmap_mode='r', allow_pickle=False)
    self.path = path
    self.order = row_numbers(len(header)) if order is None else order
    self.shape = (len(self.order), header.shape[1])
    self.dtype = header.dtype
    self._offset = int(header.offset)

  def __len__(self) -> int:
    """n."""
    return self.shape[0]

  def of(self, indices: np.ndarray) -> DiskRows:
    """Some of the rows, unread."""
    return DiskRows(self.path, self.order[indices])

  def whole(self) -> DiskRows:
    """All rows of the file in its own order, in which they are read fastest."""
    return DiskRows(self.path)

  def __getitem__(self, index: Any) -> np.ndarray:
    """Reads rows: an array [..., N]."""
    numbers = self.order[index]
    flat = np.ravel(numbers)
    rows = np.empty((flat.size, self.shape[1]), self.dtype)
    if flat.size and np.all(np.diff(flat) == 1):
      for k in range(0, flat.size, BLOCK_ROWS):
        self._read(rows[k : k + BLOCK_ROWS], int(flat[k]))
    else:
      for k in np.argsort(flat).tolist():
        self._read(rows[k], int(flat[k]))
    return rows.reshape(*np.shape(numbers), self.shape[1])

  def _read(self, rows: np.ndarray, number: int) -> None:
    """Fills rows with those of the file from a number on; raises ValueError beyond its end."""
    start = self._offset + number * self.shape[1] * rows.itemsize
    if os.preadv(self._descriptor, [rows.data], start) < rows.nbytes:
      raise ValueError(f'{self.path} became shorter while it was read: delete it.')

  def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
    """Reads all rows into memory."""
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
