"""One Runge-Kutta step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

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
  stages = _explicit if tableau.explicit else _implicit
  return _advance(state, h, tableau.b, stages(tableau, field, t, h, state))


def _explicit(
  tableau: Tableau, field: VectorField, t: tf.Tensor, h: tf.Tensor, state: State
) -> list[State]:
  rates: list[State] = []
  for row, c in zip(tableau.a, tableau.c):
    rates.append(field(t + c * h, _advance(state, h, row, rates)))
  return rates


def _implicit(
  tableau: Tableau, field: VectorField, t: tf.Tensor, h: tf.Tensor, state: State
) -> list[State]:
  """Solves k_i = f(t + c_i h, x + h sum_j a_ij k_j) by iteration from k_i = f(t + c_i h, x)."""

  def iterate(rates: list[State]) -> list[State]:
    return [
      field(t + c * h, _advance(state, h, row, rates)) for row, c in zip(tableau.a, tableau.c)
    ]

  first = [field(t + c * h, state) for c in tableau.c]
  _, rates = tf.while_loop(
    lambda m, _: m < tableau.iterations,
    lambda m, rates: (m + 1, iterate(rates)),
    (tf.constant(0), first),
    maximum_iterations=tableau.iterations,
  )
  return rates


def _advance(state: State, h: tf.Tensor, weights: Sequence[float], rates: Sequence[State]) -> State:
  """x + h sum_j w_j k_j, terms of zero weight left out."""
  used = [(w, rate) for w, rate in zip(weights, rates) if w != 0.0]
  if not used:
    return state
  ws, ks = zip(*used)
  return tf.nest.map_structure(
    lambda x, *ks: x + tf.add_n([(h * w) * k for w, k in zip(ws, ks)]), state, *ks
  )
