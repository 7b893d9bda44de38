"""Rows of a batch, as understood by the steps of training, evaluation and prediction alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import tensorflow as tf

Inside = Callable[[tf.Tensor], tf.Tensor]
UNDERSTOOD = "x | (x,) | (x, weights) | {'image': x} | (numbers, x) | (numbers, x, weights)"

OUTSIDE = 'A row of `x` lies outside the support of the preprocessing'


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
  numbers, x, weights = parts(batch)
  x = points(x, event_size)
  if numbers is not None:
    numbers = tf.cast(numbers, tf.int64)
  return Rows(x, numbers, None if weights is None else _weights(weights, x))


def checked(batch: Any, event_size: int, inside: Inside | None = None) -> Any:
  """The batch as it is, once its numbers have been checked as `understood` checks them.

  Streams go through it outside of the steps: XLA drops assertions, so that a step compiled by
  `jit_compile=True`, or for a TPU, would take NaN and negative weights as they are.

  Args:
    batch: One of `UNDERSTOOD`.
    event_size: N.
    inside: [b, N] -> bool [b], rows that the model can take; None where its steps see to that.

  Raises:
    ValueError: It is not understood.
    tf.errors.InvalidArgumentError: A number is none of a density's data; when it is read.
  """
  rows = understood(batch, event_size)
  checks = [part for part in rows if part is not None]
  if inside is not None:
    checks.append(_if(inside(rows.x), rows.x, OUTSIDE))
  with tf.control_dependencies(checks):
    return tf.nest.map_structure(tf.identity, batch)


def parts(batch: Any) -> tuple[Any, Any, Any]:
  """(numbers, x, weights) of a structure, None for what it lacks.

  Raises:
    ValueError: There are labels, or several entries.
  """
  if isinstance(batch, Mapping):
    if 'x' in batch and batch.keys() <= {'x', 'sample_weight'}:
      return None, batch['x'], batch.get('sample_weight')
    return None, _entry(batch), None
  if not isinstance(batch, tuple | list):
    return None, batch, None
  if len(batch) == 1:
    return parts(batch[0])
  members = [_entry(part) if isinstance(part, Mapping) else part for part in batch]
  if len(members) == 3 and members[1] is None:  # (x, y, weights) of Keras, without y.
    del members[1]
  while len(members) > 1 and members[-1] is None:
    members.pop()
  if len(members) == 1:
    return None, members[0], None
  if len(members) in (2, 3) and _are_numbers(members[0], members[1]):
    return members[0], members[1], members[2] if len(members) == 3 else None
  if len(members) == 2:
    return None, members[0], members[1]
  raise ValueError(
    f'A batch of {len(members)} parts is not understood, only {UNDERSTOOD}: a density has no '
    'labels, leave them out: data_set.map(lambda x, *labels: x).'
  )


def _entry(batch: Mapping[str, Any]) -> Any:
  if len(batch) != 1:
    raise ValueError(
      f'A dictionary of rows has one entry, or x and sample_weight, got {sorted(batch)}: choose '
      f'one, data_set.map(lambda row: row[{sorted(batch)[0]!r}]) say, or put columns side by side, '
      'tf.stack(list(row.values()), axis=-1).'
    )
  return next(iter(batch.values()))


def _are_numbers(first: Any, second: Any) -> bool:
  """Tells if integers [b] stand before points [b, ...]."""
  first, second = tf.convert_to_tensor(first), tf.convert_to_tensor(second)
  return first.dtype.is_integer and first.shape.rank == 1 and second.shape.rank != 1


def check_dense(x: Any) -> None:
  """Raises ValueError on tensors that have no place for every number."""
  for kind, remedy in (
    (tf.RaggedTensor, 'x.to_tensor()'),
    (tf.SparseTensor, 'tf.sparse.to_dense(x)'),
  ):
    if isinstance(x, kind):
      raise ValueError(f'`x` is a {kind.__name__}, and rows have all their numbers: {remedy}.')


def points(x: Any, event_size: int) -> tf.Tensor:
  """Points [b, ...] of N numbers each as rows [b, N].

  Raises:
    ValueError: They are no numbers, or not N.
  """
  check_dense(x)
  x = tf.convert_to_tensor(x)
  if x.dtype == tf.bool:
    x = tf.cast(x, tf.uint8)
  if not (x.dtype.is_floating or x.dtype.is_integer):
    raise ValueError(f'`x` must hold numbers, got {x.dtype.name}.')
  if x.dtype.is_floating and x.shape.rank != 0:
    finite = tf.reduce_all(tf.math.is_finite(x), axis=tf.range(1, tf.rank(x)))
    x = _if(finite, x, '`x` holds NaN or infinity')
  if x.shape.rank is None or not x.shape[1:].is_fully_defined():
    return _reshaped(x, event_size)
  if x.shape.rank == 1 and event_size != 1:
    raise ValueError(
      f'`x` must be rows [b, {event_size}], got shape {x.shape}: put rows together, '
      'data_set.batch(256) say.'
    )
  if x.shape.rank == 0 or math.prod(x.shape[1:]) != event_size:
    raise ValueError(
      f'`x` must be rows [b, {event_size}], or [b, ...] of {event_size} numbers each, got shape '
      f'{x.shape}: the flow has event_size={event_size}.'
    )
  return x if x.shape.rank == 2 else tf.reshape(x, [-1, event_size])


def _reshaped(x: tf.Tensor, event_size: int) -> tf.Tensor:
  """Points of a shape that is known when they come, as rows."""
  size = tf.reduce_prod(tf.shape(x)[1:])
  rank = 1 if event_size == 1 else 2
  message = f'`x` must be rows [b, {event_size}]: the flow has event_size={event_size}.'
  with tf.control_dependencies(
    [
      tf.debugging.assert_greater_equal(tf.rank(x), rank, message),
      tf.debugging.assert_equal(size, event_size, message),
    ]
  ):
    return tf.reshape(x, [-1, event_size])


def _weights(weights: Any, x: tf.Tensor) -> tf.Tensor:
  """Weights [b] of these rows."""
  weights = tf.convert_to_tensor(weights)
  if not weights.dtype.is_floating:
    raise ValueError(
      f'Weights beside `x` must be floating, got {weights.dtype.name}, as labels are: leave labels '
      'out, data_set.map(lambda x, y: x), or write tf.cast(weights, tf.float32).'
    )
  if weights.shape.rank is None or weights.shape[1:] == [1]:
    weights = tf.reshape(weights, [-1])
  if weights.shape.rank != 1:
    raise ValueError(
      f'Weights beside `x` must have shape [b], got {weights.shape}: a batch is {UNDERSTOOD}, and '
      'a density has no labels.'
    )
  number = 'Weights must be as many as rows of `x`.'
  same = tf.debugging.assert_equal(tf.shape(weights), tf.shape(x)[:1], number)
  with tf.control_dependencies([same]):
    weights = tf.identity(weights)
  possible = tf.math.is_finite(weights) & (weights >= 0)
  return _if(possible, weights, 'Weights must be finite and not negative (are they labels?)')


def _if(possible: tf.Tensor, x: tf.Tensor, message: str) -> tf.Tensor:
  """x, unless a row is not possible, bool [b]: then an error that names the first such row."""
  row = tf.reduce_sum(tf.math.cumprod(tf.cast(possible, tf.int32)))  # So many before are.
  with tf.control_dependencies(
    [tf.debugging.Assert(tf.reduce_all(possible), [f'{message}: row of the batch', row])]
  ):
    return tf.identity(x)
