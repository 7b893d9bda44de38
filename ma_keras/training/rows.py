"""What a batch is taken for, by the steps of training, evaluation and prediction alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf

UNDERSTOOD = "x | (x,) | (x, weights) | {'image': x} | (numbers, x) | (numbers, x, weights)"


class Rows(NamedTuple):
  """Points of the data, one a row.

  Attributes:
    x: Points, shape [b, N]; booleans become uint8.
    numbers: Their numbers in the global batch, int64 [b]; None if nobody has numbered them.
    weights: How often they stand, floating [b]; None for once.
  """

  x: tf.Tensor
  numbers: tf.Tensor | None = None
  weights: tf.Tensor | None = None


def understood(batch: Any, event_size: int) -> Rows:
  """Takes a batch apart, by its structure, dtypes and shapes.

  Args:
    batch: One of `UNDERSTOOD`, or the dictionary {'x': x, 'sample_weight': weights}. Points have
      any shape [b, ...] of N numbers each; for N = 1 also [b].
    event_size: N.

  Returns:
    The rows.

  Raises:
    ValueError: It is nothing of the kind: there are labels, several entries, another N.
  """
  numbers, x, weights = _parts(batch)
  x = _points(x, event_size)
  if numbers is not None:
    numbers = tf.cast(numbers, tf.int64)
  return Rows(x, numbers, None if weights is None else _weights(weights, x))


def _parts(batch: Any) -> tuple[Any, Any, Any]:
  """(numbers, x, weights) of a structure, None for what it lacks."""
  if isinstance(batch, Mapping):
    if 'x' in batch and batch.keys() <= {'x', 'sample_weight'}:
      return None, batch['x'], batch.get('sample_weight')
    return None, _entry(batch), None
  if not isinstance(batch, tuple | list):
    return None, batch, None
  parts = [_entry(part) if isinstance(part, Mapping) else part for part in batch]
  if len(parts) == 3 and parts[1] is None:  # (x, y, weights) of Keras, without y.
    parts = [parts[0], parts[2]]
  while len(parts) > 1 and parts[-1] is None:
    parts.pop()
  if len(parts) == 1:
    return _parts(parts[0]) if isinstance(batch[0], Mapping) else (None, parts[0], None)
  if len(parts) in (2, 3) and _are_numbers(parts[0], parts[1]):
    return parts[0], parts[1], parts[2] if len(parts) == 3 else None
  if len(parts) == 2:
    return None, parts[0], parts[1]
  raise ValueError(
    f'A batch of {len(parts)} parts is not understood, only {UNDERSTOOD}: a density has no labels, '
    'leave them out: data_set.map(lambda x, *labels: x).'
  )


def _entry(batch: Mapping[str, Any]) -> Any:
  if len(batch) != 1:
    raise ValueError(
      f'A dictionary of rows has one entry, or x and sample_weight, got {sorted(batch)}: choose '
      f'one, data_set.map(lambda row: row[{sorted(batch)[0]!r}]) say.'
    )
  return next(iter(batch.values()))


def _are_numbers(first: Any, second: Any) -> bool:
  """Whether integers [b] stand before points [b, ...]."""
  first, second = tf.convert_to_tensor(first), tf.convert_to_tensor(second)
  return first.dtype.is_integer and first.shape.rank == 1 and second.shape.rank != 1


def _points(x: Any, event_size: int) -> tf.Tensor:
  x = tf.convert_to_tensor(x)
  if x.dtype == tf.bool:
    x = tf.cast(x, tf.uint8)
  if not (x.dtype.is_floating or x.dtype.is_integer):
    raise ValueError(f'`x` must hold numbers, got {x.dtype.name}.')
  event = x.shape[1:] if x.shape.rank else x.shape
  if x.shape.rank == 1 and event_size != 1:
    raise ValueError(
      f'`x` must be rows [b, {event_size}], got shape {x.shape}: put rows together, '
      'data_set.batch(256) say.'
    )
  if x.shape.rank == 0 or (event.is_fully_defined() and math.prod(event) != event_size):
    raise ValueError(
      f'`x` must be rows [b, {event_size}], or [b, ...] of {event_size} numbers each, got shape '
      f'{x.shape}: the flow has event_size={event_size}.'
    )
  return x if x.shape.rank == 2 else tf.reshape(x, [-1, event_size])


def _weights(weights: Any, x: tf.Tensor) -> tf.Tensor:
  """Weights [b] of these rows."""
  weights = tf.convert_to_tensor(weights)
  if not weights.dtype.is_floating:
    raise ValueError(
      f'Weights beside `x` must be floating, got {weights.dtype.name}, as labels are: leave labels '
      'out, data_set.map(lambda x, y: x), or write tf.cast(weights, tf.float32).'
    )
  if weights.shape.rank == 2 and weights.shape[1] == 1:
    weights = weights[:, 0]
  if weights.shape.rank not in (1, None):
    raise ValueError(
      f'Weights beside `x` must have shape [b], got {weights.shape}: a batch is {UNDERSTOOD}, and '
      'a density has no labels.'
    )
  checks = [
    tf.debugging.assert_equal(
      tf.shape(weights), tf.shape(x)[:1], 'Weights must be as many as rows of `x`.'
    ),
    tf.debugging.assert_non_negative(weights, 'Weights must not be negative.'),
  ]
  with tf.control_dependencies([check for check in checks if check is not None]):
    return tf.identity(weights)
