"""One Runge-Kutta step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from ma_keras.integrators.fixed_point import fixed_point, largest
from ma_keras.integrators.tableau import Tableau

State = Any  # A nest of tensors.
VectorField = Callable[[tf.Tensor, State], State]


def step(tableau: Tableau, field: VectorField, t: tf.Tensor, h: tf.Tensor, state: State) -> State:
  """x(t + h) ~ x + h sum_i b_i k_i, k_i = f(t + c_i h, x + h sum_j a_ij k_j).

  Args:
    tableau: The method.
    field: f(t, state) -> rates, a nest shaped like the state.
    t: Time at the start of the step, shape [].
    h: Step size, shape []; negative steps go back in time.
    state: Nest of tensors.

  Returns:
    The state at t + h.
  """
  return combine(state, h, tableau.b, stages(tableau, field, t, h, state))


def stages(
  tableau: Tableau, field: VectorField, t: tf.Tensor, h: tf.Tensor, state: State
) -> list[State]:
  """k_1, ..., k_s of a step: see `step`."""
  return (_explicit if tableau.explicit else _implicit)(tableau, field, t, h, state)


def _explicit(
  tableau: Tableau, field: VectorField, t: tf.Tensor, h: tf.Tensor, state: State
) -> list[State]:
  rates: list[State] = []
  for row, c in zip(tableau.a, tableau.c):
    rates.append(field(t + c * h, combine(state, h, row, rates)))
  return rates


def _implicit(
  tableau: Tableau, field: VectorField, t: tf.Tensor, h: tf.Tensor, state: State
) -> list[State]:
  """Solves k_i = f(t + c_i h, x + h sum_j a_ij k_j) by iteration from k_i = f(t + c_i h, x)."""

  def once(rates: list[State]) -> list[State]:
    return [field(t + c * h, combine(state, h, row, rates)) for row, c in zip(tableau.a, tableau.c)]

  def movement(before: list[State], after: list[State]) -> tf.Tensor:
    """The largest |h (k - k')|, as a fraction of the state, or of 1 where that is less."""
    stages = [zip(*map(tf.nest.flatten, (state, *pair))) for pair in zip(before, after)]
    return tf.reduce_max(
      [largest(h * (k - l)) / tf.maximum(largest(x), 1.0) for s in stages for x, k, l in s]
    )

  first = [field(t + c * h, state) for c in tableau.c]
  return fixed_point(once, first, movement, tableau.iterations)


def combine(state: State, h: tf.Tensor, weights: Sequence[float], rates: Sequence[State]) -> State:
  """x + h sum_j w_j k_j, terms of zero weight left out."""
  used = [(w, rate) for w, rate in zip(weights, rates) if w != 0.0]
  if not used:
    return state
  ws, ks = zip(*used)
  return tf.nest.map_structure(
    lambda x, *ks: sum(((h * w) * k for w, k in zip(ws, ks)), start=x), state, *ks
  )
