"""A table on disk, read a block of rows at a time: larger than memory is fine."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from ma_keras.data import context_reading, quantised
from ma_keras.data.context_columns import ContextColumn
from ma_keras.data.reader import Blocks, Reader
from ma_keras.data.selection import Selection

REMEDY = 'mend them, or leave such rows out by --missing=drop'
SHOWN = 5
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
    """Nothing is read yet; see `tables.open_table`."""
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
      raise ValueError(f'`path` {self._where} cannot be read: {first_line(error)}.') from error
    except OSError as error:
      if error.errno is not None:
        raise
      raise ValueError(f'`path` {self._where} cannot be read: {first_line(error)}.') from error
    except ValueError as error:
      raise named(self._where, error) from error

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


def named(where: object, error: ValueError) -> ValueError:
  """The error with the name of the file, unless it has one."""
  text = str(error).rstrip('.')
  end = '' if text.endswith('?') else '.'
  return error if text.startswith('`') else ValueError(f'`path` {where} {text}{end}')


def _counted(number: int) -> str:
  return f'{number:,} row{"s" * (number != 1)}'


def first_line(error: Exception) -> str:
  """The first line of what an error says, or else its kind."""
  return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip('.')
