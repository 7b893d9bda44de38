"""Tables of points on disk, a block of rows at a time: larger than memory is fine."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import itertools
import math
import pathlib
from collections.abc import Callable, Iterator
from typing import IO, TextIO

import numpy as np
import tensorflow as tf

from ma_keras.replacing import check_room, replacing, target

IMAGES = ('.png', '.jpg', '.jpeg', '.bmp')
SURVEY_ROWS = 10_000
SHOWN = 5
LEAST_CELL = 2  # Bytes of a number in a .csv: a digit and a comma.


@dataclasses.dataclass(frozen=True)
class Table:
  """Rows of numbers.

  Attributes:
    path: Where they lie.
    labels: What stands before every row of a result: the names of pictures, numbers from 0 else.
    read: Rows per block -> the blocks in turn, [b, ...].
  """

  path: pathlib.Path
  labels: range | list[str]
  read: Callable[[int], Iterator[np.ndarray]]

  def __len__(self) -> int:
    """Number of rows."""
    return len(self.labels)

  def blocks(self, size: int, row_size: int) -> Iterator[np.ndarray]:
    """The rows as points of R^N, [b, N], `size` at a time.

    Raises:
      ValueError: A row has another size than N.
    """
    for block in self.read(size):
      rows = block.reshape(len(block), -1)
      if rows.shape[1] != row_size:
        raise ValueError(
          f'`path` {self.path} has {rows.shape[1]} numbers in a row, and the model takes '
          f'{row_size}.'
        )
      yield rows

  def check(self, row_size: int) -> bool:
    """Reads all of it once, before any work is done.

    Args:
      row_size: N of the model.

    Returns:
      Whether all its numbers are whole: quantised, where they are pixels.

    Raises:
      ValueError: A row has another size, or holds NaN or infinity; the first of them are named.
    """
    bad: list[int] = []
    start, whole = 0, True
    for rows in self.blocks(SURVEY_ROWS, row_size):
      bad += (start + np.flatnonzero(~np.isfinite(rows).all(axis=1))).tolist()
      whole = whole and bool(np.all(rows == np.floor(rows)))
      start += len(rows)
    if bad:
      raise ValueError(
        f'`path` {self.path} holds NaN or infinity in {len(bad)} rows, the first of them '
        f'{[self.labels[k] for k in bad[:SHOWN]]}: remove those rows.'
      )
    return whole


def open_table(path: str | pathlib.Path) -> Table:
  """A .csv (one point a line, perhaps after a header), a .npy, or a folder of pictures.

  Args:
    path: The file or folder.

  Returns:
    The table, of which nothing but the number of rows was read.

  Raises:
    ValueError: There is none, or it is no such table.
  """
  path = pathlib.Path(path)
  if path.is_dir():
    return _pictures(path)
  readers = {'.csv': _csv, '.npy': _npy}
  if path.suffix not in readers:
    raise ValueError(f'`path` must be a .csv, a .npy or a folder of pictures, got {path}.')
  try:
    return readers[path.suffix](path)
  except (OSError, UnicodeDecodeError, EOFError) as error:
    raise ValueError(f'`path` {path} cannot be read: {error}.') from error


def _npy(path: pathlib.Path) -> Table:
  try:
    array = np.load(path, mmap_mode='r', allow_pickle=False)
  except ValueError as error:
    raise ValueError(f'`path` {path} is no .npy ({error}): write it with numpy.save.') from error
  if array.ndim < 2 or array.dtype.kind not in 'uif':
    raise ValueError(
      f'`path` {path} must hold numbers in rows, [n, N], got {array.dtype} {list(array.shape)}.'
    )

  def read(size: int) -> Iterator[np.ndarray]:
    if not array.flags.c_contiguous:
      yield from (np.asarray(array[k : k + size]) for k in range(0, len(array), size))
      return
    with path.open('rb') as file:  # A map of a file that becomes shorter kills the process.
      file.seek(array.offset)
      for k in range(0, len(array), size):
        shape = (min(size, len(array) - k), *array.shape[1:])
        block = np.fromfile(file, array.dtype, math.prod(shape))
        if block.size < math.prod(shape):
          raise ValueError(f'`path` {path} became shorter while it was read.')
        yield block.reshape(shape)

  return Table(path, range(len(array)), read)


def _csv(path: pathlib.Path) -> Table:
  with path.open(newline='') as file:
    lines = filter(None, csv.reader(file))
    header = _is_header(next(lines, []))
    number = sum(1 for _ in lines) + (not header)
  if number < 1 or path.stat().st_size == 0:
    raise ValueError(f'`path` {path} is empty: one point a line, numbers between commas.')

  def read(size: int) -> Iterator[np.ndarray]:
    with path.open(newline='') as file:
      lines = itertools.islice(filter(None, csv.reader(file)), header, header + number)
      start = 0
      while block := list(itertools.islice(lines, size)):
        yield np.array([_numbers(path, start + k, row, block[0]) for k, row in enumerate(block)])
        start += len(block)

  return Table(path, range(number), read)


def _is_header(row: list[str]) -> bool:
  try:
    [float(cell) for cell in row]
  except ValueError:
    return True
  return False


def _numbers(path: pathlib.Path, number: int, row: list[str], first: list[str]) -> list[float]:
  if len(row) != len(first):
    raise ValueError(
      f'`path` {path} has {len(row)} cells in row {number} (from 0, without header), and '
      f'{len(first)} before: give every row as many.'
    )
  try:
    return [float(cell) for cell in row]
  except ValueError as error:
    raise ValueError(f'`path` {path}, row {number} (from 0, without header): {error}.') from error


def _pictures(folder: pathlib.Path) -> Table:
  files = sorted(file for file in folder.iterdir() if file.suffix.lower() in IMAGES)
  if not files:
    raise ValueError(f'`path` {folder} holds no picture, {", ".join(IMAGES)}.')

  def read(size: int) -> Iterator[np.ndarray]:
    for k in range(0, len(files), size):
      yield np.stack([_picture(file, files[0]) for file in files[k : k + size]])

  return Table(folder, [file.name for file in files], read)


def _picture(file: pathlib.Path, first: pathlib.Path) -> np.ndarray:
  try:
    pixels = tf.io.decode_image(file.read_bytes(), expand_animations=False).numpy()
  except tf.errors.InvalidArgumentError as error:
    raise ValueError(f'`path` {file} is no picture, or is damaged.') from error
  if file != first and pixels.shape != (shape := _picture(first, first).shape):
    raise ValueError(
      f'`path` {file} is {list(pixels.shape)}, and {first.name} {list(shape)}: all must be alike.'
    )
  return pixels


Write = Callable[[np.ndarray], None]


@contextlib.contextmanager
def writing(
  path: str | pathlib.Path,
  num_rows: int,
  event_shape: tuple[int, ...],
  header: list[str],
  labels: range | list[str] | None = None,
) -> Iterator[Write]:
  """Yields write(block), for blocks [b, ...] in order; the file gets its name when all are in it.

  Args:
    path: A .csv (events flattened) or a .npy (float32).
    num_rows: Rows in all.
    event_shape: Of a row; () for one number.
    header: Names of the columns of a .csv, that of the labels among them.
    labels: The first column of a .csv, if any.

  Raises:
    ValueError: It is neither, or its folder is missing, or other than `num_rows` rows were written.
    OSError: The disk has no room for that many.
  """
  path = pathlib.Path(path)
  if path.suffix not in ('.csv', '.npy'):
    raise ValueError(f'`path` must be a .csv or .npy, got {path}.')
  number = num_rows * math.prod(event_shape)
  check_room(target(path).parent, number * (4 if path.suffix == '.npy' else LEAST_CELL))
  rows = 0

  def counting(write: Write) -> Write:
    def counted(block: np.ndarray) -> None:
      nonlocal rows
      rows += len(block)
      write(block)

    return counted

  with replacing(path) as beside:
    if path.suffix == '.npy':
      with beside.open('wb') as file:
        yield counting(_npy_writer(file, (num_rows, *event_shape)))
    else:
      with beside.open('w', newline='') as lines:
        csv.writer(lines).writerow(header)
        yield counting(_csv_writer(lines, labels))
    if rows != num_rows:
      raise ValueError(f'{rows} rows came for {path}, of {num_rows}: did the input change?')


def _npy_writer(file: IO[bytes], shape: tuple[int, ...]) -> Write:
  """Bytes in order: writing to a map of a file where the disk is full kills the process."""
  header = {'descr': '<f4', 'fortran_order': False, 'shape': shape}
  np.lib.format.write_array_header_1_0(file, header)

  def write(block: np.ndarray) -> None:
    file.write(np.asarray(block, '<f4').tobytes())

  return write


def _csv_writer(file: TextIO, labels: range | list[str] | None) -> Write:
  writer, unused = csv.writer(file), iter(labels or ())

  def write(block: np.ndarray) -> None:
    for row in block.reshape(len(block), -1).tolist():
      writer.writerow(row if labels is None else [next(unused), *row])

  return write
