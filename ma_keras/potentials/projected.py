"""Potentials of a few directions of space."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras.potentials import overrides
from ma_keras.potentials.base import Potential
from ma_keras.potentials.linear import apply_kernel
from ma_keras.potentials.units import Units

ORTHONORMAL = 1e-5  # Largest deviation of P'P from the identity as given, in single precision too.
ROUNDING = 1e-13  # The same of a matrix that is left as it is.


class Projected(Potential):
  """phi(t, x) = psi(t, P'x), with psi a potential on R^d and orthonormal columns P [N, d].

  Points move within the span of P alone, and other directions keep what they have: so ln p changes
  by what the flow of psi on R^d changes it. grad phi = P grad psi; laplacian phi = laplacian psi,
  since P'P = 1. Where psi is one hidden layer and no penalty asks for the velocity, the flow takes
  its steps in hidden coordinates, whatever N is.

  Attributes:
    potential: psi.
    directions: P, float64 [N, d]; a copy, which cannot be written to.
  """

  def __init__(self, potential: Potential, directions: Any, name: str | None = None) -> None:
    """Makes P orthonormal to double precision: the nearest such matrix, U V' of U S V'.

    Args:
      potential: psi on d coordinates.
      directions: P, shape [N, d], orthonormal to single precision at least.
      name: Module name.

    Raises:
      TypeError: `potential` is none.
      ValueError: The columns of P are not d orthonormal vectors of real numbers.
    """
    if not isinstance(potential, Potential):
      raise TypeError(f'`potential` must be a Potential, got {type(potential).__name__}.')
    size = potential.event_size
    directions = _real(directions)
    if directions.ndim != 2 or directions.shape[1] != size or len(directions) < size:
      raise ValueError(
        f'`directions` must be real numbers [N, {size}], a column for each of the {size} '
        f'coordinates of the potential and N no less, got shape {list(directions.shape)}.'
      )
    deviation = np.max(np.abs(directions.T @ directions - np.eye(size)))
    if not deviation < ORTHONORMAL:
      raise ValueError(
        '`directions` must have orthonormal columns of finite numbers; np.linalg.qr(directions)[0] '
        'makes those of any that are independent.'
      )
    super().__init__(len(directions), name)
    self.potential = potential
    if deviation > ROUNDING:
      left, _, right = np.linalg.svd(directions, full_matrices=False)
      directions = left @ right
    self.directions = directions
    self.directions.setflags(write=False)

  @property
  def self_contained(self) -> bool:  # type: ignore[override]
    """True if psi depends on t, x and the variables alone."""
    return overrides.is_self_contained(self.potential)

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    return {'potential': self.potential, 'directions': self.directions}

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(t, x), shape [...]."""
    return self.potential(t, self._within(x))

  def units(self) -> Units | None:
    """Units of psi, with the kernel P W in R^N."""
    units = overrides.units(self.potential)
    if units is None or not units.at_rest:
      return None
    directions = tf.constant(self.directions, units.kernel.dtype)
    rest = None if units.rest is None else self._twin(potential=units.rest)
    return units._replace(kernel=tf.matmul(directions, units.kernel), rest=rest)

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return self._outwards(self.potential.gradient(t, self._within(x)))

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    gradient, laplacian = self.potential.gradient_and_laplacian(t, self._within(x))
    return self._outwards(gradient), laplacian

  def _time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return self.potential.time_derivative(t, self._within(x))

  def _within(self, x: tf.Tensor) -> tf.Tensor:
    """P'x, [..., d]."""
    return apply_kernel(x, tf.constant(self.directions, x.dtype))

  def _outwards(self, gradient: tf.Tensor) -> tf.Tensor:
    """P g, [..., N]."""
    return apply_kernel(gradient, tf.constant(self.directions, gradient.dtype), transpose=True)


def _real(directions: Any) -> np.ndarray:
  """A copy in float64; empty where there are no real numbers."""
  try:
    array = np.asarray(directions)
    return array.astype(np.float64) if array.dtype.kind in 'biuf' else np.zeros([0])
  except ValueError:  # Rows of different length.
    return np.zeros([0])
