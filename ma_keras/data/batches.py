"""The stream of training batches: a function of the step, and so resumable at any."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from ma_keras.arguments import is_whole
from ma_keras.data.disk_rows import row_numbers

CHANGES = 1  # Apart from the draws of orders.
# (rows [B, N], generator of the batch) -> rows [B, N].
Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def batches(
  points: np.ndarray,
  batch_size: int,
  seed: int,
  first: int = 0,
  change: Change | None = None,
) -> tf.data.Dataset:
  """Batch k, k+1, ... without end: numbers 0..B-1 and points, in another order every epoch.

  An epoch is n // B batches; its order is a permutation that depends on (seed, epoch) alone. A run
  that was resumed goes on where it stood if k is its optimizer's count. (A number, and nothing to
  be asked at the first request: by then the first step, which runs beside, may have raised it.)

  Args:
    points: Shape [n, N].
    batch_size: B, over all replicas.
    seed: Non-negative integer.
    first: k, number of the batch to begin with.
    change: What becomes of the points of a batch, at random by (seed, k); None for nothing.

  Returns:
    A `tf.data.Dataset` of (int64 [B], [B, N]).

  Raises:
    ValueError: B is not positive, or there are fewer points.
  """
  if not is_whole(batch_size) or batch_size > len(points):
    raise ValueError(
      f'`batch_size` must be at most the number of training points, {len(points)}, and positive, '
      f'got {batch_size}.'
    )
  count = len(points) // batch_size
  numbers = tf.range(batch_size, dtype=tf.int64)

  @functools.lru_cache(maxsize=2)
  def order(epoch: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(row_numbers(len(points)))

  def drawn(number: np.ndarray) -> np.ndarray:
    epoch, k = divmod(int(number), count)
    rows = points[order(epoch)[k * batch_size : (k + 1) * batch_size]]
    if change is None:
      return rows
    return change(rows, np.random.default_rng([seed, int(number), CHANGES]))

  def batch(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    x = tf.numpy_function(drawn, [number], tf.as_dtype(points.dtype))
    return numbers, tf.ensure_shape(x, [batch_size, points.shape[1]])

  # Not from_generator: its op (TF 2.21) makes malloc return memory after every use, of whoever in
  # the process, and training by XLA takes half as long again for page faults.
  return untuned(tf.data.Dataset.range(first, tf.int64.max).map(batch).prefetch(8))


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
  """The data set without tf.data's tuner, which has nothing to tune in those of this package.

  Its thread sleeps ever longer between two looks, and an iterator that ends waits until it wakes
  (TF 2.21): up to 17 s at the end of an epoch, measured.
  """
  options = tf.data.Options()
  options.autotune.enabled = False
  return dataset.with_options(options)
