"""The fluid's dynamics integrated over a time horizon, in either direction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from ma_keras import dynamics, gradients, integrators
from ma_keras.horizon import Horizon
from ma_keras.potentials.base import Potential
from ma_keras.tallies import Tally


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


class Solution(NamedTuple):
  """Fluid parcels at the other end of their paths, and what was summed on the way.

  Attributes:
    x: Points, shape [..., N].
    log_density_change: ln p at the end minus ln p at the start, shape [...].
    tallies: Every tally by its name, shape [...] each.
    score: grad ln p at the end, shape [..., N], not to be differentiated; None if none was given.
  """

  x: tf.Tensor
  log_density_change: tf.Tensor
  tallies: dict[str, tf.Tensor]
  score: tf.Tensor | None = None


def solve(
  potential: Potential,
  tableau: integrators.Tableau,
  horizon: Horizon,
  x: tf.Tensor,
  reverse: bool = False,
  steps: tuple[int, int] | None = None,
  gradient: str | gradients.GradientMode = 'store',
  tallies: Sequence[Tally] = (),
  score: tf.Tensor | None = None,
) -> tuple[tf.Tensor, ...]:
  """Integrates dx/dt = grad phi and d ln p/dt = -laplacian phi. Eqs. (2)-(3).

  One `tf.while_loop`, whose graph does not grow with the number of steps.

  Args:
    potential: Scalar potential phi.
    tableau: Runge-Kutta method.
    horizon: [0, T] and its steps.
    x: Fluid parcels at time 0 (at T if `reverse`), shape [..., N].
    reverse: Flow from T back to 0.
    steps: Half-open range of steps to take; all of them by default.
    gradient: How the result is differentiated: see `gradients`.
    tallies: Further sums over the steps: see `tallies`.
    score: grad ln p of the parcels where they start, [..., N]; return that at the end as well,
      not to be differentiated: see `dynamics.rates_with_score`.

  Returns:
    The parcels at the other end, [..., N], the change of their log density on the way, [...],
    every tally, [...], and, if asked for, the score [..., N].

  Raises:
    ValueError: The integrator or the gradient mode does not go with a tally.
  """
  x, mode = tf.convert_to_tensor(x, dtype_hint=potential.dtype), gradients.get(gradient)
  check_tallies(tallies, tableau, mode)
  first, last = steps or (0, horizon.num_steps)
  motion = dynamics.Motion(
    potential, tableau, horizon.grid(x.dtype), first, last, reverse, tuple(tallies), score
  )
  y, totals = mode.solve(motion, x)
  return y, *totals


def check_tallies(
  tallies: Sequence[Tally], tableau: integrators.Tableau, mode: gradients.GradientMode
) -> None:
  """Raises ValueError if the integrator or the gradient mode does not go with a tally."""
  for tally in tallies:
    tally.check(tableau)
  mode.check_tallies(tallies)


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
  marks = _nearest_steps(horizon, times, reverse)
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


def _nearest_steps(horizon: Horizon, times: Sequence[float], reverse: bool) -> list[int]:
  marks = [round(float(t) / horizon.step_size) for t in times]
  ordered = sorted(marks, reverse=reverse)
  within = all(0 <= t <= horizon.time * (1 + 1e-9) for t in times)
  if not marks or marks != ordered or not within:
    raise ValueError(
      f'`times` must lie within [0, {horizon.time:g}] and '
      f'{"fall" if reverse else "rise"}, as the fluid moves; got {list(times)}.'
    )
  return marks
