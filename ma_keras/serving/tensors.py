"""JSON values as tensors and back: strict on the way in, exact on the way out."""

from __future__ import annotations

import json
import math
from typing import Any

import tensorflow as tf

NAMED_ROWS = 5  # An error names so many rows at most.


def from_json(value: Any, spec: tf.TensorSpec) -> tf.Tensor:
  """The tensor of a JSON value, nested lists of numbers.

  Args:
    value: What `json.loads` made of it.
    spec: Dtype and shape; its first dimension may be None, for any number of rows.

  Returns:
    The tensor; of zero rows for [].

  Raises:
    ValueError: It is no such tensor, or holds NaN, infinity or a number beyond the dtype.
  """
  by_row = has_rows(spec)
  if by_row and value == []:
    return tf.zeros([0, *spec.shape[1:]], spec.dtype)
  try:
    return _converted(value, spec)
  except ValueError:
    if by_row and isinstance(value, list):
      _blame(value, tf.TensorSpec(spec.shape[1:], spec.dtype))
    raise


def to_json(answer: Any) -> bytes:
  """JSON text; NaN and infinities, which JSON lacks, as 'NaN', 'Infinity' and '-Infinity'.

  Floats keep all their digits. The strings are those of protocol buffers' JSON.
  """
  try:
    return json.dumps(answer, allow_nan=False).encode()
  except ValueError:
    return json.dumps(_spelled(answer)).encode()


def has_rows(spec: tf.TensorSpec) -> bool:
  """Whether the first dimension is free."""
  return bool(spec.shape.rank) and spec.shape[0] is None


def _converted(value: Any, spec: tf.TensorSpec) -> tf.Tensor:
  wanted = f'must be {spec.dtype.name} of shape {_written(spec.shape)}'
  # TensorFlow wraps integers that are too large, and takes true for 1.
  dtype = tf.int64 if spec.dtype.is_integer else spec.dtype
  try:
    tensor = None if _holds_truth(value) else tf.constant(value, dtype)
  except (TypeError, ValueError, OverflowError, SystemError):  # The last for 400-digit integers.
    tensor = None
  if tensor is None:
    raise ValueError(f'{wanted}, and is no rectangular array of such numbers')
  if not spec.shape.is_compatible_with(tensor.shape):
    raise ValueError(f'{wanted}, got shape {_written(tensor.shape)}')
  found = tf.cast(tensor, spec.dtype)
  exact = tf.math.is_finite(found) if spec.dtype.is_floating else tf.cast(found, dtype) == tensor
  if not tf.reduce_all(exact):
    raise ValueError(f'{wanted}, and holds NaN, infinity or a number beyond {spec.dtype.name}')
  return found


def _blame(rows: list[Any], spec: tf.TensorSpec) -> None:
  """Raises ValueError with the numbers of the rows that do not fit, if there are any."""
  faults: dict[int, str] = {}
  for i, row in enumerate(rows):
    try:
      _converted(row, spec)
    except ValueError as error:
      faults[i] = str(error)
    if len(faults) == NAMED_ROWS:
      break
  if faults:
    which = ', '.join(map(str, faults))
    raise ValueError(f'row {which} (from 0): {next(iter(faults.values()))}')


def _holds_truth(value: Any) -> bool:
  if not isinstance(value, list):
    return isinstance(value, bool)
  kinds = set(map(type, value))  # One fast pass over numbers.
  return bool in kinds or (list in kinds and any(map(_holds_truth, value)))


def _written(shape: tf.TensorShape) -> str:
  return '[' + ', '.join('?' if size is None else str(size) for size in shape) + ']'


def _spelled(value: Any) -> Any:
  if isinstance(value, dict):
    return {key: _spelled(one) for key, one in value.items()}
  if isinstance(value, list):
    return [_spelled(one) for one in value]
  if isinstance(value, float) and not math.isfinite(value):
    return 'NaN' if math.isnan(value) else 'Infinity' if value > 0 else '-Infinity'
  return value
