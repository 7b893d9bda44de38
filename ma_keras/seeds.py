"""Stateless random seeds: a number names a draw, wherever and whenever it is made."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import tensorflow as tf

Seed: TypeAlias = int | tf.Tensor

# One counter-based generator, and seeds without sign: seeds and integers are then the same in eager
# mode, in graphs, under XLA and on every device. (Floats are not: XLA makes its own from the bits.)
ALGORITHM = 'philox'
LARGEST = 0x7FFFFFFF


def stateless(seed: Seed, salt: str) -> tf.Tensor:
  """Returns an int32 [2] seed that depends on nothing but `seed` and `salt`.

  TFP takes a bare int for a stateful seed, so that two equal calls differ; here an int names
  one stateless seed. The salt keeps two draws that are given the same seed independent.

  Args:
    seed: A non-negative int below 2^62, or a stateless seed of shape [2].
    salt: Name of the draw.

  Raises:
    ValueError: The seed is None or a negative int.
  """
  number = isinstance(seed, int | np.integer)
  if seed is None or (number and seed < 0):
    raise ValueError(
      f'`seed` must be a non-negative int or an int tensor of shape [2], got {seed}. '
      'Pass an int for reproducible draws.'
    )
  if number:
    seed = tf.constant([int(seed) >> 31, int(seed) & LARGEST], tf.int32)
  salted = zlib.crc32(salt.encode()) & LARGEST
  return fold_in(_without_sign(tf.convert_to_tensor(seed, tf.int32)), salted)


def fresh() -> tf.Tensor:
  """A seed nobody has seen before, for `seed=None`: int32 [2], not reproducible."""
  return tf.random.get_global_generator().uniform_full_int([2], tf.int32)


def split(seed: Seed, number: int, salt: str) -> list[tf.Tensor]:
  """`number` independent int32 [2] seeds out of one."""
  parts = tf.random.split(stateless(seed, salt), number, alg=ALGORITHM)
  return tf.unstack(_without_sign(parts))


def fold_in(seed: tf.Tensor, number: int | tf.Tensor) -> tf.Tensor:
  """The seed of the draw numbered `number` (int32 []) in a series: int32 [2]."""
  return _without_sign(tf.random.fold_in(seed, number, alg=ALGORITHM))


def integers(shape: Sequence[int] | tf.Tensor, seed: tf.Tensor, number: int) -> tf.Tensor:
  """Integers 0..number-1, int32, the same on every device and under XLA."""
  return tf.random.stateless_uniform(
    shape, seed, minval=0, maxval=number, dtype=tf.int32, alg=ALGORITHM
  )


def _without_sign(seed: tf.Tensor) -> tf.Tensor:
  """Drops the sign bits: XLA and TensorFlow's own kernels disagree on negative seeds."""
  return tf.bitwise.bitwise_and(seed, LARGEST)
