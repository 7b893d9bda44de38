"""The exact group average of a potential."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras import seeds
from ma_keras.potentials.base import Potential
from ma_keras.symmetry.group import Group


class GroupAverage(Potential):
  """phi(x) = (1/|G|) sum_g phi~(g x), the symmetric average of section 4.2, exactly.

  grad phi = mean_g g' grad phi~(g x) and laplacian phi = mean_g laplacian phi~(g x), so a
  closed form of phi~ is kept. One evaluation costs |G| of them, in time and in memory: for
  groups of thousands of elements use `OneElementPerInterval`.

  Attributes:
    potential: phi~.
    group: G.
  """

  def __init__(self, potential: Potential, group: Group, name: str | None = None) -> None:
    """Averages `potential` over `group`.

    Args:
      potential: phi~ on N coordinates.
      group: Group acting on the same N coordinates.
      name: Module name.

    Raises:
      ValueError: The sizes differ.
    """
    super().__init__(potential.event_size, name=name)
    check_sizes(potential, group)
    self.potential = potential
    self.group = group

  def config(self) -> dict[str, Any]:
    """The constructor's arguments as plain values: see `model_file`."""
    return {'potential': self.potential, 'group': self.group}

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(t, x), shape [...]."""
    return tf.reduce_mean(self.potential(t, self._images(x)), axis=0)

  def with_seed(self, seed: seeds.Seed) -> Potential:
    """The average of the reseeded phi~."""
    return self._twin(potential=self.potential.with_seed(seed))._with_probes(seed)

  def for_rows(self, rows: tf.Tensor, batch_size: int | tf.Tensor) -> Potential:
    """The average itself, if its phi~ draws nothing.

    Raises:
      ValueError: phi~ draws numbers of its own for every image of every row.
    """
    alone = _without_context(self.potential)
    if alone.for_rows(rows, batch_size) is not alone:
      raise ValueError(
        '`batch_size` does not go with a GroupAverage of random potentials, whose draws depend on '
        'the whole batch: leave it out, or give the Laplacian method to the average itself.'
      )
    return Potential.for_rows(self, rows, batch_size)

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return self._gradient_and_laplacian(t, x)[0]

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    gradients, laplacians = self.potential.gradient_and_laplacian(t, self._images(x))
    inverse = self.group.inverse()
    back = tf.gather(gradients, inverse.index, axis=-1, batch_dims=1)
    back *= _beside(inverse.sign, back)
    return tf.reduce_mean(back, axis=0), tf.reduce_mean(laplacians, axis=0)

  def _time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(self.potential.time_derivative(t, self._images(x)), axis=0)

  def _images(self, x: tf.Tensor) -> tf.Tensor:
    """g x for every g, shape [G, ..., N]."""
    images = tf.gather(x, self.group.index, axis=-1)  # [..., G, N]
    rank = images.shape.rank
    images = tf.transpose(images, [rank - 2, *range(rank - 2), rank - 1])
    return images * _beside(self.group.sign, images)


def _without_context(potential: Potential) -> Potential:
  """phi~, whose contexts are rows as points are."""
  twin = potential.over_parts(_without_context)
  return twin if twin._context is None else twin._twin(_context=None)


def _beside(sign: np.ndarray, images: tf.Tensor) -> tf.Tensor:
  """The signs [G, N], shaped to multiply images [G, ..., N]."""
  ones = [1] * (images.shape.rank - 2)
  return tf.cast(sign.reshape(sign.shape[0], *ones, sign.shape[1]), images.dtype)


def check_sizes(potential: Potential, group: Any, kinds: tuple[Any, ...] = (Group,)) -> None:
  """Raises ValueError unless the group acts on the potential's coordinates; TypeError: no group."""
  if not isinstance(group, kinds):
    raise TypeError(
      f'`group` must be a symmetry.Group, got {type(group).__name__}: '
      'symmetry.translations(L), say.'
    )
  if group.size != potential.event_size:
    raise ValueError(
      f'`group` acts on {group.size} coordinates, but the potential has '
      f'event_size={potential.event_size}. For an L x L lattice both are L * L.'
    )
