"""Tables as a configuration describes them, in the order of a model's own columns."""

from __future__ import annotations

import pathlib
from typing import Any

from ma_keras.apps.configuration.table import TableConfig
from ma_keras.data import pictures, tables
from ma_keras.saving import model_file


def options(config: TableConfig) -> dict[str, Any]:
  """Arguments of `tables.open_table`."""
  return {
    'columns': config.columns,
    'ignore_columns': config.ignore_columns,
    'header': config.header,
    'missing': config.missing,
    'ids': config.id_column,
    'separator': config.separator,
    'decimal': config.decimal,
    'array': config.array,
    'levels': config.levels,
  }


def open_for(path: str, model: model_file.Model, config: TableConfig) -> tables.Table:
  """The table, its columns in the order of the model's; raises ValueError where they are not.

  Args:
    path: The file or folder.
    model: Tells names, order and number of columns.
    config: Columns and dialect.
  """
  arguments = options(config)
  if arguments['levels'] is None and pictures.is_pictures(pathlib.Path(path)):
    arguments['levels'] = model.levels
  return tables.open_table(
    path,
    **arguments,
    model_columns=model.columns,
    event_size=model.event_size,
    event_shape=model.event_shape or (model.event_size,),
    contexts=model.contexts or (),
  )
