"""The average of a potential over a group, all of whose elements are met."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import tensorflow as tf

from ma_keras import seeds
from ma_keras.potentials.base import Potential


@runtime_checkable
class OrthogonalMaps(Protocol):
  """Orthogonal maps g of R^N with weights of sum 1: a `Group`, a `RotationQuadrature`."""

  @property
  def size(self) -> int:
    """N, the number of coordinates that the maps act on."""

  def images(self, x: tf.Tensor) -> tf.Tensor:
    """g x for every g, [..., N] -> [G, ..., N]."""

  def preimages(self, y: tf.Tensor) -> tf.Tensor:
    """g^-1 y_g for every g, [G, ..., N] -> [G, ..., N]."""

  def mean(self, values: tf.Tensor) -> tf.Tensor:
    """The weighted mean over the maps, [G, ...] -> [...]."""


class GroupAverage(Potential):
  """phi(x) = mean_g phi~(g x), the symmetric average of section 4.2.

  It is exactly invariant under a `Group`, all of whose elements it meets; under rotations as
  nearly as the degree of a `RotationQuadrature` allows, which `defect` measures.

  grad phi = mean_g g' grad phi~(g x) and laplacian phi = mean_g laplacian phi~(g x), so a
  closed form of phi~ is kept. One evaluation costs |G| of them, in time and in memory: for
  groups of thousands of elements use `OneElementPerInterval`. Averages nest: one over rotations
  within one over permutations has both symmetries, since the two commute.

  Attributes:
    potential: phi~.
    group: G.
  """

  def __init__(self, potential: Potential, group: OrthogonalMaps, name: str | None = None) -> None:
    """Averages `potential` over `group`.

    Args:
      potential: phi~ on N coordinates.
      group: Group or quadrature acting on the same N coordinates.
      name: Module name.

    Raises:
      ValueError: The sizes differ.
    """
    super().__init__(potential.event_size, name=name)
    check_sizes(potential, group, (OrthogonalMaps,))
    self.potential = potential
    self.group = group

  def config(self) -> dict[str, Any]:
    """The constructor's arguments as plain values: see `model_file`."""
    return {'potential': self.potential, 'group': self.group}

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(t, x), shape [...]."""
    return self.group.mean(self.potential(t, self.group.images(x)))

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
    gradients, laplacians = self.potential.gradient_and_laplacian(t, self.group.images(x))
    return self.group.mean(self.group.preimages(gradients)), self.group.mean(laplacians)

  def _time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return self.group.mean(self.potential.time_derivative(t, self.group.images(x)))


def _without_context(potential: Potential) -> Potential:
  """phi~, whose contexts are rows as points are."""
  twin = potential.over_parts(_without_context)
  return twin if twin._context is None else twin._twin(_context=None)


def check_sizes(potential: Potential, group: Any, kinds: tuple[Any, ...]) -> None:
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
