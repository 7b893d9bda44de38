"""The flow by adaptive steps: what a likelihood is, to a tolerance, for certifying fixed steps."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras.flow import dynamics
from ma_keras.potentials.base import Potential


class AdaptiveSolution(NamedTuple):
  """Points of the fluid, to a tolerance.

  Attributes:
    x: Parcels at the other end, [..., N].
    log_density_change: Change of their log density on the way, in nats, [...].
    num_evaluations: Of the vector field, int32 []; RK4 takes 4 d.
  """

  x: tf.Tensor
  log_density_change: tf.Tensor
  num_evaluations: tf.Tensor


def solve(
  potential: Potential,
  time: float,
  x: tf.Tensor,
  reverse: bool = False,
  rtol: float = 1e-6,
  atol: float = 1e-8,
) -> AdaptiveSolution:
  """Integrates Eqs. (2)-(3) over [0, T] by Dormand and Prince's embedded pair of orders 5 and 4.

  The steps are TFP's, chosen so that the estimated error of each stays below atol + rtol |state|,
  for position and log density together and for the whole batch at once. A potential that jumps
  in time (`symmetry.OneElementPerInterval`) is followed too, at many small steps per jump.

  Args:
    potential: Scalar potential phi.
    time: T > 0.
    x: Parcels at time 0 (at T if `reverse`), shape [..., N].
    reverse: Flow from T back to 0.
    rtol: Relative tolerance per step, positive.
    atol: Absolute tolerance per step, positive.

  Returns:
    The solution and its cost.

  Raises:
    ValueError: A tolerance or the time is not positive.
  """
  for name, value in (('time', time), ('rtol', rtol), ('atol', atol)):
    if not value > 0:
      raise ValueError(f'`{name}` must be positive, got {value}.')
  prepared, sign = potential.prepared(), -1.0 if reverse else 1.0

  def field(s: tf.Tensor, state: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, ...]:
    # s rises from 0 to T either way: solvers go forwards only.
    velocity, density_rate = dynamics.rates(prepared, time - s if reverse else s, state[0])
    return sign * velocity, sign * density_rate

  solution = tfp.math.ode.DormandPrince(rtol=rtol, atol=atol).solve(
    field,
    initial_time=tf.zeros([], x.dtype),
    initial_state=(x, tf.zeros_like(x[..., 0])),
    solution_times=tf.constant([time], x.dtype),
  )
  end, change = (state[0] for state in solution.states)
  return AdaptiveSolution(end, change, solution.diagnostics.num_ode_fn_evaluations)
