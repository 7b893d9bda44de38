"""Inputs of a layer, for points of any leading rank."""

import tensorflow as tf


def apply_kernel(x: tf.Tensor, kernel: tf.Tensor, transpose: bool = False) -> tf.Tensor:
  """Y = x W, or x W' with `transpose`: [..., N] and [N, H] give [..., H].

  Rank 2 is the flow's inner loop and becomes one matrix product; `tf.tensordot` would surround
  it with a dozen small shape operations.

  Args:
    x: Points, shape [..., N].
    kernel: W, shape [N, H] ([H, N] with `transpose`).
    transpose: Multiply by the transposed kernel.

  Returns:
    Shape [..., H].
  """
  x = tf.convert_to_tensor(x, dtype_hint=kernel.dtype)
  if x.shape.rank == 2:
    return tf.matmul(x, kernel, transpose_b=transpose)
  return tf.tensordot(x, kernel, axes=((-1,), (1 if transpose else 0,)))


def append_time(t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
  """(x, t): the time as one more coordinate of points of any leading rank.

  Args:
    t: Time, shape [].
    x: Points, shape [..., N].

  Returns:
    Shape [..., N + 1].
  """
  # The hint keeps a Python float exact: tf.cast alone would round it to float32 first.
  t = tf.cast(tf.convert_to_tensor(t, dtype_hint=x.dtype), x.dtype)
  return tf.concat([x, t * tf.ones_like(x[..., :1])], axis=-1)
