"""The fluid's dynamics integrated over a time horizon, in either direction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from ma_keras import integrators
from ma_keras.flow import dynamics, gradients
from ma_keras.flow.horizon import EqualSteps, Horizon
from ma_keras.flow.tallies import Tally
from ma_keras.potentials.base import Potential


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
  horizon: Horizon | EqualSteps,
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
