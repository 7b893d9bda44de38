"""Clusters of particles: pair energies, invariant under permutations, rotations, translations."""

from __future__ import annotations

import abc
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras import bases
from ma_keras.particles import Pairing
from ma_keras.targets.observables import Observables, Statistic
from ma_keras.targets.target import as_event, floating_dtype

ROUNDING = 1e-3  # Of a centre of mass, along a flow in float32, as a part of the positions.


class Particles(abc.ABC):
  """E(x) = sum over pairs of u(|x_i - x_j|^2) + (1/2) c sum_i |x_i - mean x|^2, in units of kT.

  exp(-E) has an integral over the subspace sum_i x_i = 0 alone, of (n - 1) D dimensions: ln Z and
  all log densities are those of its orthonormal measure. `base` is a normal of that subspace, and
  a flow along a potential without preferred places never leaves it.

  In a periodic box nothing is confined: u, less its value at half the shortest side, is that of the
  nearest image, up to there; ln Z is the integral over one box for every particle, of n D
  dimensions, and `base` is uniform.

  Attributes:
    pairing: n and D, species and box.
    event_size: N = n D; particle i has the coordinates i D, ..., i D + D - 1.
    confinement: c, of the harmonic trap around the centre of mass; 0 for none.
    dtype: Of positions and energies.
  """

  confinement = 0.0

  def __init__(
    self,
    particles: int,
    dimensions: int,
    dtype: Any = tf.float32,
    box: Sequence[float] | None = None,
    species: Sequence[int] | None = None,
  ) -> None:
    """Takes the sizes.

    Args:
      particles: n, at least 2.
      dimensions: D.
      dtype: Floating dtype.
      box: Lengths of a periodic box, [D]; None for particles in free space.
      species: Kind of every particle, 0, 1, ...; None where all are alike.

    Raises:
      ValueError: A size or the dtype is not what is said above.
    """
    self.pairing = Pairing.of(particles, dimensions, species, box)
    if box is not None:
      self.confinement = 0.0
    self.event_size = self.pairing.event_size
    self.dtype = floating_dtype(dtype)

  @abc.abstractmethod
  def pair_energy(self, squared_distance: tf.Tensor) -> tf.Tensor:
    """Returns u(d^2), elementwise."""

  def pair_energies(self, squared_distances: tf.Tensor) -> tf.Tensor:
    """u of every pair, [K, n, B]; a subclass with species has one u for every kind of pair.

    Args:
      squared_distances: Of the pairs (i, i + k), [K, n, B], or one for all, [].
    """
    return self.pair_energy(squared_distances)

  @property
  def degrees_of_freedom(self) -> int:
    """(n - 1) D, or n D in a periodic box."""
    free = self.pairing.box is None
    return (self.pairing.particles - int(free)) * self.pairing.dimensions

  def base(self, scale: float = 1.0) -> bases.MeanFreeNormal | bases.PeriodicUniform:
    """p(z) = Normal(0, scale^2 I) of the mean-free subspace; uniform in a periodic box.

    Raises:
      ValueError: The scale is not positive, or not 1 in a box.
    """
    if self.pairing.box is not None:
      if scale != 1.0:
        raise ValueError(f'`scale` is that of a normal, and a box has none: got {scale!r}.')
      return bases.PeriodicUniform(self.pairing.particles, self.pairing.box, self.dtype)
    sizes = (self.pairing.particles, self.pairing.dimensions)
    return bases.MeanFreeNormal(*sizes, dtype=self.dtype, scale=scale)

  def check_base(self, base: Any) -> None:
    """Raises ValueError if p(z, 0) draws where exp(-E) has no finite integral.

    In a box it must have the period of the box: exp(-E) is integrated over one of them.
    """
    z = base.sample(3, seed=[0, 1])
    if self.pairing.box is None:
      self.check_samples(z, 'pass base=target.base()')
      return
    moved = np.array(z)
    moved[:, : self.pairing.dimensions] += self.pairing.box
    if not np.allclose(base.log_prob(moved), base.log_prob(z), rtol=1e-4):
      raise ValueError(
        f'`base` has not the period of the box {self.pairing.box}, over which exp(-E) is '
        'integrated: pass base=target.base().'
      )

  def check_samples(self, x: Any, remedy: str) -> None:
    """Raises ValueError if centres of mass are away from the origin: see `SubspaceTarget`."""
    if self.pairing.box is not None:
      return
    x = np.asarray(x)
    particles = x.reshape(len(x), self.pairing.particles, self.pairing.dimensions)
    centre = np.max(np.abs(np.mean(particles, axis=1)), initial=0.0)
    if centre > ROUNDING * max(1.0, np.max(np.abs(x), initial=0.0)):
      raise ValueError(
        f'Centres of mass lie up to {centre:.3g} from the origin. The energy does not depend on '
        f'them, so that exp(-E) has a finite integral over mean-free positions alone: {remedy}.'
      )

  def energy(self, x: Any) -> tf.Tensor:
    """E(x) over kT: [..., N] -> [...].

    Raises:
      TypeError: If x is a tensor of another dtype.
      ValueError: If its last dimension is not N.
    """
    x = as_event(x, self)
    squared = self.pairing.squared_distances(x)
    # sum_i |x_i - mean|^2 = (1/n) sum over pairs of |x_i - x_j|^2.
    confinement = 0.5 * self.confinement / self.pairing.particles
    energy = self._within_reach(squared)
    energy = energy + confinement * squared if confinement else energy
    return tf.reshape(self.pairing.over_pairs(energy), tf.shape(x)[:-1])

  def _within_reach(self, squared: tf.Tensor) -> tf.Tensor:
    """u(d^2), in a box u(d^2) - u(R^2) up to R = half the shortest side, zero beyond."""
    cutoff = self.pairing.cutoff
    if cutoff is None:
      return self.pair_energies(squared)
    at_cutoff = self.pair_energies(tf.constant(cutoff**2, squared.dtype))
    # Beyond, u is taken at R^2, whose derivative `minimum` cuts off.
    return self.pair_energies(tf.minimum(squared, tf.cast(cutoff**2, squared.dtype))) - at_cutoff

  def force(self, x: Any) -> tf.Tensor:
    """-grad E: [..., N] -> [..., N]."""
    x = as_event(x, self)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
      tape.watch(x)
      energy = self.energy(x)
    return -tape.gradient(energy, x)

  def virial(self, x: Any) -> tf.Tensor:
    """x . grad E, [...]: its mean under exp(-E)/Z is the number of degrees of freedom.

    Raises:
      ValueError: In a periodic box, of whose positions x is one choice of many.
    """
    if self.pairing.box is not None:
      raise ValueError('`virial` depends on the image of every particle in a periodic `box`.')
    x = as_event(x, self)
    return -tf.reduce_sum(x * self.force(x), axis=-1)

  def distances(self, x: Any) -> tf.Tensor:
    """|x_i - x_j| of all n (n - 1) / 2 pairs, [..., N] -> [..., pairs]."""
    x, n = as_event(x, self), self.pairing.particles
    squared = self.pairing.squared_distances(x)
    rows = tf.transpose(tf.reshape(squared, [n // 2 * n, -1]))[:, : n * (n - 1) // 2]
    return tf.reshape(tf.sqrt(rows), tf.concat([tf.shape(x)[:-1], [-1]], axis=0))

  def configurations(self, x: Any, seed: Any) -> tf.Tensor:
    """The positions themselves, [..., N]."""
    del seed
    return as_event(x, self)

  def observables(self) -> Observables:
    """<E>, heat capacity <E^2> - <E>^2, mean distance of two particles; virial but in a box."""
    free = self.pairing.box is None

    def moments(values: np.ndarray) -> np.ndarray:
      x = tf.constant(values, self.dtype)
      energy = self.energy(x).numpy().astype(np.float64)
      distance = np.mean(self.distances(x).numpy().astype(np.float64), axis=-1)
      virial = [self.virial(x).numpy().astype(np.float64)] if free else []
      return np.stack([energy, energy**2, distance, *virial], axis=-1)

    statistics: dict[str, Statistic] = {
      'energy': operator.itemgetter(0),
      'heat capacity': lambda mean: mean[1] - mean[0] ** 2,
      'pair distance': operator.itemgetter(2),
    }
    if free:
      statistics['virial'] = operator.itemgetter(3)
    return Observables(moments, statistics)


class DoubleWells(Particles):
  """DW4: n = 4 particles in the plane, u(d) = 0.9 (d - 4)^4 - 4 (d - 4)^2.

  Two distances are favoured, 4 -+ 1.49. Koehler, Klein & Noe 2020 (arXiv:2006.02425).
  """

  def __init__(self, dtype: Any = tf.float32) -> None:
    """Takes the floating dtype."""
    super().__init__(4, 2, dtype)

  def pair_energy(self, squared_distance: tf.Tensor) -> tf.Tensor:
    """0.9 (d - 4)^4 - 4 (d - 4)^2."""
    tiny = np.finfo(squared_distance.dtype.as_numpy_dtype).tiny
    square = tf.square(tf.sqrt(tf.maximum(squared_distance, tiny)) - 4.0)
    return (0.9 * square - 4.0) * square
