"""Tables of numbers on disk: which file, which of its columns, and what else is asked of them.

One reader for training, scores, evaluation and certificates; docs/tables.md says what it takes.
"""

from __future__ import annotations

import pathlib
from collections.abc import Collection, Sequence

from ma_keras.data import context_reading, pictures
from ma_keras.data.context_columns import LABEL, ContextColumn
from ma_keras.data.frames import from_frame
from ma_keras.data.reader import Reader
from ma_keras.data.readers import open_reader
from ma_keras.data.selection import select
from ma_keras.data.table import UNREADABLE, Table, first_line, named

__all__ = ['Table', 'from_frame', 'open_table']

FOLDERS = 'put every picture into the folder of its class, 3/a.png or label=3/a.png'


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
    reader = open_reader(path, header, separator, decimal, array, event_shape, levels)
    names = context_columns if contexts is None else [column.name for column in contexts]
    without_classes = reader.event_shape and not reader.label  # Tables have no shape of a row.
    if list(names) == [LABEL] and without_classes and pictures.is_pictures(path):
      raise ValueError(f'has no classes: {FOLDERS}')
    selection = select(reader, columns, ignore_columns, ids, model_columns, names)
    if contexts is None:
      contexts = context_reading.surveyed(reader, selection.contexts, categorical)
  except (OSError, *UNREADABLE) as error:
    raise ValueError(f'`path` {path} cannot be read: {first_line(error)}.') from error
  except ValueError as error:
    raise named(path, error) from error
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
