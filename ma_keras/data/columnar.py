"""Parquet, Feather and Arrow files, and any Arrow column, as numbers."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet

from ma_keras.data.reader import Blocks, Reader

BATCH_ROWS = 1 << 16
BUFFER_BYTES = 1 << 20  # Of each column.
Batches = Iterator[pa.RecordBatch]


def open_columnar(path: pathlib.Path, kind: str) -> Reader:
  """Columns of a Parquet, Feather or Arrow file; raises pa.ArrowException or OSError if damaged.

  Args:
    path: The file.
    kind: See `byte_streams.kind`.
  """
  if kind == 'Parquet':
    with pa.parquet.ParquetFile(path) as file:
      schema, num_rows = file.schema_arrow, file.metadata.num_rows
    return _reader(path, kind, schema, num_rows, lambda names: _parquet(path, names))
  if kind == 'Feather 1':
    table = pa.feather.read_table(path, memory_map=False)
    return _reader(path, kind, table.schema, len(table), lambda _: iter(table.to_batches()))
  with pa.OSFile(str(path)) as source:
    schema = pa.ipc.open_file(source).schema
  return _reader(path, kind, schema, None, lambda names: _arrow(path, names))


def to_numbers(column: pa.Array) -> np.ndarray:
  """float64 [n] of a column of numbers or truth values; NaN where a value is missing.

  Raises:
    ValueError: A whole number is beyond 2^53, so that double precision would change it.
  """
  if pa.types.is_dictionary(column.type):
    column = column.dictionary_decode()
  if pa.types.is_boolean(column.type):
    column = column.cast(pa.uint8())
  if pa.types.is_float16(column.type):
    column = column.cast(pa.float32())
  try:
    return column.cast(pa.float64()).to_numpy(zero_copy_only=False)
  except pa.ArrowInvalid as error:
    raise ValueError(
      f'whole numbers beyond 2^53, which double precision cannot hold ({error})'
    ) from error


def unfit(schema: pa.Schema) -> dict[int, str]:
  """Column number -> what it holds that is no number."""
  kinds = {j: _kind(field.type) for j, field in enumerate(schema)}
  return {j: kind for j, kind in kinds.items() if kind}


def indices(schema: pa.Schema) -> dict[int, str]:
  """Numbers of the columns that are a pandas index without a name of its own."""
  pandas = json.loads((schema.metadata or {}).get(b'pandas', b'{}'))
  names = [name for name in pandas.get('index_columns', ()) if isinstance(name, str)]
  return {j: 'index' for j, name in enumerate(schema.names) if name in names and name[:2] == '__'}


def _kind(kind: pa.DataType) -> str:
  """Names the values of a column that are no numbers; empty if all are."""
  types = pa.types
  if types.is_dictionary(kind):
    return _kind(kind.value_type)
  numbers = (types.is_integer, types.is_floating, types.is_decimal, types.is_boolean, types.is_null)
  if any(is_such(kind) for is_such in numbers):
    return ''
  texts = (types.is_string, types.is_large_string, types.is_string_view)
  if any(is_such(kind) for is_such in texts):
    return 'text'
  return 'dates' if types.is_temporal(kind) else str(kind)


def _reader(
  path: pathlib.Path,
  kind: str,
  schema: pa.Schema,
  num_rows: int | None,
  batches: Callable[[list[str]], Batches],
) -> Reader:
  def read(numbers: Sequence[int], ids: int | None) -> Blocks:
    included = [*numbers, *([ids] if ids is not None else [])]
    for batch in batches([schema.names[j] for j in included]):
      columns = [batch.column(batch.schema.get_field_index(schema.names[j])) for j in included]
      rows = np.empty((batch.num_rows, len(numbers)))
      for k, j in enumerate(numbers):
        try:
          rows[:, k] = to_numbers(columns[k])
        except ValueError as error:
          raise ValueError(f'`path` {path}, column {schema.names[j]!r} holds {error}.') from error
      yield rows, [str(value) for value in columns[-1].to_pylist()] if ids is not None else None

  return Reader(
    path=path,
    form=kind,
    width=len(schema),
    read=read,
    names=tuple(schema.names),
    unfit=unfit(schema),
    spare=indices(schema),
    num_rows=num_rows,
  )


def _parquet(path: pathlib.Path, names: list[str]) -> Batches:
  # What is buffered ahead stays until the file is closed, and is all of it in the end; without a
  # size of its own a column of a group of rows is read at once.
  with pa.parquet.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER_BYTES) as file:
    yield from file.iter_batches(BATCH_ROWS, columns=names)


def _arrow(path: pathlib.Path, names: list[str]) -> Batches:
  del names  # All columns of a batch lie together.
  with pa.OSFile(str(path)) as source:
    file = pa.ipc.open_file(source)
    for k in range(file.num_record_batches):
      yield file.get_batch(k)
