"""JSON values as arrays and back: strict on the way in, exact on the way out."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson

NAMED_ROWS = 5  # An error names so many rows at most.
CHUNK = 2**14  # Numbers that are written at a time.
EXPLAINED_BYTES = 2**20  # Longer text that orjson refuses is not read again for a better error.


@dataclasses.dataclass(frozen=True)
class Field:
  """An input or output of a signature.

  Attributes:
    name: Its name.
    dtype: Type of its numbers.
    shape: Sizes; None where any size will do.
  """

  name: str
  dtype: np.dtype
  shape: tuple[int | None, ...]

  @property
  def has_rows(self) -> bool:
    """True if the first dimension is free."""
    return bool(self.shape) and self.shape[0] is None

  @property
  def is_integer(self) -> bool:
    """True of signed and unsigned integers."""
    return self.dtype.kind in 'iu'

  @property
  def row_bytes(self) -> int:
    """Bytes of a row; free sizes beyond the first count as one."""
    return self.dtype.itemsize * math.prod(size or 1 for size in self.shape[1:])

  def empty(self) -> np.ndarray:
    """No rows."""
    return np.zeros([0, *(size or 0 for size in self.shape[1:])], self.dtype)

  def fits(self, shape: tuple[int, ...]) -> bool:
    """True if an array may have this shape."""
    return len(shape) == len(self.shape) and all(
      size in (None, got) for size, got in zip(self.shape, shape)
    )

  def __str__(self) -> str:
    sizes = ', '.join('?' if size is None else str(size) for size in self.shape)
    return f'{self.dtype.name} of shape [{sizes}]'


def parse(body: bytes) -> Any:
  """The value of a JSON text.

  NaN, infinities and long integers, which orjson refuses, are read, so that the rows that hold them
  can be named.

  Raises:
    ValueError: The text is no JSON, or is nested too deeply.
  """
  try:
    return orjson.loads(body)
  except orjson.JSONDecodeError:
    if len(body) > EXPLAINED_BYTES:
      raise
  try:
    return json.loads(body.decode())
  except RecursionError as error:
    raise ValueError('it is nested too deeply') from error


def parsed_bytes(body: bytes) -> int:
  """Memory that the value of a JSON text takes at most, about, in bytes.

  Numbers are floats of 24 bytes behind pointers of 8, other values as large as CPython makes them.
  """
  count = body.count
  return 32 * count(b',') + 64 * count(b'[') + 240 * count(b'{') + 40 * count(b'"') + len(body)


def from_json(value: Any, field: Field) -> np.ndarray:
  """The array of a JSON value, nested lists of numbers.

  Args:
    value: Result of `parse`.
    field: Dtype and shape.

  Returns:
    The array; of zero rows for [].

  Raises:
    ValueError: The value is no such array, or holds NaN, infinity or a number beyond the dtype.
  """
  if field.has_rows and value == []:
    return field.empty()
  try:
    return _converted(value, field)
  except ValueError:
    if field.has_rows and isinstance(value, list):
      _blame(value, field)
    raise


def checked(array: np.ndarray, field: Field) -> np.ndarray:
  """The array in the dtype of `field`.

  Raises:
    ValueError: The shape does not fit, or a number is NaN, infinite or beyond the dtype.
  """
  if not field.fits(array.shape):
    raise ValueError(f'must be {field}, got shape {list(array.shape)}')
  with np.errstate(over='ignore', invalid='ignore'):
    cast = array.astype(field.dtype, copy=False)
    exact = cast == array if field.is_integer else np.isfinite(cast)
  if not exact.all():
    raise ValueError(
      f'must be {field}, and holds NaN, infinity or a number beyond {field.dtype.name}'
    )
  return cast


def to_json(value: Any) -> bytes:
  """JSON text of a value without arrays."""
  return orjson.dumps(value)


def json_list(array: np.ndarray) -> Iterator[bytes]:
  """Pieces of the JSON text of an array of rank 1 or more, a list of its rows."""
  return json_rows({'': array}, lambda columns: columns[''])


def json_rows(arrays: dict[str, np.ndarray], rows: Any) -> Iterator[bytes]:
  """Pieces of the JSON text of a list of rows.

  Floats keep all their digits. NaN and infinities, which JSON lacks, are written as 'NaN',
  'Infinity' and '-Infinity', the strings of protocol buffers' JSON.

  Args:
    arrays: Name to array, of equally many rows.
    rows: Makes a list of rows out of {name: list of values}.

  Yields:
    Text of some `CHUNK` numbers each.
  """
  length = len(next(iter(arrays.values())))
  width = max(sum(array[:1].size for array in arrays.values()), 1)
  step = max(CHUNK // width, 1)
  yield b'['
  for start in range(0, length, step):
    columns = {name: _written(array[start : start + step]) for name, array in arrays.items()}
    yield (b',' if start else b'') + orjson.dumps(rows(columns))[1:-1]
  yield b']'


def _converted(value: Any, field: Field) -> np.ndarray:
  kinds = _kinds(value)
  integer = field.is_integer
  if not kinds <= ({int} if integer else {int, float}):  # True is no 1, and '1' neither.
    raise ValueError(f'must be {field}, and is no rectangular array of such numbers')
  try:
    array = np.array(value, np.int64 if integer else np.float64)
  except (TypeError, ValueError, OverflowError) as error:
    raise ValueError(f'must be {field}, and is no rectangular array of such numbers') from error
  return checked(array, field)


def _kinds(value: Any) -> set[type]:
  """Types of the leaves of nested lists, and list if they end at different depths."""
  level = [value]
  while (kinds := set(map(type, level))) == {list}:
    level = list(itertools.chain.from_iterable(level))
  return kinds


def _blame(rows: list[Any], field: Field) -> None:
  """Raises ValueError with the numbers of the rows that do not fit, if there are any."""
  row_field = dataclasses.replace(field, shape=field.shape[1:])
  faults: dict[int, str] = {}
  for start in range(0, len(rows), 1024):  # Healthy stretches are passed over quickly.
    stretch = rows[start : start + 1024]
    if _fault(stretch, field) is not None:
      reasons = ((start + i, _fault(row, row_field)) for i, row in enumerate(stretch))
      faults |= {i: reason for i, reason in reasons if reason is not None}
    if len(faults) >= NAMED_ROWS:
      break
  if faults:
    which = ', '.join(map(str, list(faults)[:NAMED_ROWS]))
    raise ValueError(f'row {which} (from 0): {next(iter(faults.values()))}')


def _fault(value: Any, field: Field) -> str | None:
  try:
    _converted(value, field)
  except ValueError as error:
    return str(error)
  return None


def _written(array: np.ndarray) -> list[Any]:
  if array.dtype.kind in 'iub' or np.isfinite(array).all():
    return array.tolist()
  return _spelled(array.tolist())


def _spelled(value: Any) -> Any:
  if isinstance(value, list):
    return [_spelled(entry) for entry in value]
  if math.isfinite(value):
    return value
  return 'NaN' if math.isnan(value) else 'Infinity' if value > 0 else '-Infinity'
