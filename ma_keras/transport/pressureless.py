"""The pressureless flow: every parcel moves straight on, in one step."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ma_keras.arguments import is_finite
from ma_keras.potentials.base import Potential
from ma_keras.transport.brenier import BrenierMap
from ma_keras.transport.hopf_lax import HopfLax
from ma_keras.transport.scaled import Scaled


class PressurelessFlow(BrenierMap):
  """x(T) = z + T grad phi_0(z), ln det dx/dz = ln det(1 + T Hess phi_0(z)).

  The velocity grad phi of a pressureless fluid, d phi/dt + |grad phi|^2/2 = 0, stays with its
  parcel, so one step of any length is exact as long as u(z) = |z|^2/2 + T phi_0(z) is convex; it is
  then the `BrenierMap` of T phi_0. What lies beyond a shock is NaN, or an error with
  `validate_args`; `convexity(z)` tells how near it is.

  ```python
  straight = ma_keras.transport.PressurelessFlow(phi_0, time=1.0)
  same = ma_keras.MongeAmpereBijector(straight.potential_in_time, num_steps=10, step_size=0.1)
  ```
  """

  def __init__(
    self,
    potential: Potential,
    time: float = 1.0,
    tolerance: float | None = None,
    max_iterations: int = 100,
    dtype: tf.DType | None = None,
    validate_args: bool = False,
    name: str = 'pressureless_flow',
  ) -> None:
    """Checks the arguments; nothing is computed yet.

    Args:
      potential: phi_0(x) = phi(0, x).
      time: T, positive.
      tolerance: See `BrenierMap`.
      max_iterations: See `BrenierMap`.
      dtype: Floating dtype of events; that of the potential by default, or float32.
      validate_args: See `BrenierMap`.
      name: Name of the ops.

    Raises:
      TypeError, ValueError: See `BrenierMap`; or the time is not positive.
    """
    parameters = dict(locals())
    if not is_finite(time) or time <= 0:
      raise ValueError(f'`time` must be positive and finite, got {time!r}: 1, say.')
    in_time = HopfLax(potential)
    super().__init__(
      *(Scaled(potential, float(time)), tolerance, max_iterations, dtype, validate_args, name),
      parameters=parameters,
    )
    self.time, self.potential_in_time = float(time), in_time

  def config(self) -> dict[str, Any]:
    """See `BrenierMap`."""
    names = ('time', 'tolerance', 'max_iterations')
    return {'potential': self.parameters['potential'], **{n: getattr(self, n) for n in names}}

  def positions(self, z: tf.Tensor, times: tf.Tensor) -> tf.Tensor:
    """x(t) = z + t grad phi_0(z) along the paths.

    Args:
      z: Points at time 0, [..., N].
      times: t, [S], from 0 to T.

    Returns:
      Shape [S, ..., N].
    """
    z = tf.convert_to_tensor(z, self.dtype)
    step = self.forward(z) - z
    parts = tf.convert_to_tensor(times, self.dtype) / self.time
    return z + tf.reshape(parts, [-1, *[1] * z.shape.rank]) * step
