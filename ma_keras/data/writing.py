"""Tables that are written a block at a time, and are whole or absent."""

from __future__ import annotations

import contextlib
import csv
import math
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import IO, TextIO

import numpy as np

from ma_keras.files.replacing import check_room, replacing, target

LEAST_CELL = 2  # Bytes of a number in a .csv: a digit and a comma.
Write = Callable[..., None]


@contextlib.contextmanager
def writing(
  path: str | pathlib.Path,
  num_rows: int | None,
  event_shape: tuple[int, ...],
  header: list[str],
  dtype: np.typing.DTypeLike = np.float32,
) -> Iterator[Write]:
  """Yields write(block, labels=None); the file gets its name when all blocks are in it.

  Blocks [b, ...] come in order, labels [b] with all or none of them.

  Args:
    path: A .csv (events flattened, labels first) or a .npy (without labels).
    num_rows: Rows in all; None if nobody knows yet.
    event_shape: Of a row; () for one number.
    header: Names of the columns of a .csv, that of the labels among them.
    dtype: Of the numbers of a .npy.

  Raises:
    ValueError: It is neither, or its folder is missing, or other than `num_rows` rows were written.
    OSError: The disk has no room for that many.
  """
  path = pathlib.Path(path)
  suffix = path.suffix.lower()
  if suffix not in ('.csv', '.npy'):
    raise ValueError(f'`path` must be a .csv or .npy, got {path}.')
  cell = np.dtype(dtype).itemsize if suffix == '.npy' else LEAST_CELL
  check_room(target(path).parent, (num_rows or 0) * math.prod(event_shape) * cell)
  with replacing(path) as beside:
    if suffix == '.npy':
      with beside.open('wb') as file:
        array = _Npy(file, event_shape, np.dtype(dtype), num_rows)
        yield array.write
        array.close()
      rows = array.rows
    else:
      with beside.open('w', newline='', encoding='utf-8') as lines:
        table = _Csv(lines, header)
        yield table.write
      rows = table.rows
    if num_rows not in (None, rows):
      raise ValueError(f'{rows} rows came for {path}, of {num_rows}: did the input change?')


class _Npy:
  """An array, its bytes in order: writing to a map where the disk is full kills the process."""

  def __init__(
    self, file: IO[bytes], event_shape: tuple[int, ...], dtype: np.dtype, num_rows: int | None
  ) -> None:
    self.rows = 0
    self._file, self._event_shape, self._dtype = file, event_shape, dtype.newbyteorder('<')
    self._write_header(num_rows or 0)

  def _write_header(self, num_rows: int) -> None:
    """NumPy leaves room in it, so that a larger number has place where a smaller one was."""
    header = {'descr': self._dtype.str, 'fortran_order': False}
    np.lib.format.write_array_header_1_0(
      self._file, {**header, 'shape': (num_rows, *self._event_shape)}
    )

  def write(self, block: np.ndarray, labels: Sequence[int | str] | None = None) -> None:
    """Appends rows."""
    del labels
    self.rows += len(block)
    self._file.write(np.ascontiguousarray(block, self._dtype).tobytes())

  def close(self) -> None:
    """Says in the header how many rows came."""
    self._file.seek(0)
    self._write_header(self.rows)


class _Csv:
  """Rows of text."""

  def __init__(self, file: TextIO, header: list[str]) -> None:
    self.rows = 0
    self._writer = csv.writer(file)
    self._writer.writerow(header)

  def write(self, block: np.ndarray, labels: Sequence[int | str] | None = None) -> None:
    """Appends rows, each behind its label."""
    self.rows += len(block)
    columns = block.reshape(len(block), -1).T.tolist()
    self._writer.writerows(zip(*([labels] if labels is not None else []), *columns))
