"""A pair potential: one function of distance for all pairs of particles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from ma_keras import seeds
from ma_keras.particles import Pairing
from ma_keras.potentials.base import Potential
from ma_keras.potentials.radial import GaussianShells, mixed
from ma_keras.potentials.time_basis import (
  Basis,
  amplitudes,
  starting,
  tabulated,
  time_derivative,
)


class Pairs(Potential):
  """phi(t, x) = sum_{i<j} g(t, |x_i - x_j|), g = sum_m a_m(t) B_m(r), B_m Gaussian shells.

  Invariant under permutations, rotations, reflections and translations. Koehler, Klein & Noe 2020
  (arXiv:2006.02425). Laplacian 2 sum_{i<j} (g'' + (D - 1) g'/r). With several species every kind of
  pair has a g of its own, and like particles alone are permuted; in a periodic box distances are
  those of the nearest images.

  Attributes:
    pairing: n and D, species and box.
    shells: B.
    amplitude: a, variable [P M] for P kinds of pairs; with a time basis its coefficients, [K, P M].
    time_basis: How the amplitudes vary in time, or None.
  """

  self_contained = True

  def __init__(
    self,
    particles: int,
    dimensions: int,
    shells: int = 24,
    reach: float = 4.0,
    softening: float = 0.1,
    time_basis: Basis | None = None,
    dtype: tf.DType = tf.float32,
    seed: int | None = None,
    name: str | None = None,
    species: Sequence[int] | None = None,
    box: Sequence[float] | None = None,
  ) -> None:
    """Draws a ~ Normal(0, 0.01/M): a gentle flow.

    Args:
      particles: n.
      dimensions: D.
      shells: M.
      reach: Distance up to which particles act on one another.
      softening: eps of the smooth radius sqrt(r^2 + eps^2).
      time_basis: Makes the amplitudes functions of time; they start constant.
      dtype: Floating dtype of the variables.
      seed: Integer that makes the initial values reproducible; None draws fresh ones.
      name: Module name.
      species: Kind of every particle, 0, 1, ...; None where all are alike.
      box: Lengths of a periodic box, [D]; `reach` is at most half the shortest.

    Raises:
      ValueError: A number is out of range.
    """
    pairing = Pairing.of(particles, dimensions, species, box)
    super().__init__(pairing.event_size, name)
    self.pairing = pairing
    self.shells = GaussianShells(shells, reach, softening, dtype, cutoff=pairing.cutoff)
    self.time_basis = time_basis
    key = seeds.stateless(seeds.fresh() if seed is None else seed, salt='pairs')
    kinds = pairing.num_pair_kinds
    normal = tf.random.stateless_normal([kinds * shells], key, dtype=dtype)
    self.amplitude = tf.Variable(
      starting(time_basis, 0.1 * shells**-0.5 * normal), name='amplitude'
    )

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    shells = self.shells.config()
    return {
      'particles': self.pairing.particles,
      'dimensions': self.pairing.dimensions,
      'shells': shells['number'],
      'reach': shells['reach'],
      'softening': shells['softening'],
      'time_basis': self.time_basis,
      'species': self.pairing.species and list(self.pairing.species),
      'box': self.pairing.box and list(self.pairing.box),
    }

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(t, x), shape [...]."""
    shells = self.pairing.by_kind(self.shells.values(self.pairing.squared_distances(x)))
    values = mixed(self._column(t), shells)
    return tf.reshape(self.pairing.over_pairs(values), tf.shape(x)[:-1])

  def prepared(self, times: tf.Tensor | None = None) -> Pairs:
    """Returns the potential with functions of time computed once."""
    return self._twin(time_basis=tabulated(self.time_basis, times, self.amplitude.dtype))

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return self._gradient_and_laplacian(t, x)[0]

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    differences = self.pairing.differences(x)
    squared = tf.reduce_sum(tf.square(differences), axis=0)
    jet = self.shells.jet(squared, self.pairing.dimensions)
    slope, second = (self.pairing.by_kind(part) for part in (jet.slope, jet.laplacian))
    force = mixed(self._column(t), slope) * differences
    gradient = self.pairing.over_neighbours(force, sign=-1.0)
    laplacian = 2.0 * self.pairing.over_pairs(mixed(self._column(t), second))
    shape = tf.shape(x)
    return self.pairing.events(gradient, shape), tf.reshape(laplacian, shape[:-1])

  def _time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return time_derivative(self, t, x)

  def _column(self, t: tf.Tensor) -> tf.Tensor:
    """a(t), [M, 1]."""
    amplitude = amplitudes(self.time_basis, tf.convert_to_tensor(self.amplitude), t)
    return amplitude[:, tf.newaxis]
