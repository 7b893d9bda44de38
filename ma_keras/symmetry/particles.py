"""Permutations of particles, and rotations and reflections of space: groups without a table."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ma_keras import seeds
from ma_keras.arguments import is_whole
from ma_keras.symmetry.group import Group, permutations

MOST_PERMUTED = 7  # Particles whose n! permutations make a table.


class ParticleElement(NamedTuple):
  """g with (g x)_i = R x_index_i: one element for all points, or one for each of a batch.

  Attributes:
    index: Permutation of the particles, int32 [n] or [b, n].
    matrix: R, orthogonal, [D, D] or [b, D, D].
  """

  index: tf.Tensor
  matrix: tf.Tensor

  def act(self, x: tf.Tensor) -> tf.Tensor:
    """g x, [..., n D] -> [..., n D]; [b, n D] where g is one per point."""
    n, d = self.index.shape[-1], self.matrix.shape[-1]
    if self.index.shape.rank == 2 and x.shape.rank == 1:
      x = tf.broadcast_to(x, tf.concat([tf.shape(self.index)[:1], tf.shape(x)], axis=0))
    positions = tf.reshape(x, tf.concat([tf.shape(x)[:-1], [n, d]], axis=0))
    permuted = tf.gather(positions, self.index, axis=-2, batch_dims=self.index.shape.rank - 1)
    return tf.reshape(tf.matmul(permuted, self.matrix, transpose_b=True), tf.shape(x))

  def inverse(self) -> ParticleElement:
    """g^-1: x_index_i = R' (g x)_i."""
    return ParticleElement(tf.argsort(self.index, axis=-1), tf.linalg.matrix_transpose(self.matrix))

  def after(self, first: ParticleElement) -> ParticleElement:
    """The product g h, (g h) x = g (h x), of g and `first` h."""
    index = first.index
    if index.shape.rank < self.index.shape.rank:
      index = tf.broadcast_to(index, tf.shape(self.index))
    composed = tf.gather(index, self.index, axis=-1, batch_dims=self.index.shape.rank - 1)
    return ParticleElement(composed, tf.matmul(self.matrix, first.matrix))


@dataclasses.dataclass(frozen=True)
class ParticleSymmetries:
  """S_n x O(D) on n particles in D dimensions, to draw one element per step from.

  Elements are uniform: permutations on all n!, rotations by Haar's measure. A potential of
  distances has all of these symmetries exactly; this gives them, on average over seeds, to one
  that has none.

  Attributes:
    particles: n.
    dimensions: D.
    permuting: Whether particles are permuted.
    rotating: Whether space is rotated.
    reflecting: Whether it is reflected as well; only where it is rotated.
  """

  particles: int
  dimensions: int
  permuting: bool = True
  rotating: bool = True
  reflecting: bool = True

  def __post_init__(self) -> None:
    """Checks the sizes.

    Raises:
      ValueError: A size is not positive and whole.
    """
    for name in ('particles', 'dimensions'):
      if not is_whole(getattr(self, name)):
        raise ValueError(f'`{name}` must be a positive integer, got {getattr(self, name)!r}.')

  @property
  def size(self) -> int:
    """N = n D."""
    return self.particles * self.dimensions

  def config(self) -> dict[str, Any]:
    """The constructor's arguments as plain values: see `model_file`."""
    return dataclasses.asdict(self)

  def draw(self, seed: seeds.Seed, dtype: tf.DType) -> ParticleElement:
    """One element; one for each sample where the seed is `seeds.PerSample`."""
    first, second = seeds.split(seed, 2, salt='particle_symmetries')
    keys = seeds.uniform([self.particles], first, dtype)
    index = tf.argsort(keys, axis=-1)
    if not self.permuting:
      index = tf.broadcast_to(tf.range(self.particles), tf.shape(index))
    return ParticleElement(index, self._orthogonal(second, dtype))

  def _orthogonal(self, seed: seeds.Seed, dtype: tf.DType) -> tf.Tensor:
    """R of Haar's measure, [D, D] or [b, D, D]: normal rows made orthonormal one by one."""
    normal = seeds.normal([self.dimensions, self.dimensions], seed, dtype)
    if not self.rotating:
      return tf.broadcast_to(tf.eye(self.dimensions, dtype=dtype), tf.shape(normal))
    rows: list[tf.Tensor] = []
    for row in tf.unstack(normal, axis=-2):
      for known in rows + rows:  # Twice is enough for rounding.
        row -= tf.reduce_sum(row * known, axis=-1, keepdims=True) * known
      rows.append(tf.math.l2_normalize(row, axis=-1))
    matrix = tf.stack(rows, axis=-2)
    if self.reflecting:
      return matrix
    turned = tf.sign(tf.linalg.det(matrix))[..., tf.newaxis] * rows[0]
    return tf.stack([turned, *rows[1:]], axis=-2)


def particle_permutations(particles: int, dimensions: int) -> Group:
  """S_n as a table: all n! permutations of n particles in D dimensions, for exact averages.

  Raises:
    ValueError: A size is not positive, or there are more than 5,040 permutations.
  """
  if not is_whole(particles) or particles > MOST_PERMUTED or not is_whole(dimensions):
    raise ValueError(
      f'`particles` must lie in 1..{MOST_PERMUTED} and `dimensions` be positive, got '
      f'{particles!r} and {dimensions!r}: of more particles draw one permutation per step, from '
      'ParticleSymmetries.'
    )
  orders = np.array(list(itertools.permutations(range(int(particles)))))
  coordinates = dimensions * orders[..., np.newaxis] + np.arange(int(dimensions))
  return permutations(coordinates.reshape(len(orders), -1))
