"""The sum of potentials."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from ma_keras import seeds
from ma_keras.potentials import overrides
from ma_keras.potentials.base import Potential
from ma_keras.potentials.units import Units


class Sum(Potential):
  """phi(t, x) = sum_k phi_k(t, x); so are its gradient and its Laplacian.

  Each term keeps its own closed form or Laplacian method. Usually written `phi_1 + phi_2`.

  Attributes:
    terms: The potentials phi_k, sums among them flattened.
  """

  def __init__(self, terms: Sequence[Potential], name: str | None = None) -> None:
    """Flattens nested sums and checks that all terms share one event size.

    Args:
      terms: At least one potential.
      name: Module name.

    Raises:
      TypeError: A term is no potential.
      ValueError: There are no terms, or their event sizes or dtypes differ.
    """
    if not isinstance(terms, Sequence) or not all(isinstance(term, Potential) for term in terms):
      raise TypeError(f'`terms` must be a list of potentials, got {terms!r}.')
    sizes = sorted({term.event_size for term in terms})
    if len(sizes) != 1:
      raise ValueError(f'`terms` must share one event_size, got {sizes}.')
    dtypes = sorted({term.dtype.name for term in terms if term.dtype is not None})
    if len(dtypes) > 1:
      raise ValueError(f'`terms` must share one dtype, got {dtypes}: build them with the same.')
    super().__init__(sizes[0], name=name)
    self.terms = tuple(leaf for term in terms for leaf in _leaves(term))

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    return {'terms': list(self.terms)}

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(t, x), shape [...]."""
    return _added([term(t, x) for term in self.terms])

  def with_seed(self, seed: seeds.Seed) -> Sum:
    """The sum of the reseeded terms, each with draws of its own."""
    keys = seeds.split(seed, len(self.terms), salt='sum')
    terms = tuple(term.with_seed(key) for term, key in zip(self.terms, keys))
    return Potential.with_seed(self._twin(terms=terms), seed)

  def for_rows(self, rows: tf.Tensor, batch_size: int | tf.Tensor) -> Potential:
    """The sum of the terms for these rows."""
    terms = tuple(term.for_rows(rows, batch_size) for term in self.terms)
    changed = any(new is not old for new, old in zip(terms, self.terms))
    return Potential.for_rows(self._twin(terms=terms) if changed else self, rows, batch_size)

  def prepared(self) -> Sum:
    """The sum of the prepared terms."""
    return self._twin(terms=tuple(term.prepared() for term in self.terms))

  def on_interval(self, start: tf.Tensor, stop: tf.Tensor) -> Sum:
    """The sum of the terms in force on [start, stop]."""
    return self._twin(terms=tuple(term.on_interval(start, stop) for term in self.terms))

  def units(self) -> Units | None:
    """Units of the widest hidden layer among the terms, the other terms being the rest.

    None where there is no layer at rest, or where another term is not self-contained.
    """
    if self._laplacian_method is not None:
      return None
    found = {k: overrides.units(term) for k, term in enumerate(self.terms)}
    layers = {k: units for k, units in found.items() if units is not None and units.at_rest}
    if not layers:
      return None
    widest = max(layers, key=lambda k: layers[k].kernel.shape[1])
    others = [term for k, term in enumerate(self.terms) if k != widest]
    if not all(overrides.is_self_contained(term) for term in others):
      return None
    return layers[widest]._replace(rest=Sum(others)) if others else layers[widest]

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return _added([term.gradient(t, x) for term in self.terms])

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    pairs = [term.gradient_and_laplacian(t, x) for term in self.terms]
    velocities, laplacians = zip(*pairs)
    return _added(velocities), _added(laplacians)

  def _time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return _added([term.time_derivative(t, x) for term in self.terms])


def _added(parts: Sequence[tf.Tensor]) -> tf.Tensor:
  """Not tf.add_n, which adds in the order in which buffers become free: see `determinism`."""
  return functools.reduce(tf.add, parts)


def _leaves(term: Potential) -> tuple[Potential, ...]:
  # A sum with a Laplacian method of its own, or of a subclass, is one term: flattening would lose
  # what is its own.
  if type(term) is Sum and term._laplacian_method is None:
    return term.terms
  return (term,)
