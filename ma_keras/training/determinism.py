"""Bit-for-bit reproducible runs."""

from __future__ import annotations

import functools

import tensorflow as tf
import tf_keras


def enable(seed: int) -> None:
  """Makes equal commands on one machine end in equal bits; call before TensorFlow does anything.

  TensorFlow adds up three or more terms in the order in which their buffers become free, and so,
  with operations running side by side, in an order that varies. One operation at a time takes
  most of that freedom away; the threads within an operation stay. Data arrive when they will,
  and so the optimiser must not make such sums out of those of two terms. Op determinism does the
  same for GPU kernels.

  Args:
    seed: Of TensorFlow's global generators, which nothing here draws from.

  Raises:
    RuntimeError: TensorFlow has started already.
  """
  try:
    _one_operation_at_a_time()
  except RuntimeError as error:
    raise RuntimeError(
      '`deterministic` runs need a new process: TensorFlow has done something in this one.'
    ) from error
  tf_keras.utils.set_random_seed(seed)


@functools.cache  # For the life of the process.
def _one_operation_at_a_time() -> None:
  tf.config.threading.set_inter_op_parallelism_threads(1)
  tf.config.experimental.enable_op_determinism()
  tf.config.optimizer.set_experimental_options({'arithmetic_optimization': False})
