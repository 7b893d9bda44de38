"""A replica's share of the global batch: which rows are its own, and how many there are in all."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from ma_keras.training.parameter_server import is_asynchronous


class Share(NamedTuple):
  """The rows of this replica among those of all replicas.

  Attributes:
    numbers: Numbers of the rows in the global batch, int64 [b].
    batch_size: B, how many rows all replicas have, an int or int32 [].
  """

  numbers: tf.Tensor
  batch_size: int | tf.Tensor


def numbered(
  x: tf.Tensor, numbers: tf.Tensor | None = None, batch_size: int | None = None
) -> Share:
  """Numbers rows in the order of the replicas, as they were handed out, unless they have numbers.

  Args:
    x: This replica's rows, [b, ...].
    numbers: Theirs in the global batch, int64 [b], if somebody has numbered them already.
    batch_size: B where they have numbers; counted if None.

  Raises:
    ValueError: Workers of parameter servers, who know nothing of each other, must number theirs.
  """
  context = tf.distribute.get_replica_context()
  if numbers is not None and (batch_size is not None or is_asynchronous(context.strategy)):
    return Share(numbers, batch_size or tf.shape(x)[0])
  counted = _counted(x, context)
  return counted if numbers is None else counted._replace(numbers=numbers)


def _counted(x: tf.Tensor, context: Any) -> Share:
  """Numbers 0..B-1 for the rows of all replicas."""
  if is_asynchronous(context.strategy):
    raise ValueError(
      'With parameter servers batches are (numbers, x): worker w numbers its rows w B .. (w + 1) B '
      '- 1, see training.parameter_server.for_workers.'
    )
  size, replicas = x.shape[0], context.num_replicas_in_sync
  if replicas == 1:
    size = tf.shape(x)[0] if size is None else size
    return Share(tf.range(size, dtype=tf.int64), size)
  replica = context.replica_id_in_sync_group
  if size is not None:  # Static shapes, as TPUs need, are the same on all replicas.
    first = tf.cast(replica * size, tf.int64)
    return Share(first + tf.range(size, dtype=tf.int64), size * replicas)
  sizes = context.all_gather(tf.shape(x)[:1], axis=0)
  first = tf.cast(tf.reduce_sum(sizes[:replica]), tf.int64)
  return Share(first + tf.range(tf.cast(tf.shape(x)[0], tf.int64)), tf.reduce_sum(sizes))


def total(weights: tf.Tensor) -> tf.Tensor:
  """Sum of the weights [b] of all replicas, float64 []; with parameter servers the worker's own."""
  context = tf.distribute.get_replica_context()
  own_total = tf.reduce_sum(tf.cast(weights, tf.float64))
  if context.num_replicas_in_sync == 1 or is_asynchronous(context.strategy):
    return own_total
  return context.all_reduce(tf.distribute.ReduceOp.SUM, own_total)
