"""The fluid at chosen times along its way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from ma_keras import integrators
from ma_keras.flow import gradients
from ma_keras.flow.horizon import Horizon
from ma_keras.flow.solution import solve
from ma_keras.potentials.base import Potential


class Trajectory(NamedTuple):
  """Fluid parcels at chosen times.

  Attributes:
    times: t_s, shape [S].
    states: x(t_s), shape [S, ..., N].
    log_density_changes: ln p(x(t_s), t_s) - ln p(x(t_0), t_0), shape [S, ...].
  """

  times: tf.Tensor
  states: tf.Tensor
  log_density_changes: tf.Tensor


def trajectory(
  potential: Potential,
  tableau: integrators.Tableau,
  horizon: Horizon,
  x: tf.Tensor,
  times: Sequence[float],
  reverse: bool = False,
  gradient: str | gradients.GradientMode = 'store',
) -> Trajectory:
  """x(t_s) and ln p along the path, at the steps nearest to the chosen times.

  The states are those of the flow itself, not an interpolation: the one at T is exactly
  `solve`'s.

  Args:
    potential: Scalar potential phi.
    tableau: Explicit Runge-Kutta method.
    horizon: [0, T] and its steps.
    x: Parcels at time 0 (at T if `reverse`), shape [..., N].
    times: Times within [0, T], in the order of the motion: rising, or falling if `reverse`.
    reverse: Flow from T back to 0.
    gradient: How the result is differentiated: see `gradients`.

  Returns:
    Times (rounded to whole steps), states and log-density changes.

  Raises:
    ValueError: A time lies outside [0, T], or the times run against the motion.
  """
  check_times(horizon, times, reverse)
  marks = _nearest_steps(horizon, times)
  change = tf.zeros_like(x[..., 0])
  states, changes = [], []
  position = horizon.num_steps if reverse else 0
  for mark in marks:
    segment = (min(position, mark), max(position, mark))
    if segment[0] < segment[1]:
      x, increment = solve(potential, tableau, horizon, x, reverse, segment, gradient)
      change += increment
    states.append(x)
    changes.append(change)
    position = mark
  grid = horizon.grid(x.dtype)
  stamps = tf.gather(tf.concat([grid.start, grid.stop[-1:]], axis=0), marks)
  return Trajectory(stamps, tf.stack(states), tf.stack(changes))


def check_times(horizon: Horizon, times: Sequence[float], reverse: bool) -> None:
  """Raises ValueError unless times lie within [0, T] and run with the motion."""
  marks = _nearest_steps(horizon, times)
  within = all(0 <= t <= horizon.time * (1 + 1e-9) for t in times)
  if not marks or marks != sorted(marks, reverse=reverse) or not within:
    raise ValueError(
      f'`times` must lie within [0, {horizon.time:g}] and '
      f'{"fall" if reverse else "rise"}, as the fluid moves; got {list(times)}.'
    )


def _nearest_steps(horizon: Horizon, times: Sequence[float]) -> list[int]:
  return [round(float(t) / horizon.step_size) for t in times]
