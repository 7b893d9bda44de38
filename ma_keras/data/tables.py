"""Tables of numbers on disk, a block of rows at a time: larger than memory is fine.

One reader for training, scores, evaluation and certificates; docs/tables.md says what it takes.
"""

from __future__ import annotations

import math
import pathlib
import re
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import pyarrow as pa

from ma_keras.data import (
  arrays,
  byte_streams,
  columnar,
  context_reading,
  delimited,
  partitions,
  pictures,
  quantised,
)
from ma_keras.data.context_columns import LABEL, ContextColumn
from ma_keras.data.frames import from_frame
from ma_keras.data.reader import Blocks, Reader
from ma_keras.data.selection import Selection, select

__all__ = ['Table', 'from_frame', 'open_table']

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
REMEDY = 'mend them, or leave such rows out by --missing=drop'
SHOWN = 5
PICTURES_AT_ONCE = 100
FOLDERS = 'put every picture into the folder of its class, 3/a.png or label=3/a.png'
UNREADABLE = (pa.ArrowException, UnicodeError, EOFError, zipfile.BadZipFile, zlib.error)


class Table:
  """Rows of numbers that are still on the disk, of columns that are known.

  Attributes:
    path: Where they lie.
    names: Names of the N columns, or None.
    event_shape: Shape of a row as the file has it, (28, 28, 1) say; [N] if columns were chosen.
    num_rows: Rows of the file; None for text before all of it was read.
    levels: Number of values of quantised numbers, 0..levels-1; None for real ones.
    contexts: O context columns, whose numbers and codes stand before the N others in every row.
    dropped: Labels of the first rows that were left out since a value was missing.
    num_dropped: How many were, up to where it was read.
  """

  def __init__(
    self,
    reader: Reader,
    selection: Selection,
    missing: str,
    levels: int | None = None,
    contexts: Sequence[ContextColumn] = (),
  ) -> None:
    """Nothing is read yet; see `open_table`."""
    self.path = reader.path
    self.names = selection.names
    size = len(selection.numbers)
    width = reader.width - bool(reader.label)
    whole = reader.event_shape and selection.numbers == tuple(range(width))
    self.event_shape = tuple(reader.event_shape) if whole and reader.event_shape else (size,)
    self.num_rows = reader.num_rows
    self.levels = levels or reader.levels
    self.contexts = tuple(contexts)
    self.dropped: list[int | str] = []
    self.num_dropped = 0
    self._reader, self._selection, self._missing = reader, selection, missing
    self._where = f'{reader.path}{reader.part}'
    self._fault = ''

  @property
  def event_size(self) -> int:
    """N."""
    return len(self._selection.numbers)

  @property
  def row_size(self) -> int:
    """Numbers in a row that is read: O + N."""
    return len(self.contexts) + self.event_size

  @property
  def understood(self) -> str:
    """Says how the file was understood, in one line; with the number of rows once it is known."""
    rows = '' if self.num_rows is None else f'{_counted(self.num_rows)}, '
    drops = f'; {self.drops()}' if self.num_dropped else ''
    name = f'{self.path.name}{self._reader.part}'
    return f'{name}: {self._reader.form}; {rows}{self._selection}{drops}'

  def drops(self) -> str:
    """Says which rows were left out since a value was missing."""
    first = ', '.join(map(str, self.dropped))
    rest = ', ...' if self.num_dropped > len(self.dropped) else ''
    return f'{_counted(self.num_dropped)} with missing values left out: {first}{rest}'

  def read(self, size: int) -> Iterator[np.ndarray]:
    """Blocks of up to `size` rows, float64 [b, O + N]; raises as `labelled` does."""
    return (rows for _, rows in self.labelled(size))

  def labelled(self, size: int) -> Iterator[tuple[Sequence[int | str], np.ndarray]]:
    """Blocks of up to `size` rows in order, with their ids or numbers from 0, float64 [b, O + N].

    Raises:
      ValueError: A value is missing, NaN or infinite and such rows are not to be dropped, or the
        file is damaged.
    """
    self.dropped, self.num_dropped, self._fault, start = [], 0, '', 0
    labels: list[int | str] = []
    parts: list[np.ndarray] = []
    for block, ids in self._blocks():
      numbers: Sequence[int | str] = ids or range(start, start + len(block))
      start += len(block)
      finite: np.ndarray = np.all(np.isfinite(block), axis=1)
      if not finite.all():
        block, numbers = self._finite(block, numbers, finite)
      if self._fault:
        continue  # The rest is read to count such rows.
      if self.levels is not None and self.levels != self._reader.levels:
        before = start - len(block)
        quantised.quantised(block, self.levels, f'`path` {self._where}', self.names, before)
      parts.append(block)
      labels.extend(numbers)
      if len(labels) >= size:
        rows = np.concatenate(parts) if len(parts) > 1 else parts[0]
        whole = len(rows) - len(rows) % size
        for k in range(0, whole, size):
          yield labels[k : k + size], rows[k : k + size]
        labels, parts = labels[whole:], [rows[whole:]]
    if self._fault:
      first = f'{_counted(self.num_dropped)}, the first of them {self.dropped}'
      raise ValueError(
        f'`path` {self._where} holds missing values, NaN or infinity in {first}; {self._fault}: '
        f'{REMEDY}.'
      )
    if labels:
      yield labels, np.concatenate(parts)
    self.num_rows = start
    if start == self.num_dropped:
      raise ValueError(f'`path` {self._where} is empty, or every row was left out.')

  def _blocks(self) -> Blocks:
    selection = self._selection
    try:
      if self.contexts:
        columns, numbers = self.contexts, selection.contexts
        yield from context_reading.blocks(
          self._reader, columns, numbers, selection.numbers, selection.ids
        )
      else:
        yield from self._reader.read(selection.numbers, selection.ids)
    except UNREADABLE as error:
      raise ValueError(f'`path` {self._where} cannot be read: {_first_line(error)}.') from error
    except OSError as error:
      if error.errno is not None:
        raise
      raise ValueError(f'`path` {self._where} cannot be read: {_first_line(error)}.') from error
    except ValueError as error:
      raise _named(self._where, error) from error

  def _finite(
    self, block: np.ndarray, labels: Sequence[int | str], finite: np.ndarray
  ) -> tuple[np.ndarray, Sequence[int | str]]:
    """The rows without missing values; notes the first such value if it is to be refused."""
    bad = np.flatnonzero(~finite).tolist()
    self.num_dropped += len(bad)
    self.dropped += [labels[k] for k in bad[: SHOWN - len(self.dropped)]]
    if self._missing != 'drop' and not self._fault:
      row, label = block[bad[0]], labels[bad[0]]
      column = int(np.flatnonzero(~np.isfinite(row))[0])
      name = self._column_name(column)
      what = 'missing or NaN' if np.isnan(row[column]) else 'infinite'
      self._fault = f'column {name} of row {label} (from 0, without header) is {what}'
    return block[finite], [labels[k] for k in np.flatnonzero(finite).tolist()]

  def _column_name(self, place: int) -> str:
    """Name of a column of the rows that are read, or its number in the table."""
    own = place - len(self.contexts)
    if own < 0:
      return repr(self.contexts[place].name)
    return repr(self.names[own]) if self.names else str(self._selection.numbers[own])


