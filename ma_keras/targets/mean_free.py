"""Particles in coordinates of their own: those of the subspace where the centre of mass is zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
import tensorflow as tf

from ma_keras.targets.particles import Particles
from ma_keras.targets.target import as_event


class MeanFreeCoordinates:
  """E(y) = E_particles(H'y), y in R^((n-1) D), the rows of H orthonormal with sum_i x_i = 0.

  Energies of particles have a partition function in that subspace alone. In its coordinates it is
  the integral of exp(-E(y)) dy, and whatever samples a density on R^M samples them: Markov chains,
  annealing. H is Helmert's matrix, one row for each particle but the first.

  Attributes:
    particles: The target whose energy it is.
    event_size: M = (n - 1) D, the degrees of freedom.
    dtype: As that of the target.
  """

  def __init__(self, particles: Particles) -> None:
    """Takes the target.

    Args:
      particles: n particles in D dimensions, whose energy translations leave alone.

    Raises:
      TypeError: It has no pairs of particles.
      ValueError: They are in a periodic box, where the centre of mass moves as well.
    """
    if not isinstance(particles, Particles):
      raise TypeError(
        f'`particles` must be a targets.Particles, got {type(particles).__name__}: other energies '
        'have coordinates of their own already.'
      )
    if particles.pairing.box is not None:
      raise ValueError(
        '`particles` are in a periodic box, whose ln Z is an integral over all positions: take '
        'their own energy, in coordinates x.'
      )
    self.particles = particles
    self.event_size, self.dtype = particles.degrees_of_freedom, particles.dtype
    pairing = particles.pairing
    rows = scipy.linalg.helmert(pairing.particles)
    self._rows = np.kron(rows, np.eye(pairing.dimensions)).astype(self.dtype.as_numpy_dtype)

  def energy(self, y: Any) -> tf.Tensor:
    """E of the particles at y, over kT: [..., M] -> [...]."""
    return self.particles.energy(self.positions(y))

  def positions(self, y: Any) -> tf.Tensor:
    """x = H'y, particle by particle: [..., M] -> [..., n D]."""
    return tf.einsum('...m,mk->...k', as_event(y, self, 'y'), self._rows)

  def coordinates(self, x: Any) -> tf.Tensor:
    """y = H x, which forgets the centre of mass: [..., n D] -> [..., M]."""
    return tf.einsum('...k,mk->...m', as_event(x, self.particles), self._rows)
