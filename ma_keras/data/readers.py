"""Readers by the kind of a file: text, Parquet, Arrow, arrays, pictures, and folders of them."""

from __future__ import annotations

import math
import pathlib
import zipfile
from collections.abc import Sequence

import numpy as np

from ma_keras.data import arrays, byte_streams, columnar, delimited, folders, pictures
from ma_keras.data.context_columns import LABEL
from ma_keras.data.reader import Blocks, Reader

KINDS = (
  'text tables (.csv, .tsv, .txt, also .gz, .bz2, .zst), Parquet, Feather and Arrow files, .npy, '
  '.npz, folders of such tables, and pictures or folders of them'
)
BINARY = {
  '.npy': '.npy',
  '.npz': 'zip',
  '.parquet': 'Parquet',
  '.pq': 'Parquet',
  '.feather': 'Arrow',
  '.arrow': 'Arrow',
  '.ipc': 'Arrow',
}
UNREAD = {
  '.xlsx': 'save it as CSV',
  '.xls': 'save it as CSV',
  '.ods': 'save it as CSV',
  '.zip': 'unpack it',
  '.tar': 'unpack it',
  '.pkl': 'save the numbers with numpy.save or as Parquet',
  '.pickle': 'save the numbers with numpy.save or as Parquet',
}
TABLES = (*BINARY, *(suffix for suffix in delimited.SUFFIXES if suffix))  # Of a folder.
PICTURES_AT_ONCE = 100


def open_reader(
  path: pathlib.Path,
  header: str,
  separator: str,
  decimal: str,
  array: str | None,
  event_shape: Sequence[int] | None = None,
  levels: int | None = None,
) -> Reader:
  """The reader for a kind of file; its errors are clauses that go on after the file's name."""
  if array is not None and path.exists() and not zipfile.is_zipfile(path):
    raise ValueError(f'is no .npz, of which --array={array} would choose an array: leave it out')
  if path.is_dir():
    files = folders.tables_within(path, TABLES)
    if pictures.is_pictures(path, len(files)) or not files:
      return _pictures(path, event_shape, levels)
    every = [open_reader(file, header, separator, decimal, None) for file in files]
    return folders.joined(path, every)
  if pictures.is_pictures(path):
    return _pictures(path, event_shape, levels)
  if path.exists() and not path.is_file():
    raise ValueError('cannot be read: it is a pipe or a device')
  with byte_streams.opener(path)() as file:
    kind = byte_streams.kind(file.read(8))
  suffix = byte_streams.suffix(path)
  expected = BINARY.get(suffix)
  if suffix in UNREAD or kind in ('HDF5', 'old Excel', 'Python objects'):
    remedy = UNREAD.get(suffix, 'save it as CSV or Parquet')
    raise ValueError(f'cannot be read: {remedy}. What is read: {KINDS}')
  if kind == '.npy':
    return arrays.open_npy(path)
  if kind == 'zip':
    return arrays.open_npz(path, array)
  if kind:
    return columnar.open_columnar(path, kind)
  if expected:
    raise ValueError(f'cannot be read: it is no {suffix}, or is damaged. What is read: {KINDS}')
  try:
    return delimited.open_text(path, header, separator, decimal)
  except ValueError as error:
    if suffix in delimited.SUFFIXES and str(error) != 'is no text':
      raise
    raise ValueError(f'cannot be read, it {error}. What is read: {KINDS}') from error


def arrays_within(path: pathlib.Path) -> tuple[str, ...]:
  """Names of the arrays of a .npz; none of any other file."""
  if not zipfile.is_zipfile(path):
    return ()
  with zipfile.ZipFile(path) as file:
    return tuple(arrays.members(file))


def _pictures(path: pathlib.Path, event_shape: Sequence[int] | None, levels: int | None) -> Reader:
  """Pictures, flat, labelled by their paths; classes, if folders tell them, in a last column."""
  source = pictures.open_pictures(path, event_shape, levels)
  size, classes = math.prod(source.shape), source.classes

  def read(numbers: Sequence[int], ids: int | None) -> Blocks:
    labels = source.labels if ids is None else classes or ()
    if not numbers:  # Nothing that a picture must be decoded for.
      yield np.empty((len(labels), 0)), labels
      return
    for start, block in enumerate(source.read(PICTURES_AT_ONCE)):
      own = labels[start * PICTURES_AT_ONCE :][: len(block)]
      yield block.reshape(len(block), -1)[:, list(numbers)].astype(np.float64), own

  return Reader(
    path=path,
    form=source.form,
    width=size + bool(classes),
    read=read,
    unfit={size: 'text, the names of folders'} if classes else {},
    spare={size: 'names of folders'} if classes else {},
    num_rows=len(source),
    event_shape=source.shape,
    levels=source.levels,
    label=LABEL if classes else '',
  )
