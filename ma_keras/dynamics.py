"""Equations (2) and (3) of the paper as one vector field."""

from __future__ import annotations

import tensorflow as tf

from ma_keras.potentials.base import Potential


def rates(potential: Potential, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """Velocity and log-density rate of the fluid: dx/dt = grad phi, d ln p/dt = -laplacian phi.

  The density rate is the material derivative, along the moving parcel. Eqs. (2)-(3).

  Args:
    potential: Scalar potential phi.
    t: Time, shape [].
    x: Fluid parcels, shape [..., N].

  Returns:
    velocity [..., N] and log_density_rate [...].
  """
  velocity, laplacian = potential.gradient_and_laplacian(t, x)
  return velocity, -laplacian
