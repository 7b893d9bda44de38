"""How far a discrete flow is from the continuous one it stands for."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import tensorflow as tf

from ma_keras import flow, integrators
from ma_keras.potentials.base import Potential


class Certificate(NamedTuple):
  """Integration errors, point by point.

  Attributes:
    position_error: max_i |x_i(h) - x_i(h/2)| at the end of the flow, shape [...].
    log_density_error: change of ln p with steps h minus that with h/2, in nats, shape [...].
    round_trip_error: max_i |x_i - there_and_back(x)_i|, shape [...].
  """

  position_error: tf.Tensor
  log_density_error: tf.Tensor
  round_trip_error: tf.Tensor


def certify(
  potential: Potential,
  tableau: integrators.Tableau,
  horizon: flow.Horizon,
  x: tf.Tensor,
  reverse: bool = False,
) -> Certificate:
  """Step-halving and round-trip errors: |y(h) - y(h/2)| estimates |y(h) - y| for small h.

  A likelihood is only as honest as this: a flow trained with too few steps learns to cheat
  its integrator. For a method of order p the true error is about 2^p/(2^p - 1) of the
  difference, provided the steps are small enough for the difference to mean anything. Steps are
  equal here, also where the flow has `jitter`: random ones would be drawn anew, not halved.

  Args:
    potential: Scalar potential phi.
    tableau: Explicit Runge-Kutta method.
    horizon: [0, T] and its steps.
    x: Points at time 0 (at T if `reverse`), shape [..., N].
    reverse: Certify the flow from T to 0, the direction of `log_prob`.

  Returns:
    The errors of every point.
  """
  horizon = dataclasses.replace(horizon, jitter=0.0)
  end, change = flow.solve(potential, tableau, horizon, x, reverse)
  fine_end, fine_change = flow.solve(potential, tableau, horizon.refined(), x, reverse)
  back, _ = flow.solve(potential, tableau, horizon, end, not reverse)
  return Certificate(
    position_error=tf.reduce_max(tf.abs(end - fine_end), axis=-1),
    log_density_error=change - fine_change,
    round_trip_error=tf.reduce_max(tf.abs(back - x), axis=-1),
  )
