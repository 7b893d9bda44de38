"""NumPy's files as tables, in blocks: .npy, and the arrays of a .npz."""

from __future__ import annotations

import dataclasses
import math
import pathlib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import IO

import numpy as np

from ma_keras.data import byte_streams
from ma_keras.data.reader import Blocks, Reader

BLOCK_BYTES = 1 << 20
LARGEST = 2**53  # Below, every whole number has a float64; 2^53 + 1 becomes 2^53.
Opener = Callable[[], IO[bytes]]


def open_npy(path: pathlib.Path) -> Reader:
  """The rows of an array [n, ...], or the fields of a structured one [n].

  Raises:
    ValueError: It holds no rows of numbers; the message goes on after the name of the file.
  """
  return _rows(path, '.npy', byte_streams.opener(path))


def open_npz(path: pathlib.Path, array: str | None = None) -> Reader:
  """The array of a .npz; arrays of one axis and one length are columns by name.

  Args:
    path: The file.
    array: Which one, if there are several.

  Raises:
    ValueError: There are several and none is named, or it holds no rows of numbers.
  """
  with zipfile.ZipFile(path) as file:
    names = members(file)
  if not names:
    raise ValueError('is a zip of something else than arrays: unpack it')
  if array is None and len(names) > 1:
    shapes = {_header(_member(path, name))[0] for name in names}
    if len(shapes) == 1 == len(shapes.pop()):
      return _columns(path, names)
    raise ValueError(f'holds the arrays {names}: choose one by --array')
  name = names[0] if array is None else array
  if name not in names:
    raise ValueError(f'has no array {name!r}, only {names}')
  reader = _rows(path, '.npz', _member(path, name))
  return dataclasses.replace(reader, part=f', array {name!r}')


def members(file: zipfile.ZipFile) -> list[str]:
  """Names of the arrays of a .npz."""
  return [name.removesuffix('.npy') for name in file.namelist() if name.endswith('.npy')]


def _member(path: pathlib.Path, name: str) -> Opener:
  return lambda: zipfile.ZipFile(path).open(f'{name}.npy')


def _header(opener: Opener) -> tuple[tuple[int, ...], bool, np.dtype]:
  """Shape, whether columns come first, dtype."""
  with opener() as file:
    return _read_header(file)


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
  version = np.lib.format.read_magic(file)
  if version == (1, 0):
    return np.lib.format.read_array_header_1_0(file)
  return np.lib.format.read_array_header_2_0(file)


def _rows(path: pathlib.Path, form: str, opener: Opener) -> Reader:
  shape, columns_first, dtype = _header(opener)
  if dtype.names:
    return _fields(path, form, opener)
  if len(shape) < 2 or not _is_numeric(dtype):
    what = 'Python objects' if dtype.hasobject else f'{dtype} {list(shape)}'
    raise ValueError(f'cannot be read: it must hold numbers in rows, [n, N], and holds {what}')

  def read(numbers: Sequence[int], ids: int | None) -> Blocks:
    for block in _blocks(path, opener, shape, columns_first, dtype):
      rows = block.reshape(len(block), -1)
      labels = [str(value) for value in rows[:, ids]] if ids is not None else None
      yield _exact(path, rows[:, _slice(numbers)]), labels

  return Reader(
    path=path,
    form=f'{form}, {dtype}',
    width=math.prod(shape[1:]),
    read=read,
    num_rows=shape[0],
    event_shape=shape[1:],
    levels=256 if dtype == np.uint8 else None,
  )


def _fields(path: pathlib.Path, form: str, opener: Opener) -> Reader:
  """Columns by the names of a structured array."""
  shape, columns_first, dtype = _header(opener)
  names = dtype.names or ()
  if len(shape) != 1:
    raise ValueError(f'must hold records in rows, [n], got {list(shape)}')

  def read(numbers: Sequence[int], ids: int | None) -> Blocks:
    for block in _blocks(path, opener, shape, columns_first, dtype):
      labels = [str(value) for value in block[names[ids]]] if ids is not None else None
      columns = [_exact(path, block[names[j]]) for j in numbers]
      yield _beside(columns, len(block)), labels

  return Reader(
    path=path,
    form=f'{form} of records',
    width=len(names),
    read=read,
    names=tuple(names),
    unfit={j: str(dtype[j]) for j in range(len(names)) if not _is_numeric(dtype[j])},
    num_rows=shape[0],
  )


