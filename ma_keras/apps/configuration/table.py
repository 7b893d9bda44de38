"""Options of the commands that read a table: docs/tables.md."""

from __future__ import annotations

import dataclasses

from ma_keras.apps.configuration.option import Configuration, choice, integer, names, text

# Names in ma_keras.data, which needs TensorFlow: tests hold them against it.
SEPARATORS = ('tab', 'semicolon', 'pipe', 'comma', 'blanks')
DECIMALS = ('point', 'comma')
MOST_LEVELS = 65536


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableConfig(Configuration):
  """Parts of a table, and its dialect; other values make other data of the same file."""

  columns: tuple[str, ...] | None = names(
    None, 'Columns of the table to take, by name, in order.', fixes_run=True
  )
  ignore_columns: tuple[str, ...] = names(
    (),
    'Columns of the table to leave out; where they have no names, by number from 0.',
    fixes_run=True,
  )
  header: str = choice(
    'auto',
    ('auto', 'yes', 'no'),
    'Whether the first row of a text table names columns.',
    fixes_run=True,
  )
  missing: str = choice(
    'refuse',
    ('refuse', 'drop'),
    'What to do with rows in which a value is missing.',
    fixes_run=True,
  )
  id_column: str | None = text(None, 'Column of the table that labels its rows.', fixes_run=True)
  separator: str = choice(
    'auto',
    ('auto', *SEPARATORS),
    'What stands between cells of a text table.',
    fixes_run=True,
  )
  decimal: str = choice(
    'auto', ('auto', *DECIMALS), 'The decimal mark of a text table.', fixes_run=True
  )
  array: str | None = text(None, 'Which array of a .npz, where it has several.', fixes_run=True)
  levels: int | None = integer(
    None,
    'All numbers are whole, 0 to this less one, and dequantised as pixels are; without it bytes '
    'and pictures alone.',
    lower=2,
    upper=MOST_LEVELS,
    fixes_run=True,
  )
