"""Keys in the names of folders, `year=2024/part-0.parquet`, as columns of the tables within."""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

import numpy as np

from ma_keras.data.reader import Blocks, Reader

MISSING = '__HIVE_DEFAULT_PARTITION__'  # What writers call the folder of a missing value.
NUMBER = re.compile(r'[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?')
EXACT = 2.0**53  # Whole numbers below are exact in float64.


def keys(folder: pathlib.Path, file: pathlib.Path) -> dict[str, str]:
  """Key -> value of the folders KEY=VALUE between a folder and a file in it."""
  names = file.relative_to(folder).parent.parts
  pairs = [name.split('=', 1) for name in names if '=' in name[1:]]
  return {unquote(key): unquote(value) for key, value in pairs}


def with_keys(readers: Sequence[Reader], values: Sequence[Mapping[str, str]]) -> list[Reader]:
  """Readers with a further column for every key: a number, or text where one value is none.

  A column of the file hides a key of its name. Files whose columns have no names have no further
  ones, and say so.

  Args:
    readers: Readers of the files of a folder, of like columns.
    values: Key -> value for each of them.

  Raises:
    ValueError: The files have different keys; the message goes on after the name of the folder.
  """
  first = dict(values[0])
  for reader, pairs in zip(readers, values):
    if set(pairs) != set(first):
      raise ValueError(
        f'has files below other keys, {sorted(first)} and {sorted(pairs)} of {reader.path.name}: '
        'all must be alike'
      )
  if any(reader.names is None for reader in readers):
    note = f'; keys of folders left out, as columns have no names: {", ".join(first)}'
    return [dataclasses.replace(r, form=r.form + note * bool(first)) for r in readers]
  names = [key for key in first if not any(key in (reader.names or ()) for reader in readers)]
  texts = {key for key in names if not all(_is_number(pairs[key]) for pairs in values)}
  return [
    _with_columns(reader, {key: pairs[key] for key in names}, texts)
    for reader, pairs in zip(readers, values)
  ]


def _is_number(value: str) -> bool:
  return value == MISSING or bool(NUMBER.fullmatch(value) and abs(float(value)) < EXACT)


def _with_columns(reader: Reader, values: Mapping[str, str], texts: set[str]) -> Reader:
  """The reader with columns of these names behind its own, each of one value."""
  if not values:
    return reader
  width, cells = reader.width, list(values.values())
  numbers = [
    np.nan if name in texts or cell == MISSING else float(cell) for name, cell in values.items()
  ]
  text = {width + k: 'text' for k, name in enumerate(values) if name in texts}

  def read(columns: Sequence[int], ids: int | None) -> Blocks:
    own = [j for j in columns if j < width]
    counted = own or [j for j in range(width) if j not in reader.unfit][:1]  # For their number.
    for block, labels in reader.read(counted, ids if ids is None or ids < width else None):
      rows = np.empty((len(block), len(columns)))
      rows[:, [k for k, j in enumerate(columns) if j < width]] = block[:, : len(own)]
      for k, j in enumerate(columns):
        if j >= width:
          rows[:, k] = numbers[j - width]
      yield rows, [cells[ids - width]] * len(rows) if ids is not None and ids >= width else labels

  return dataclasses.replace(
    reader,
    width=width + len(cells),
    read=read,
    names=(*(reader.names or ()), *values),
    unfit={**reader.unfit, **text},
    spare={**reader.spare, **{j: 'text in names of folders' for j in text}},
    event_shape=None,
  )
