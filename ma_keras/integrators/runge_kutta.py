"""One explicit Runge-Kutta step."""

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
  rates: list[State] = []
  for row, c in zip(tableau.a, tableau.c):
    rates.append(field(t + c * h, _advance(state, h, row, rates)))
  return _advance(state, h, tableau.b, rates)


def _advance(state: State, h: tf.Tensor, weights: Sequence[float], rates: Sequence[State]) -> State:
  """x + h sum_j w_j k_j, terms of zero weight left out."""
  used = [(w, rate) for w, rate in zip(weights, rates) if w != 0.0]
  if not used:
    return state
  ws, ks = zip(*used)
  return tf.nest.map_structure(
    lambda x, *ks: x + tf.add_n([(h * w) * k for w, k in zip(ws, ks)]), state, *ks
  )
