"""Lattice phi^4 theory in two dimensions: a target with local couplings and a Gaussian limit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras.arguments import is_finite, is_whole
from ma_keras.targets import lattice
from ma_keras.targets.neighbours import neighbour_sum
from ma_keras.targets.observables import Observables, of_fields
from ma_keras.targets.target import as_event, floating_dtype


class Phi4:
  """E = sum_x [1/2 sum_mu (phi_{x+mu} - phi_x)^2 + 1/2 m^2 phi_x^2 + lambda phi_x^4].

  The Euclidean action of a real scalar field in lattice units; a target of normalising flows since
  Albergo, Kanwar and Shanahan 2019 (arXiv:1904.12072).

  Attributes:
    side: L; a periodic side of 2 has two bonds between its two sites.
    event_size: N = L^2; site (r, c) has index r L + c.
    mass_squared: m^2, negative for the double well.
    quartic: lambda.
    boundary: 'periodic' or 'open'.
    dtype: Of fields and energies.
  """

  def __init__(
    self,
    side: int,
    mass_squared: float,
    quartic: float,
    boundary: str = 'periodic',
    dtype: Any = tf.float32,
  ) -> None:
    """Sets the couplings.

    Args:
      side: Lattice side L, at least 2.
      mass_squared: m^2, finite; positive if `quartic` is 0.
      quartic: lambda, finite, not negative.
      boundary: 'periodic' or 'open'.
      dtype: Floating dtype.

    Raises:
      ValueError: If an argument is outside what is said above.
    """
    if not is_whole(side, 2):
      raise ValueError(f'`side` must be at least 2, and whole, got {side!r}. Take 4 for a test.')
    _check_normalisable(mass_squared, quartic)
    self.side = side = int(side)
    self.event_size = side**2
    self.mass_squared = float(mass_squared)
    self.quartic = float(quartic)
    self.boundary = boundary
    self.dtype = floating_dtype(dtype)
    degrees = lattice.degrees(side, side, boundary)
    with tf.init_scope():  # Constants outlive a tf.function in which the target is built.
      self._degree = tf.constant(degrees, self.dtype)

  def energy(self, x: Any) -> tf.Tensor:
    """E = sum_x [1/2 sum_mu (phi_{x+mu} - phi_x)^2 + 1/2 m^2 phi_x^2 + lambda phi_x^4].

    Args:
      x: Field phi, shape [..., N], any leading rank.

    Returns:
      Energy over kT, shape [...].

    Raises:
      TypeError: If x is a tensor of another dtype.
      ValueError: If its last dimension is not N.
    """
    x = as_event(x, self)
    # Summed by parts, the squared differences are phi.(-laplacian) phi on either boundary.
    density = 0.5 * (self.mass_squared * x - self._laplacian(x)) * x + self.quartic * x**4
    return tf.reduce_sum(density, axis=-1)

  def force(self, x: Any) -> tf.Tensor:
    """-grad E = laplacian phi - m^2 phi - 4 lambda phi^3: [..., N] -> [..., N]."""
    x = as_event(x, self)
    return self._laplacian(x) - self.mass_squared * x - 4 * self.quartic * x**3

  def configurations(self, x: Any, seed: Any) -> tf.Tensor:
    """The fields themselves, [..., N]."""
    del seed
    return as_event(x, self)

  def observables(self) -> Observables:
    """Observables of fields, and G(r) on a torus: see `observables.of_fields`."""
    return of_fields(self.event_size, self.side if self.boundary == 'periodic' else None)

  def exact_log_partition(self) -> float:
    """Z = (2 pi)^(N/2) prod_k (k^2 + m^2)^(-1/2) for lambda = 0, a Gaussian integral.

    k^2 runs over the eigenvalues of minus the lattice Laplacian.

    Returns:
      ln Z, computed in float64.

    Raises:
      ValueError: If lambda is not 0.
    """
    if self.quartic != 0.0:
      raise ValueError(
        f'`quartic` must be 0 for an exact ln Z, got {self.quartic}. Estimate it by importance '
        'sampling, or compare at quartic=0.'
      )
    eigenvalues = lattice.laplacian_eigenvalues(self.side, self.side, self.boundary)
    log_det = float(np.sum(np.log(eigenvalues + self.mass_squared)))
    return (self.event_size * math.log(2 * math.pi) - log_det) / 2

  def _laplacian(self, x: tf.Tensor) -> tf.Tensor:
    """Sum over neighbours of phi_y - phi_x, [..., N] -> [..., N]: local, so O(N), no matrix."""
    return neighbour_sum(x, self.side, self.boundary) - self._degree * x


def _check_normalisable(mass_squared: float, quartic: float) -> None:
  """Raises ValueError unless exp(-E) can be integrated."""
  for name, value in (('mass_squared', mass_squared), ('quartic', quartic)):
    if not is_finite(value):
      raise ValueError(f'`{name}` must be finite, got {value!r}. Try mass_squared=-4, quartic=8.')
  if quartic < 0:
    raise ValueError(
      f'`quartic` must not be negative, got {quartic}: exp(-E) would diverge. Flip it.'
    )
  if quartic == 0 and mass_squared <= 0:
    raise ValueError(
      f'`mass_squared` must be positive when `quartic` is 0, got {mass_squared}. '
      'Add a quartic term to bound the energy from below.'
    )
