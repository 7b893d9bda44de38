"""Contexts c of conditional potentials phi(t, x | c), and how they enter by a linear map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from ma_keras import seeds
from ma_keras.arguments import is_whole
from ma_keras.potentials.linear import apply_kernel, beside


def checked_size(context_size: Any) -> int | None:
  """Returns C, or None.

  Raises:
    ValueError: It is neither None nor a positive integer.
  """
  if context_size is None:
    return None
  if not is_whole(context_size):
    raise ValueError(
      f'`context_size` must be a positive integer or None, got {context_size!r}: it is C, the '
      'length of one context.'
    )
  return int(context_size)


def checked(context: Any, size: int, dtype: tf.DType) -> tf.Tensor:
  """Returns the context as a tensor [..., C].

  Raises:
    ValueError: Its last axis has another length, or it has none.
    TypeError: Its dtype is another floating one, which would cost digits or cut off gradients.
  """
  context = tf.convert_to_tensor(context, dtype_hint=dtype)
  if context.dtype.is_floating and context.dtype != dtype:
    raise TypeError(
      f'`context` must be {dtype.name} as the potential is, got {context.dtype.name}: '
      f'tf.cast(context, tf.{dtype.name}).'
    )
  if context.shape.rank == 0 or context.shape[-1] not in (None, size):
    raise ValueError(
      f'`context` must have shape [..., {size}], got {list(context.shape)}: its last axis is one '
      f'context, and the potential has context_size={size}.'
    )
  return tf.cast(context, dtype)


def kernel(
  context_size: int | None,
  shape: Sequence[int],
  dtype: tf.DType,
  seed: seeds.Seed,
  scale: float = 1.0,
) -> tf.Variable | None:
  """V ~ Normal(0, scale^2 / C), a variable [C, *shape]; None without context.

  Args:
    context_size: C, or None.
    shape: Shape of what the context is added to.
    dtype: Floating dtype.
    seed: Names the draws.
    scale: Size of what contexts of unit variance add.
  """
  size = checked_size(context_size)
  if size is None:
    return None
  key = seeds.stateless(seed, salt='context')
  normal = tf.random.stateless_normal([size, *shape], key, dtype=dtype)
  return tf.Variable(scale * size**-0.5 * normal, name='context_kernel')


def added(context: tf.Tensor, kernel: tf.Variable) -> tf.Tensor:
  """c V, [..., *shape], of contexts [..., C] and a kernel [C, *shape]."""
  flat = tf.reshape(kernel, [kernel.shape[0], -1])
  product = apply_kernel(context, flat)
  return tf.reshape(product, tf.concat([tf.shape(product)[:-1], tf.shape(kernel)[1:]], axis=0))


def rows(context: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
  """Contexts of points x [..., N] as rows, [B, C] for B points; one for all of them, [C].

  Raises:
    ValueError: Their leading axes do not broadcast to those of x.
  """
  if context.shape[:-1].num_elements() == 1:
    return tf.reshape(context, [context.shape[-1]])
  try:
    shape = tf.broadcast_static_shape(context.shape[:-1], x.shape[:-1])
    fits = shape.rank is None or shape.is_compatible_with(x.shape[:-1])
  except ValueError:
    fits = False
  if not fits:
    raise ValueError(
      f'`context` must have a row for every point or one for all, got {list(context.shape)} for '
      f'points {list(x.shape)}: its leading axes must be theirs.'
    )
  return tf.reshape(beside(context, x), [-1, context.shape[-1]])
