"""Sums over the nearest neighbours of every site of a square lattice."""

from __future__ import annotations

import tensorflow as tf


def neighbour_sum(field: tf.Tensor, boundary: str = 'periodic') -> tf.Tensor:
  """Sum of the up to 4 neighbours of every site: local, so O(N), no matrix.

  Args:
    field: Values at all sites, [..., R, C].
    boundary: 'periodic', where a side of 2 counts its one neighbour twice, or 'open'.

  Returns:
    Shape [..., R, C].
  """
  if boundary == 'periodic':
    # Counted from the front: tf.vectorized_map takes a negative axis of tf.roll for another one.
    axes = (tf.rank(field) - 2, tf.rank(field) - 1)
    return tf.add_n([tf.roll(field, step, axis) for axis in axes for step in (-1, 1)])
  return tf.add_n([_shift_with_zero(field, step, axis) for axis in (-2, -1) for step in (-1, 1)])


def _shift_with_zero(field: tf.Tensor, step: int, axis: int) -> tf.Tensor:
  """`tf.roll` by one site that lets zeros in at the edge: an open edge has no neighbour outside."""
  if axis == -2:
    edge = tf.zeros_like(field[..., :1, :])
    parts = [edge, field[..., :-1, :]] if step == 1 else [field[..., 1:, :], edge]
  else:
    edge = tf.zeros_like(field[..., :1])
    parts = [edge, field[..., :-1]] if step == 1 else [field[..., 1:], edge]
  return tf.concat(parts, axis)