def _beside(columns: list[np.ndarray], count: int) -> np.ndarray:
  """Columns side by side, [count, N], where there may be none."""
  return np.stack(columns, axis=-1) if columns else np.empty((count, 0))


def _columns(path: pathlib.Path, names: list[str]) -> Reader:
  """Arrays [n] of a .npz as columns."""
  headers = [_header(_member(path, name)) for name in names]

  def read(numbers: Sequence[int], ids: int | None) -> Blocks:
    included = [*numbers, *([ids] if ids is not None else [])]
    sources = [_blocks(path, _member(path, names[j]), *headers[j], rows=1 << 16) for j in included]
    for blocks in zip(*sources):
      labels = [str(value) for value in blocks[-1]] if ids is not None else None
      columns = [_exact(path, block) for block in blocks[: len(numbers)]]
      yield _beside(columns, len(blocks[0])), labels

  return Reader(
    path=path,
    form='.npz of columns',
    width=len(names),
    read=read,
    names=tuple(names),
    unfit={j: str(dtype) for j, (_, _, dtype) in enumerate(headers) if not _is_numeric(dtype)},
    num_rows=headers[0][0][0],
  )


def _blocks(
  path: pathlib.Path,
  opener: Opener,
  shape: tuple[int, ...],
  columns_first: bool,
  dtype: np.dtype,
  rows: int | None = None,
) -> Iterator[np.ndarray]:
  """Blocks [b, ...] of an array, in order; raises ValueError if the file ends before it."""
  size = math.prod(shape[1:]) * dtype.itemsize
  rows = rows or max(BLOCK_BYTES // max(size, 1), 1)
  if columns_first and len(shape) > 1:
    array = _whole(path, opener)
    yield from (np.asarray(array[k : k + rows]) for k in range(0, shape[0], rows))
    return
  with opener() as file:  # Read, not mapped: a map of a file that becomes shorter kills.
    _read_header(file)
    for k in range(0, shape[0], rows):
      number = min(rows, shape[0] - k)
      content = file.read(number * size)
      if len(content) < number * size:
        raise ValueError(f'`path` {path} became shorter while it was read.')
      yield np.frombuffer(content, dtype).reshape(number, *shape[1:])


def _whole(path: pathlib.Path, opener: Opener) -> np.ndarray:
  """An array whose columns come first: a map where it is a file of its own."""
  if path.suffix.lower() == '.npy':
    return np.load(path, mmap_mode='r', allow_pickle=False)
  with opener() as file:
    return np.lib.format.read_array(file, allow_pickle=False)


def _slice(numbers: Sequence[int]) -> slice | Sequence[int]:
  """A slice where it is one, so that no column is copied twice."""
  first = numbers[0] if numbers else 0
  together = list(numbers) == list(range(first, first + len(numbers)))
  return slice(first, first + len(numbers)) if together else list(numbers)


def _exact(path: pathlib.Path, block: np.ndarray) -> np.ndarray:
  """The numbers in double precision; raises ValueError if whole ones were changed by it."""
  rows = block.astype(np.float64)
  if block.dtype.kind in 'iu' and block.dtype.itemsize == 8 and np.any(np.abs(rows) >= LARGEST):
    raise ValueError(
      f'`path` {path} holds whole numbers of 2^53 and beyond, which double precision cannot '
      'hold: leave their columns out by --ignore_columns.'
    )
  return rows


def _is_numeric(dtype: np.dtype) -> bool:
  return dtype.kind in 'uifb' and dtype.shape == ()
