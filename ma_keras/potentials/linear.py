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


def append(x: tf.Tensor, t: tf.Tensor | None, context: tf.Tensor | None) -> tf.Tensor:
  """(x, t, c): time and context as further coordinates of points of any leading rank.

  Args:
    x: Points, shape [..., N].
    t: Time, shape [], or None.
    context: c, shape [..., C], or None.

  Returns:
    Shape [..., N (+ 1) (+ C)].
  """
  columns = [x]
  if t is not None:
    # The hint keeps a Python float exact: tf.cast alone would round it to float32 first.
    t = tf.cast(tf.convert_to_tensor(t, dtype_hint=x.dtype), x.dtype)
    columns.append(t * tf.ones_like(x[..., :1]))
  if context is not None:
    columns.append(tf.cast(beside(context, x), x.dtype))
  return tf.concat(columns, axis=-1) if columns[1:] else x


def beside(context: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
  """Contexts [..., C] of every point x [..., N], those with fewer leading axes repeated."""
  leading = tf.shape(x)[:-1]
  return tf.broadcast_to(context, tf.concat([leading, tf.shape(context)[-1:]], axis=0))
