"""A folder of tables, as one table: all rows in the natural order of the files' names."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Collection, Sequence

from ma_keras.data import byte_streams, partitions
from ma_keras.data.reader import Blocks, Reader


def tables_within(folder: pathlib.Path, suffixes: Collection[str]) -> list[pathlib.Path]:
  """The files with such suffixes in a folder and below, in the natural order of their names."""
  files = [
    file for file in folder.rglob('*') if file.is_file() and _is_table(folder, file, suffixes)
  ]
  return sorted(files, key=lambda file: _natural(file.relative_to(folder)))


def _is_table(folder: pathlib.Path, file: pathlib.Path, suffixes: Collection[str]) -> bool:
  """Tells if a file of a folder is a table; names that begin with . or _ are others' notes."""
  parts = file.relative_to(folder).parts
  hidden = any(part.startswith(('.', '_')) for part in parts)
  return not hidden and byte_streams.suffix(file) in suffixes


def _natural(path: pathlib.Path) -> list[tuple[int, str]]:
  """A key that puts part-2 before part-10."""
  words = re.findall(r'\d+|\D+', str(path))
  return [(int(word), '') if word.isdigit() else (-1, word) for word in words]


def joined(path: pathlib.Path, readers: Sequence[Reader]) -> Reader:
  """The rows of all tables of a folder, one after another.

  Args:
    path: The folder.
    readers: One for each of its files, in order.

  Raises:
    ValueError: They have other columns; the message is a clause that goes on after the path.
  """
  first, files = readers[0], [reader.path for reader in readers]
  for reader in readers[1:]:
    _check_alike(first, reader)
  readers = partitions.with_keys(readers, [partitions.keys(path, file) for file in files])
  first = readers[0]

  def read(numbers: Sequence[int], ids: int | None) -> Blocks:
    for reader in readers:
      order = [_position(first, reader, j) for j in numbers]
      yield from reader.read(order, None if ids is None else _position(first, reader, ids))

  counts = [reader.num_rows for reader in readers]
  name = files[0].relative_to(path)
  return Reader(
    path=path,
    form=f'{len(files)} files, the first of them {name}: {first.form}',
    width=first.width,
    read=read,
    names=first.names,
    unfit=first.unfit,
    spare=first.spare,
    num_rows=None if None in counts else sum(count or 0 for count in counts),
    event_shape=first.event_shape,
    levels=first.levels if all(reader.levels == first.levels for reader in readers) else None,
  )


def _check_alike(first: Reader, reader: Reader) -> None:
  same = reader.width == first.width and sorted(reader.names or ()) == sorted(first.names or ())
  if not same:
    raise ValueError(
      f'has files of other columns, {first.path.name} and {reader.path.name}: all must be alike'
    )


def _position(first: Reader, reader: Reader, number: int) -> int:
  """Number in another reader of the column with this number in the first."""
  if first.names and reader.names and first.names != reader.names:
    return reader.names.index(first.names[number])
  return number
