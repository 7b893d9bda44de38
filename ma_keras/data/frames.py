"""Tables that are in memory already: frames of any library, Arrow tables, dictionaries, arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.interchange

from ma_keras.data import columnar

KINDS = 'a pandas or polars frame, a pyarrow table, a dictionary of columns, or an array [n, N]'


def from_frame(frame: Any, missing: str = 'refuse') -> tuple[np.ndarray, tuple[str, ...] | None]:
  """The numbers of a table in memory, and the names of its columns.

  Frames come through Arrow's interfaces, `__arrow_c_stream__` or `__dataframe__`; none of their
  libraries is imported. An index is no column.

  Args:
    frame: A frame of pandas, polars or another library, a pyarrow table or record batch, a mapping
      of names to columns, a structured array, or whatever NumPy takes for [n, N] numbers.
    missing: 'refuse' missing values, NaN and infinity, or 'keep' them as NaN and infinity.

  Returns:
    float64 [n, N], and the names of the columns or None where not all of them are text.

  Raises:
    ValueError: A column holds text or dates, a value is missing, or it is no table.
  """
  table = _arrow(frame)
  if table is None:
    rows, names = _array(frame), None
  else:
    table = table.drop_columns([name for name in _index(table) if name in table.column_names])
    rows, names = _columns(table), _names(frame, table)
  if missing != 'keep':
    _check_finite(rows, names)
  return rows, names


def _arrow(frame: Any) -> pa.Table | None:
  """The frame as an Arrow table, or None if it is none."""
  if isinstance(frame, pa.Table):
    return frame
  if isinstance(frame, np.ndarray) and frame.dtype.names:
    return pa.table({name: np.ascontiguousarray(frame[name]) for name in frame.dtype.names})
  try:
    if isinstance(frame, Mapping):
      return pa.table({str(name): _column(column) for name, column in frame.items()})
    if hasattr(frame, '__arrow_c_stream__') or isinstance(frame, pa.RecordBatch):
      return pa.table(frame)
    if hasattr(frame, '__dataframe__'):
      return pa.interchange.from_dataframe(frame)
  except (pa.ArrowException, TypeError, ValueError) as error:
    reason = str(error).strip().splitlines()[0]
    raise ValueError(f'`frame` cannot be read as a table ({reason}): pass {KINDS}.') from error
  return None


def _column(values: Any) -> Any:
  """A column of a dictionary, as pyarrow takes it."""
  return values if isinstance(values, (pa.Array, pa.ChunkedArray)) else np.asarray(values)


def _index(table: pa.Table) -> list[str]:
  """Columns that are the index of a pandas frame."""
  names = (table.schema.pandas_metadata or {}).get('index_columns', ())
  return [name for name in names if isinstance(name, str)]


def _columns(table: pa.Table) -> np.ndarray:
  """The columns side by side, float64 [n, N]; raises ValueError on those without numbers."""
  bad = {table.column_names[j]: kind for j, kind in columnar.unfit(table.schema).items()}
  if bad:
    told = ', '.join(f'{name!r} holds {kind}' for name, kind in list(bad.items())[:5])
    raise ValueError(f'`frame` has columns that are no numbers, {told}: drop them, or encode them.')
  rows = np.empty((table.num_rows, table.num_columns))
  for k, (name, column) in enumerate(zip(table.column_names, table.columns)):
    try:
      rows[:, k] = columnar.to_numbers(column)
    except ValueError as error:
      raise ValueError(f'`frame`, column {name!r} holds {error}.') from error
  return rows


def _names(frame: Any, table: pa.Table) -> tuple[str, ...] | None:
  """Names, where all of them are text: pandas numbers columns that nobody named."""
  given = frame.keys() if isinstance(frame, Mapping) else getattr(frame, 'columns', ())
  if not isinstance(frame, (pa.Table, pa.RecordBatch)) and any(
    not isinstance(name, str) for name in given
  ):
    return None
  return tuple(table.column_names)


def _array(values: Any) -> np.ndarray:
  """float64 [n, ...] of what NumPy takes for numbers."""
  try:
    array = np.asarray(values)
    if array.dtype.kind not in 'biufO':
      raise TypeError(f'its dtype is {array.dtype}')
    return array.astype(np.float64)
  except (TypeError, ValueError) as error:
    raise ValueError(f'`frame` holds no numbers ({error}): pass {KINDS}.') from error


def _check_finite(rows: np.ndarray, names: tuple[str, ...] | None) -> None:
  bad = np.argwhere(~np.isfinite(rows))
  if len(bad):
    row, *column = bad[0].tolist()
    name = repr(names[column[0]]) if names else column
    count = len(set(bad[:, 0].tolist()))
    raise ValueError(
      f'`frame` holds NaN, infinity or a missing value in {count} rows, first in row {row}, column '
      f'{name}: mend these rows, or leave them out.'
    )
