"""The potential of a pressureless fluid: straight paths at constant speed."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras.potentials.base import Potential
from ma_keras.transport import hessian, newton
from ma_keras.transport.scaled import Scaled

MAX_ITERATIONS = 100  # Newton steps.


class HopfLax(Potential):
  """phi(t, x) = min_z phi_0(z) + |x - z|^2/2t, so that d phi/dt + |grad phi|^2/2 = 0.

  Parcels keep their velocity: the minimum is at the z with z + t grad phi_0(z) = x, where the
  parcel at x came from, and with H = 1 + t Hess phi_0(z)

    phi = phi_0(z) + t |v|^2/2,  v = grad phi = grad phi_0(z),  laplacian phi = tr(H^-1 Hess phi_0).

  It holds as long as |z|^2/2 + t phi_0(z) is convex; then shocks form, and what has no z is NaN.
  Reference: Benamou & Brenier (2000); Evans, Partial Differential Equations, section 3.3.

  Attributes:
    potential: phi_0, taken at time 0.
  """

  parts_at_start = True  # phi_0 may be of functions of time that end anywhere.

  def __init__(self, potential: Potential, name: str | None = None) -> None:
    """Keeps phi_0.

    Args:
      potential: phi_0.
      name: Module name.

    Raises:
      TypeError: It is no potential.
    """
    if not isinstance(potential, Potential):
      raise TypeError(
        f'`potential` must be a ma_keras.potentials.Potential, got {type(potential).__name__}.'
      )
    super().__init__(potential.event_size, name)
    self.potential = potential

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    return {'potential': self.potential}

  def origin(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """z with z + t grad phi_0(z) = x, shape [..., N]: where the parcel at x was at time 0."""
    t, x = self._checked(t, x)
    rows = tf.reshape(x, [-1, self.event_size])
    tolerance = 100 * float(np.finfo(x.dtype.as_numpy_dtype).eps)
    gradient = newton.Gradient(Scaled(self.potential, t), 1.0)
    z, solved = newton.inverse(gradient, rows, tolerance, MAX_ITERATIONS)
    z = tf.where(solved[:, tf.newaxis], z, tf.constant(float('nan'), z.dtype))
    return tf.reshape(z, tf.shape(x))

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(t, x), shape [...]."""
    t, x = self._checked(t, x)
    z = self.origin(t, x)
    return self.potential(tf.zeros_like(t), z) + t * _half_square(self._start(z))

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return self._start(self.origin(t, x))

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    z = self.origin(t, x)
    matrix = hessian.hessian(self.potential, tf.reshape(z, [-1, self.event_size]))
    whole = tf.eye(self.event_size, dtype=x.dtype) + t * matrix
    trace = tf.linalg.trace(tf.linalg.cholesky_solve(tf.linalg.cholesky(whole), matrix))
    return self._start(z), tf.reshape(trace, tf.shape(x)[:-1])

  def _time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return -_half_square(self._gradient(t, x))

  def _start(self, z: tf.Tensor) -> tf.Tensor:
    """grad phi_0(z)."""
    return self.potential.gradient(tf.zeros([], z.dtype), z)


def _half_square(x: tf.Tensor) -> tf.Tensor:
  return 0.5 * tf.reduce_sum(tf.square(x), axis=-1)