def open_table(
  path: str | pathlib.Path,
  columns: Sequence[str] | None = None,
  ignore_columns: Sequence[str] = (),
  header: str = 'auto',
  missing: str = 'refuse',
  ids: str | None = None,
  separator: str = 'auto',
  decimal: str = 'auto',
  array: str | None = None,
  model_columns: Sequence[str] | None = None,
  event_size: int | None = None,
  event_shape: Sequence[int] | None = None,
  levels: int | None = None,
  context_columns: Sequence[str] = (),
  contexts: Sequence[ContextColumn] | None = None,
  categorical: Collection[str] = (),
) -> Table:
  """A file of numbers in rows and columns, or a folder of such files or of pictures.

  Args:
    path: The file or folder.
    columns: Columns to take, in order, by name, or by number from 0 where they have none; None:
      all.
    ignore_columns: Columns to leave out.
    header: 'yes' or 'no' says whether the first row of a text table names its columns; 'auto'
      takes words over numbers for names, and numbers for data.
    missing: 'refuse' or 'drop' rows with values that are missing, NaN or infinite.
    ids: Column that labels the rows, or None.
    separator: 'auto', 'comma', 'semicolon', 'tab', 'pipe', 'blanks', or a character.
    decimal: 'auto', 'point' or 'comma'.
    array: Which array of a .npz, if there are several.
    model_columns: Names of a model's columns; named columns are put in their order.
    event_size: Number of columns that a model takes, or None.
    event_shape: (h, w, c) of the pictures that a model takes, or None.
    levels: Number of values of quantised numbers, which are checked; None for what the file says.
    context_columns: Columns of numbers or words that the others are given.
    contexts: The same as a model knows them, instead; None: they are surveyed here.
    categorical: Context columns whose numbers are names of categories.

  Returns:
    The table, of which nothing was read but what tells how.

  Raises:
    ValueError: There is none, it is of no kind that is read, can be read in two ways, or has not
      these columns. The message names the file and the remedy.
  """
  path = pathlib.Path(path)
  try:
    reader = _reader(path, header, separator, decimal, array, event_shape, levels)
    names = context_columns if contexts is None else [column.name for column in contexts]
    without_classes = reader.event_shape and not reader.label  # Tables have no shape of a row.
    if list(names) == [LABEL] and without_classes and pictures.is_pictures(path):
      raise ValueError(f'has no classes: {FOLDERS}')
    selection = select(reader, columns, ignore_columns, ids, model_columns, names)
    if contexts is None:
      contexts = context_reading.surveyed(reader, selection.contexts, categorical)
  except (OSError, *UNREADABLE) as error:
    raise ValueError(f'`path` {path} cannot be read: {_first_line(error)}.') from error
  except ValueError as error:
    raise _named(path, error) from error
  if event_size is not None and len(selection.numbers) != event_size:
    raise ValueError(
      f'`path` {path} has {len(selection.numbers)} numbers in a row, and the model takes '
      f'{event_size}: choose columns by --columns or --ignore_columns.'
    )
  table = Table(reader, selection, missing, levels, contexts)
  if contexts and table.levels is not None:
    _check_classes(table, reader)
  if event_shape is not None and len(event_shape) == 3 and len(table.event_shape) > 1:
    pictures.check_shape(path, table.event_shape, event_shape)
  return table


