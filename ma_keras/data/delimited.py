"""Text tables, .csv and the like, by pyarrow: any separator, encoding and decimal mark."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.csv

from ma_keras.data import byte_streams, cells, dialect, headers
from ma_keras.data.columnar import to_numbers
from ma_keras.data.dialect import Dialect
from ma_keras.data.reader import Blocks, Reader

BLOCK_BYTES = 1 << 20
LARGEST_LINE = 1 << 26
SUFFIXES = ('.csv', '.tsv', '.tab', '.txt', '.dat', '.data', '.asc', '')


def open_text(
  path: pathlib.Path, header: str = 'auto', separator: str = 'auto', decimal: str = 'auto'
) -> Reader:
  """Columns of a text table, guessed from its first megabyte.

  Args:
    path: The file.
    header: 'auto', 'yes' or 'no'.
    separator: 'auto', a name of `dialect.SEPARATORS`, or a character.
    decimal: 'auto', 'point' or 'comma'.

  Raises:
    ValueError: See `dialect.sniff` and `headers.is_header`.
  """
  sample, whole = _sample(path)
  written = dialect.sniff(sample, whole, byte_streams.suffix(path), separator, decimal)
  return _Text(path, written, header).reader()


def _sample(path: pathlib.Path) -> tuple[bytes, bool]:
  """The first bytes, with some line ends among them; and whether these are all."""
  with byte_streams.opener(path)() as file:
    sample, size = b'', dialect.SAMPLE_BYTES
    while block := file.read(size):
      sample += block
      if len(sample) >= size and (sample.count(b'\n') > 2 or len(sample) > LARGEST_LINE):
        return sample, False
  return sample, True


class _Text:
  """A text table of known dialect."""

  def __init__(self, path: pathlib.Path, written: Dialect, header: str) -> None:
    self.path, self.written = path, written
    self.encoding = 'utf-8' if written.separator == ' ' else written.encoding
    self.separator = '\t' if written.separator == ' ' else written.separator
    self.has_header = headers.is_header(written.rows, header, written.decimal)
    self.body = written.rows[self.has_header :]
    if not self.body:
      first = ','.join(written.rows[0])[:60]
      raise ValueError(f'is empty but for a header, {first!r}: one point a line, as numbers')
    self.width = headers.usual_width(self.body)
    self.names = self._names(header)
    self.kinds = headers.column_kinds(self.body, self.width, written.decimal)

  def _names(self, header: str) -> list[str] | None:
    """Names of the columns, '' where R left out that of row names; or None."""
    if not self.has_header:
      return self._comment_names() if header == 'auto' else None
    first = [cell.strip() for cell in self.written.rows[0]]
    names = ['', *first] if len(first) == self.width - 1 else first
    if len(names) != self.width:
      raise ValueError(
        f'has {len(names)} names in its header, and {self.width} cells in a row; decimal commas '
        'need semicolons between columns, or quotes'
      )
    return names

  def _comment_names(self) -> list[str] | None:
    """Names out of a comment, '# x,y', as numpy.savetxt writes headers."""
    rows = self.written.split(self.written.comment)
    names = [cell.strip() for cell in rows[0]] if len(rows) == 1 else []
    fit = len(names) == self.width and not any(cells.is_number(name, '.') for name in names)
    return names if fit else None

  def reader(self) -> Reader:
    """The columns and how to read them."""
    if self.has_header:
      told = 'with a header'
    elif self.names:
      told = 'header in a comment'
    else:
      told = 'no header: the first row is data'
    return Reader(
      path=self.path,
      form=f'{self.written}, {told}',
      width=self.width,
      read=self.read,
      names=tuple(name or str(k) for k, name in enumerate(self.names)) if self.names else None,
      unfit=self._unfit(),
      spare=self._spare(),
    )

  def _unfit(self) -> dict[int, str]:
    """Columns of text and dates, each with its first cell that is no number."""
    words = {
      j: f'{kind}, {cells.shown(row[j])} in row {k}'
      for j, kind in enumerate(self.kinds)
      if kind in ('text', 'dates')
      for k, row in [self._first_word(j)]
    }
    return words | {
      j: f'whole numbers beyond 2^53, {row[j]} in row {k}'
      for k, row in reversed(list(enumerate(self.body)))
      for j, cell in enumerate(row[: self.width])
      if len(cell) > 15 and cell.strip().isdigit() and int(float(cell)) != int(cell)
    }

  def _first_word(self, number: int) -> tuple[int, Sequence[str]]:
    return next(
      (k, row)
      for k, row in enumerate(self.body)
      if len(row) > number
      and not cells.is_missing(row[number])
      and not cells.is_number(row[number], self.written.decimal)
    )

  def _spare(self) -> dict[int, str]:
    """Columns that nobody named: of nothing, behind a last separator; the index of a frame."""
    columns = dict(enumerate(zip(*(row for row in self.body if len(row) == self.width))))
    unnamed = {j for j in columns if not (self.names and self.names[j])}
    spare = {j: 'empty' for j in unnamed if not any(cell.strip() for cell in columns[j])}
    if self.width > 1 and self.names and 0 in unnamed - spare.keys():
      index = columns[0]
      distinct = len(set(index)) == len(index)
      if distinct and (self.kinds[0] == 'text' or all(map(str.isdigit, index))):
        spare[0] = 'row names'
    return {} if len(spare) == self.width else spare

  def read(self, numbers: Sequence[int], ids: int | None) -> Blocks:
    """Blocks of the chosen columns, as they come from pyarrow."""
    included = [*numbers, *([ids] if ids is not None else [])]
    empty = [j for j, why in self._spare().items() if why == 'empty' and j not in included]
    try:
      for batch in self._batches(numbers, ids, empty):
        rows = np.empty((batch.num_rows, len(numbers)))
        for k in range(len(numbers)):
          rows[:, k] = to_numbers(batch.column(k))
        yield rows, _texts(batch.column(len(numbers))) if ids is not None else None
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
      self._raise_fault(numbers, empty, error)

  def _batches(
    self, numbers: Sequence[int], ids: int | None, empty: Sequence[int]
  ) -> Iterator[pa.RecordBatch]:
    types: dict[str, pa.DataType] = {
      str(j): pa.bool_() if self.kinds[j] == 'truth' else pa.float64() for j in numbers
    }
    if ids is not None:
      types[f'{ids}'] = pa.binary()
    types |= {str(j): pa.null() for j in empty}
    written = self.written
    with contextlib.closing(self._file()) as file:
      yield from pa.csv.open_csv(
        file,
        pa.csv.ReadOptions(
          block_size=max(BLOCK_BYTES, 8 * written.longest),
          encoding='utf8' if self.encoding.startswith('utf-8') else self.encoding,
          column_names=[str(j) for j in range(self.width)],
          skip_rows=written.first_line + self.has_header * written.lines,
        ),
        pa.csv.ParseOptions(
          delimiter=self.separator,
          quote_char=written.quote,
          newlines_in_values=written.multiline,
          ignore_empty_lines=self.width > 1 or not written.blank_lines,
          invalid_row_handler=lambda row: 'skip' if row.text.lstrip()[:1] == '#' else 'error',
        ),
        pa.csv.ConvertOptions(
          decimal_point=written.decimal,
          column_types=types,
          include_columns=list(types),
          null_values=cells.MISSING,
          true_values=cells.TRUE,
          false_values=cells.FALSE,
        ),
      )

  def _file(self) -> Any:
    file = byte_streams.opener(self.path)()
    blanks = self.written.separator == ' '
    return io.BufferedReader(_Squeezed(file, self.written)) if blanks else file

  def _raise_fault(
    self, numbers: Sequence[int], empty: Sequence[int], error: Exception
  ) -> NoReturn:
    """Names the first row that cannot be read, by reading all of them anew."""
    with contextlib.closing(self._file()) as file:
      text = io.TextIOWrapper(file, self.encoding, newline='')
      for _ in range(self.written.first_line):
        text.readline()
      lines = csv.reader(text, delimiter=self.separator, quotechar=self.written.quote)
      rows = (row for row in lines if row and row[0].lstrip()[:1] != '#')
      for k, row in enumerate(itertools.islice(rows, self.has_header, None)):
        line = lines.line_num + self.written.first_line
        self._check(row, numbers, empty, f'row {k} (from 0, without header; line {line})')
    reason = str(error).strip().splitlines()[0]
    raise ValueError(f'`path` {self.path} cannot be read: {reason}.') from error

  def _check(
    self, row: list[str], numbers: Sequence[int], empty: Sequence[int], where: str
  ) -> None:
    """Raises ValueError if the row has too many cells, too few, or some that are no numbers."""
    if len(row) != self.width:
      halves = self.separator == ',' and {len(row), self.width} == {1, 2}
      remedy = '--decimal=comma if 1,26 is one number' if halves else '--separator'
      raise ValueError(
        f'`path` {self.path} has {len(row)} cells in {where}, and {self.width} in others: give '
        f'every row as many, or pass {remedy}.'
      )
    for j in numbers:
      cell, name = row[j], self.names[j] if self.names and self.names[j] else j
      if not self._fits(cell, self.kinds[j]):
        raise ValueError(
          f'`path` {self.path}, {where}: {cells.shown(cell)} in column {name!r} is no number: mend '
          f'it, or leave the column out by --ignore_columns={name}.'
        )
    for j in empty:
      if row[j].strip():
        raise ValueError(
          f'`path` {self.path}, {where}: {cells.shown(row[j])} in column {j}, which has no name '
          'and was empty so far: pass --header=yes or no.'
        )

  def _fits(self, cell: str, kind: str) -> bool:
    if cells.is_missing(cell):
      return True
    return cells.is_truth(cell) if kind == 'truth' else cells.is_number(cell, self.written.decimal)


class _Squeezed(io.RawIOBase):
  """Bytes of a text table with one tab for every run of blanks."""

  def __init__(self, file: Any, written: Dialect) -> None:
    self._text = io.TextIOWrapper(file, written.encoding, newline='')
    self._rest = b''

  def readable(self) -> bool:
    """Always."""
    return True

  def readinto(self, buffer: Any) -> int:
    """Fills the buffer; 0 at the end."""
    if not self._rest:
      text = self._text.read(BLOCK_BYTES)
      text += self._text.readline() if text else ''
      self._rest = dialect.squeezed(text).encode('utf-8')
    size = min(len(buffer), len(self._rest))
    buffer[:size], self._rest = self._rest[:size], self._rest[size:]
    return size


def _texts(column: pa.Array) -> list[str]:
  """Ids as they are written."""
  return [_text(value) for value in column.to_pylist()]


def _text(value: bytes | None) -> str:
  try:
    return (value or b'').decode('utf-8')
  except UnicodeDecodeError:
    return (value or b'').decode('latin-1')
