"""Batches of two distributions that are not paired: rows of arrays, or fresh samples."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras import seeds
from ma_keras.arguments import is_whole
from ma_keras.transport import BrenierMap
from ma_keras.transport.dual import samples

BATCH_SIZE = 256
STEPS = 100  # Of an epoch, where the samples have no end.


class Stream(NamedTuple):
  """Batches (z, x) of samples of P and of Q.

  Attributes:
    dataset: Pairs of [B, N] each, without end unless the user's own has one.
    steps: Batches an epoch; None where the dataset tells.
  """

  dataset: tf.data.Dataset
  steps: int | None


def stream(data: Any, optimal: BrenierMap, batch_size: int, steps: int | None, seed: int) -> Stream:
  """Batches of both ends of a map.

  Args:
    data: (P, Q), each an array [n, N] or a TFP distribution with events [N]; or a dataset of pairs.
    optimal: The map, which fixes N and the dtype.
    batch_size: B.
    steps: Batches an epoch; by default once through the longer array, or `STEPS`.
    seed: Names the order of rows and the samples.

  Raises:
    ValueError: There are not two ends, or one is not of N numbers.
  """
  if isinstance(data, tf.data.Dataset):
    return Stream(data, steps)
  if not isinstance(data, tuple | list) or len(data) != 2:
    raise ValueError(
      f'`x` must be two ends (P, Q), arrays or distributions, got {type(data).__name__}: '
      'fit((z, x)).'
    )
  if not is_whole(batch_size):
    raise ValueError(f'`batch_size` must be positive and whole, got {batch_size!r}.')
  batches, lengths = [], []
  for number, end in enumerate(data):
    salt = f'end {number}'
    if isinstance(end, tfp.distributions.Distribution):
      batches.append(_drawn(end, optimal, batch_size, seeds.stateless(seed, salt)))
    else:
      rows = samples('zx'[number], end, optimal)
      batches.append(_rows(rows, batch_size, seed + number))
      lengths.append(len(rows))
  if steps is None:
    steps = -(-max(lengths) // batch_size) if lengths else STEPS
  return Stream(tf.data.Dataset.zip(tuple(batches)).prefetch(2), steps)


def _rows(x: np.ndarray, batch_size: int, seed: int) -> tf.data.Dataset:
  """Rows in random order, again and again."""
  values = tf.constant(x)
  numbers = tf.data.Dataset.range(len(x)).shuffle(len(x), seed=seed).repeat().batch(batch_size)
  return numbers.map(lambda chosen: tf.gather(values, chosen))


def _drawn(
  distribution: Any, optimal: BrenierMap, batch_size: int, seed: tf.Tensor
) -> tf.data.Dataset:
  """Fresh samples of a distribution, batch k from (seed, k)."""
  size = optimal.potential.event_size
  if distribution.event_shape.as_list() != [size] or distribution.dtype != optimal.dtype:
    raise ValueError(
      f'`x` has an end with events {distribution.event_shape} of '
      f'{tf.as_dtype(distribution.dtype).name}, and the map has [{size}] of {optimal.dtype.name}.'
    )

  def draw(k: tf.Tensor) -> tf.Tensor:
    x = distribution.sample(batch_size, seed=seeds.fold_in(seed, tf.cast(k, tf.int32)))
    return tf.ensure_shape(x, [batch_size, size])

  return tf.data.Dataset.counter().map(draw)
