"""The stream of training batches: a function of the step, and so resumable at any."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf


def batches(
  points: np.ndarray, batch_size: int, seed: int, step: Callable[[], int]
) -> tf.data.Dataset:
  """Batch k, k+1, ... without end: numbers 0..B-1 and points, in another order every epoch.

  An epoch is n // B batches; its order is a permutation that depends on (seed, epoch) alone. The
  first batch is that of `step()` at the time of the first request, which a model restored from a
  checkpoint answers with its optimizer's count: the run goes on where it stood.

  Args:
    points: Shape [n, N].
    batch_size: B, over all replicas.
    seed: Non-negative integer.
    step: Number of the batch to begin with.

  Returns:
    A `tf.data.Dataset` of (int64 [B], [B, N]).

  Raises:
    ValueError: There are fewer points than B.
  """
  count = len(points) // batch_size
  if count < 1:
    raise ValueError(
      f'`batch_size` must be at most the number of training points, {len(points)}, got '
      f'{batch_size}.'
    )
  numbers = np.arange(batch_size, dtype=np.int64)

  def generate() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    epoch, first = divmod(int(step()), count)
    while True:
      order = np.random.default_rng([seed, epoch]).permutation(len(points))
      for k in range(first, count):
        yield numbers, points[order[k * batch_size : (k + 1) * batch_size]]
      epoch, first = epoch + 1, 0

  signature = (
    tf.TensorSpec([batch_size], tf.int64),
    tf.TensorSpec([batch_size, points.shape[1]], tf.as_dtype(points.dtype)),
  )
  return tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(8)
