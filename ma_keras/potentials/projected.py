"""Potentials of a few directions of space."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras.potentials import overrides
from ma_keras.potentials.base import Potential
from ma_keras.potentials.linear import apply_kernel
from ma_keras.potentials.units import Units

ORTHONORMAL = 1e-5  # Largest deviation of P'P from the identity: that of single precision.


class Projected(Potential):
  """phi(t, x) = psi(t, P'x), with psi a potential on R^d and orthonormal columns P [N, d].

  Points move within the span of P alone, and other directions keep what they have: so ln p changes
  by what the flow of psi on R^d changes it. grad phi = P grad psi; laplacian phi = laplacian psi,
  since P'P = 1. The flow of a hidden layer psi takes no longer than on R^d, except where penalties
  ask for the velocity.

  For densities of classes: a potential that sees all of 784 latents tells those of the training
  images apart by their noise, and one that sees forty principal components can not.

  Attributes:
    potential: psi.
    directions: P, float64 [N, d]; constant.
  """

  def __init__(self, potential: Potential, directions: np.ndarray, name: str | None = None) -> None:
    """Checks the arguments.

    Args:
      potential: psi on d coordinates.
      directions: P, shape [N, d].
      name: Module name.

    Raises:
      ValueError: The columns of P are not d orthonormal vectors of finite numbers.
    """
    directions = np.asarray(directions, np.float64)
    size = potential.event_size
    if directions.ndim != 2 or directions.shape[1] != size or len(directions) < size:
      raise ValueError(
        f'`directions` must be [N, {size}], a column for each of the {size} coordinates of the '
        f'potential and N no less, got shape {list(directions.shape)}.'
      )
    if not np.allclose(directions.T @ directions, np.eye(size), rtol=0, atol=ORTHONORMAL):
      raise ValueError(
        '`directions` must have orthonormal columns of finite numbers; np.linalg.qr(directions)[0] '
        'makes those of any that are independent.'
      )
    super().__init__(len(directions), name)
    self.potential = potential
    self.directions = directions
    self.self_contained = overrides.is_self_contained(potential)

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
    rest = None if units.rest is None else Projected(units.rest, self.directions)
    return units._replace(kernel=tf.matmul(directions, units.kernel), rest=rest)

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return self._without(self.potential.gradient(t, self._within(x)))

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    gradient, laplacian = self.potential.gradient_and_laplacian(t, self._within(x))
    return self._without(gradient), laplacian

  def _time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return self.potential.time_derivative(t, self._within(x))

  def _within(self, x: tf.Tensor) -> tf.Tensor:
    """P'x, [..., d]."""
    return apply_kernel(x, tf.constant(self.directions, x.dtype))

  def _without(self, gradient: tf.Tensor) -> tf.Tensor:
    """P g, [..., N]."""
    return apply_kernel(gradient, tf.constant(self.directions, gradient.dtype), transpose=True)
