"""Stateless random seeds: a number names a draw, wherever and whenever it is made."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import tensorflow as tf
from tensorflow.python.ops import control_flow_util


@dataclasses.dataclass(frozen=True)
class PerSample:
  """A seed for every sample of a batch: draws get a leading axis, one row per sample.

  The draws are made for the whole global batch and gathered by sample number, so that a sample
  meets the same ones wherever its share of the batch is computed.

  Attributes:
    seed: Non-negative int or int32 [2]: the seed of the global batch.
    numbers: Which samples of the global batch these are, integers [b].
    batch_size: B, the size of the global batch.
  """

  seed: int | tf.Tensor
  numbers: tf.Tensor
  batch_size: int | tf.Tensor

  def rekeyed(self, rekey: Callable[[int | tf.Tensor], tf.Tensor]) -> PerSample:
    """Returns the same samples under another seed."""
    return dataclasses.replace(self, seed=rekey(self.seed))


Seed: TypeAlias = int | tf.Tensor | PerSample

LARGEST = 0x7FFFFFFF


def stateless(seed: Seed, salt: str) -> Seed:
  """Returns an int32 [2] seed that depends on nothing but `seed` and `salt`.

  TFP takes a bare int for a stateful seed, so that two equal calls differ; here an int names
  one stateless seed. The salt keeps two draws that are given the same seed independent.

  Args:
    seed: A non-negative int below 2^62, a stateless seed of shape [2], or one `PerSample`, which
      stays one.
    salt: Name of the draw.

  Raises:
    ValueError: The seed is None, a negative int, a float or text.
  """
  if isinstance(seed, PerSample):
    return seed.rekeyed(lambda key: stateless(key, salt))
  number = isinstance(seed, int | np.integer)
  if seed is None or isinstance(seed, float | str) or (number and seed < 0):
    raise ValueError(
      f'`seed` must be a non-negative int or an int tensor of shape [2], got {seed!r}. '
      'Pass an int for reproducible draws.'
    )
  if number:
    seed = tf.constant([int(seed) >> 31, int(seed) & LARGEST], tf.int32)
  salted = zlib.crc32(salt.encode()) & LARGEST
  return fold_in(_without_sign(tf.convert_to_tensor(seed, tf.int32)), salted)


def of_batch(seed: Seed) -> int | tf.Tensor:
  """One seed for all samples: that of the global batch where there is one per sample."""
  return seed.seed if isinstance(seed, PerSample) else seed


def plain(seed: Seed) -> int | list[int]:
  """The seed as a number or a list of two, for files.

  Raises:
    NotImplementedError: The draws differ from sample to sample.
  """
  if isinstance(seed, PerSample):
    raise NotImplementedError('Draws of every sample have no configuration: with_seed(0), say.')
  return int(seed) if isinstance(seed, int | np.integer) else [int(part) for part in seed]


def for_rows(seed: Seed, rows: tf.Tensor, batch_size: int | tf.Tensor) -> PerSample:
  """The draws that some rows of a batch have: those of `seed` for [B, ...], gathered by row."""
  if isinstance(seed, PerSample):
    return dataclasses.replace(seed, numbers=tf.gather(seed.numbers, rows))
  return PerSample(seed, rows, batch_size)


def fresh() -> tf.Tensor:
  """A seed for `seed=None`, int32 [2]: the next of those that `tf.random.set_seed` fixes.

  `tf_keras.utils.set_random_seed` and that of Keras 3 call it. Without them nobody has seen it.
  """
  return tf.random.uniform([2], maxval=LARGEST, dtype=tf.int32)


def split(seed: Seed, number: int, salt: str) -> list[Seed]:
  """`number` independent int32 [2] seeds out of one."""
  if isinstance(seed, PerSample):
    keys = split(seed.seed, number, salt)
    return [dataclasses.replace(seed, seed=key) for key in keys]
  parts = tf.random.split(stateless(seed, salt), number, alg=_algorithm())
  return tf.unstack(_without_sign(parts))


def fold_in(seed: Seed, number: int | tf.Tensor) -> Seed:
  """The seed of the draw numbered `number` (int32 []) in a series: int32 [2]."""
  if isinstance(seed, PerSample):
    return seed.rekeyed(lambda key: fold_in(key, number))
  return _without_sign(tf.random.fold_in(seed, number, alg=_algorithm()))


def integers(shape: Sequence[int] | tf.Tensor, seed: Seed, number: int) -> tf.Tensor:
  """Integers 0..number-1, int32, the same on every device and under XLA.

  Args:
    shape: Of one draw; `PerSample` seeds make b of them, [b, *shape].
    seed: Stateless seed of shape [2], or one per sample.
    number: How many integers there are to choose from.
  """

  def draw(shape: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    return tf.random.stateless_uniform(
      shape, key, minval=0, maxval=number, dtype=tf.int32, alg=_algorithm()
    )

  return _drawn(draw, shape, seed)


def uniform(shape: Sequence[int] | tf.Tensor, seed: Seed, dtype: tf.DType) -> tf.Tensor:
  """Numbers in [0, 1) of that shape, or [b, *shape] for a `PerSample` seed."""
  return _drawn(
    lambda shape, key: tf.random.stateless_uniform(shape, key, dtype=dtype), shape, seed
  )


def normal(shape: Sequence[int] | tf.Tensor, seed: Seed, dtype: tf.DType) -> tf.Tensor:
  """Standard normal numbers of that shape, or [b, *shape] for a `PerSample` seed."""
  return _drawn(lambda shape, key: tf.random.stateless_normal(shape, key, dtype=dtype), shape, seed)


def _drawn(
  draw: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], shape: Sequence[int] | tf.Tensor, seed: Seed
) -> tf.Tensor:
  """draw(shape, seed), or its rows for the samples at hand."""
  if not isinstance(seed, PerSample):
    return draw(shape, seed)
  everyone = draw(tf.concat([[seed.batch_size], tf.cast(shape, tf.int32)], axis=0), seed.seed)
  return tf.gather(everyone, seed.numbers)


def _algorithm() -> str:
  """One counter-based generator, Philox, by its name for XLA and by the kernels' choice elsewhere.

  Seeds, which have no sign, and integers are then the same in eager mode, in graphs, under XLA and
  on every device. (Floats are not: XLA makes its own from the bits.) XLA's own choice on TPUs is
  another; by name a draw takes forty operations for one, which tripled those of a small flow.
  """
  if tf.executing_eagerly():
    return 'auto_select'
  graph = tf.compat.v1.get_default_graph()
  compiled = control_flow_util.GraphOrParentsInXlaContext(graph)
  return 'philox' if compiled else 'auto_select'


def _without_sign(seed: tf.Tensor) -> tf.Tensor:
  """Drops the sign bits: XLA and TensorFlow's own kernels disagree on negative seeds."""
  return tf.bitwise.bitwise_and(seed, LARGEST)