def _named(where: object, error: ValueError) -> ValueError:
  """The error with the name of the file, unless it has one."""
  text = str(error).rstrip('.')
  end = '' if text.endswith('?') else '.'
  return error if text.startswith('`') else ValueError(f'`path` {where} {text}{end}')


def arrays_within(path: pathlib.Path) -> tuple[str, ...]:
  """Names of the arrays of a .npz; none of any other file."""
  if not zipfile.is_zipfile(path):
    return ()
  with zipfile.ZipFile(path) as file:
    return tuple(arrays.members(file))


def _reader(
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
    files = _tables_within(path)
    if pictures.is_pictures(path, len(files)) or not files:
      return _pictures(path, event_shape, levels)
    return _folder(path, files, header, separator, decimal)
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


def _check_classes(table: Table, reader: Reader) -> None:
  """Raises ValueError unless what pixels are given are the classes of their folders."""
  if [column.name for column in table.contexts] != [reader.label]:
    raise ValueError(
      f'`path` {table.path} holds levels of pixels, which can be given classes of pictures '
      f'alone (--context_columns={LABEL}: {FOLDERS}): leave --levels out, and write fractions.'
    )
  size = table.contexts[0].size
  if table.levels is not None and size > table.levels:
    raise ValueError(
      f'`path` {table.path} has folders of {size} classes, more than its pixels have levels, '
      f'{table.levels}: leave --context_columns out.'
    )


def _folder(
  path: pathlib.Path, files: list[pathlib.Path], header: str, separator: str, decimal: str
) -> Reader:
  """The rows of all tables of a folder."""
  readers = [_reader(file, header, separator, decimal, None) for file in files]
  first = readers[0]
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


def _tables_within(folder: pathlib.Path) -> list[pathlib.Path]:
  """The tables of a folder and of those below, in the natural order of their names."""
  files = [file for file in folder.rglob('*') if file.is_file() and _is_table(folder, file)]
  return sorted(files, key=lambda file: _natural(file.relative_to(folder)))


def _is_table(folder: pathlib.Path, file: pathlib.Path) -> bool:
  """Tells if a file of a folder is a table; names that begin with . or _ are others' notes."""
  parts = file.relative_to(folder).parts
  suffixes = (*BINARY, *(suffix for suffix in delimited.SUFFIXES if suffix))
  hidden = any(part.startswith(('.', '_')) for part in parts)
  return not hidden and byte_streams.suffix(file) in suffixes


def _natural(path: pathlib.Path) -> list[tuple[int, str]]:
  """A key that puts part-2 before part-10."""
  words = re.findall(r'\d+|\D+', str(path))
  return [(int(word), '') if word.isdigit() else (-1, word) for word in words]


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


def _counted(number: int) -> str:
  return f'{number:,} row{"s" * (number != 1)}'


def _first_line(error: Exception) -> str:
  return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip('.')
