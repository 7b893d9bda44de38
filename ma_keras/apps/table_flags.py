"""Flags of the commands that read a table, and the order of the model's own columns."""

from __future__ import annotations

import pathlib
from typing import Any

from absl import flags

from ma_keras.data import dialect, pictures, quantised, tables
from ma_keras.saving import model_file

FLAGS = flags.FLAGS
flags.DEFINE_list('columns', None, 'Columns of the table to take, by name, in order.')
flags.DEFINE_list(
  'ignore_columns',
  [],
  'Columns of the table to leave out; where they have no names, by number from 0.',
)
flags.DEFINE_enum(
  'header', 'auto', ('auto', 'yes', 'no'), 'Whether the first row of a text table names columns.'
)
flags.DEFINE_enum(
  'missing', 'refuse', ('refuse', 'drop'), 'What to do with rows in which a value is missing.'
)
flags.DEFINE_string('id_column', None, 'Column of the table that labels its rows.')
flags.DEFINE_enum(
  'separator', 'auto', ('auto', *dialect.SEPARATORS), 'What stands between cells of a text table.'
)
flags.DEFINE_enum(
  'decimal', 'auto', ('auto', *dialect.DECIMALS), 'The decimal mark of a text table.'
)
flags.DEFINE_string('array', None, 'Which array of a .npz, where it has several.')
flags.DEFINE_integer(
  'levels',
  None,
  'All numbers are whole, 0 to this less one, and dequantised as pixels are; without it bytes and '
  'pictures alone.',
  lower_bound=2,
  upper_bound=quantised.MOST_LEVELS,
)

# Other values of these make other data of the same file.
DATA_FLAGS = (
  *('columns', 'ignore_columns', 'header', 'missing', 'id_column'),
  *('separator', 'decimal', 'array', 'levels'),
)


def options() -> dict[str, Any]:
  """Returns the flags as arguments of `tables.open_table`."""
  return {
    'columns': FLAGS.columns,
    'ignore_columns': tuple(FLAGS.ignore_columns),
    'header': FLAGS.header,
    'missing': FLAGS.missing,
    'ids': FLAGS.id_column,
    'separator': FLAGS.separator,
    'decimal': FLAGS.decimal,
    'array': FLAGS.array,
    'levels': FLAGS.levels,
  }


def open_for(path: str, model: model_file.Model, **changes: Any) -> tables.Table:
  """The table, its columns in the order of the model's; raises ValueError where they are not.

  Args:
    path: The file or folder.
    model: Tells names, order and number of columns.
    **changes: Options of `tables.open_table` that are not as the flags say.
  """
  given = options() | changes
  if given['levels'] is None and pictures.is_pictures(pathlib.Path(path)):
    given['levels'] = model.levels
  return tables.open_table(
    path,
    **given,
    model_columns=model.columns,
    event_size=model.bijector.potential.event_size,
    event_shape=model.event_shape or (model.bijector.potential.event_size,),
  )
