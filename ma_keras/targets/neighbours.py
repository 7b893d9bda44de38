"""Sums over the nearest neighbours of every site of a square lattice."""

from __future__ import annotations

import tensorflow as tf


def neighbour_sum(x: tf.Tensor, side: int, boundary: str = 'periodic') -> tf.Tensor:
  """Sum of the up to 4 neighbours of every site: local, so O(N), no matrix.

  Args:
    x: Values at all sites, row by row, [..., N], N = L^2.
    side: L.
    boundary: 'periodic', where a side of 2 counts its one neighbour twice, or 'open'.

  Returns:
    Shape [..., N].
  """
  field = tf.reshape(x, tf.concat([tf.shape(x)[:-1], [side, side]], axis=0))
  shift, axes = _shift_with_zero, (-2, -1)
  if boundary == 'periodic':
    # Counted from the front: tf.vectorized_map takes a negative axis of tf.roll for another one.
    shift, axes = tf.roll, (tf.rank(field) - 2, tf.rank(field) - 1)
  total = tf.add_n([shift(field, step, axis) for axis in axes for step in (-1, 1)])
  return tf.reshape(total, tf.shape(x))


def _shift_with_zero(field: tf.Tensor, step: int, axis: int) -> tf.Tensor:
  """`tf.roll` by one site that lets zeros in at the edge: an open edge has no neighbour outside."""
  if axis == -2:
    edge = tf.zeros_like(field[..., :1, :])
    parts = [edge, field[..., :-1, :]] if step == 1 else [field[..., 1:, :], edge]
  else:
    edge = tf.zeros_like(field[..., :1])
    parts = [edge, field[..., :-1]] if step == 1 else [field[..., 1:], edge]
  return tf.concat(parts, axis)
