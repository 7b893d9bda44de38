"""Calls of a flow, compiled for eager code and written into the graphs of others."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from ma_keras.flow import adaptive, solution
from ma_keras.flow.gradients import GradientMode, on_demand
from ma_keras.flow.horizon import EqualSteps, Horizon
from ma_keras.flow.tallies import Tally
from ma_keras.flow.trajectory import Trajectory, trajectory
from ma_keras.integrators import Tableau
from ma_keras.potentials.base import Potential

# (phi, method, horizon, *arguments, *tensors) -> tensors.
Function = Callable[..., Any]


class Calls:
  """function(phi, method, horizon, *arguments, *tensors), compiled unless the caller's graph is.

  Eager calls go through a tf.function that is traced once for every batch size, and for every
  number of steps where equal ones are solved that nobody differentiates. A graph takes the loop
  inline: it stays one graph, with all the shapes its author gave, without which XLA has no second
  derivatives and `tf.vectorized_map` takes 20 s.
  """

  def __init__(self, potential: Potential, tableau: Tableau, horizon: Horizon) -> None:
    """Keeps what every function is called with; nothing is traced yet."""
    self._potential, self._tableau, self._horizon = potential, tableau, horizon
    self._functions: dict[tuple[Any, ...], Callable[..., Any]] = {}
    self._in_any_steps: dict[tuple[Any, ...], Callable[..., Any]] = {}

  def at(self, horizon: Horizon) -> Calls:
    """Returns the calls of the same flow in other steps, with what serves any number of them."""
    calls = Calls(self._potential, self._tableau, horizon)
    calls._in_any_steps = self._in_any_steps
    return calls

  def __call__(
    self,
    function: Function,
    tensors: Sequence[tf.Tensor],
    *arguments: Any,
    context: tf.Tensor | None = None,
  ) -> Any:
    """Calls the function.

    Args:
      function: One of those below, or its like: its name and its arguments are its key.
      tensors: Rows [B, N], the last arguments of the function.
      *arguments: Those before them, hashable.
      context: What a conditional potential is given, [B, C] or [C].
    """
    conditional = context is not None
    tensors = [*tensors, context] if conditional else tensors
    count = len(tensors) - int(conditional)

    def call(horizon: Horizon | EqualSteps, *tensors: tf.Tensor) -> Any:
      points, given = tensors[:count], tensors[count:]
      potential = self._potential.given(*given) if given else self._potential
      return function(potential, self._tableau, horizon, *arguments, *points)

    # Nor do second derivatives of eager code go through a function: TensorFlow would trace all that
    # anybody could ask of it, which takes a minute.
    watched = self._potential.given(context) if conditional else self._potential
    if not tf.executing_eagerly() or on_demand.second_order(watched, tensors[0]):
      return call(self._horizon, *tensors)
    ranks = tuple(part.shape.rank for part in tensors)
    key = (function.__name__, ranks, conditional, *arguments)
    specs = [_any_number_of_rows(part) for part in tensors]
    # What a tape records keeps its stages, which takes their number.
    if function is solve and not self._horizon.jitter and not on_demand.recording():
      return self._called_in_any_steps(key, call, specs, tensors)
    key = (*key, on_demand.recording())
    if key not in self._functions:
      fixed = functools.partial(call, self._horizon)
      self._functions[key] = tf.function(fixed, input_signature=specs, autograph=False)
    return self._functions[key](*tensors)

  def _called_in_any_steps(
    self,
    key: tuple[Any, ...],
    call: Callable[..., Any],
    specs: Sequence[tf.TensorSpec],
    tensors: Sequence[tf.Tensor],
  ) -> Any:
    """The result of a function that takes number and size of the steps as tensors."""
    if key not in self._in_any_steps:
      steps = (tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.float64))
      # Partial functions: TensorFlow would count those of one piece of code together, and warn.
      by_tensors = functools.partial(_in_equal_steps, call)
      self._in_any_steps[key] = tf.function(
        by_tensors, input_signature=[*steps, *specs], autograph=False
      )
    number, size = self._horizon.num_steps, self._horizon.step_size
    return self._in_any_steps[key](tf.constant(number), tf.constant(size, tf.float64), *tensors)


def solve(
  potential: Potential,
  tableau: Tableau,
  horizon: Horizon | EqualSteps,
  reverse: bool,
  mode: GradientMode,
  tallies: tuple[Tally, ...],
  x: tf.Tensor,
  score: tf.Tensor | None = None,
) -> tuple[tf.Tensor, ...]:
  """`solution.solve` with the tensors last."""
  return solution.solve(
    *(potential, tableau, horizon, x, reverse), gradient=mode, tallies=tallies, score=score
  )


def states_at(
  potential: Potential,
  tableau: Tableau,
  horizon: Horizon,
  times: tuple[float, ...],
  reverse: bool,
  mode: GradientMode,
  x: tf.Tensor,
) -> Trajectory:
  """`flow.trajectory` with the points last."""
  return trajectory(potential, tableau, horizon, x, times, reverse, mode)


def solve_adaptively(
  potential: Potential,
  _: Tableau,
  horizon: Horizon,
  reverse: bool,
  rtol: float,
  atol: float,
  x: tf.Tensor,
) -> adaptive.AdaptiveSolution:
  """`adaptive.solve` with the points last."""
  return adaptive.solve(potential, horizon.time, x, reverse, rtol, atol)


def _in_equal_steps(
  call: Callable[..., Any], num_steps: tf.Tensor, step_size: tf.Tensor, *tensors: tf.Tensor
) -> Any:
  """The call in steps whose number and size are tensors."""
  return call(EqualSteps(num_steps, step_size), *tensors)


def _any_number_of_rows(tensor: tf.Tensor) -> tf.TensorSpec:
  """Shape [None, ..., None, C] of a tensor [..., C]."""
  leading = [None] * (tensor.shape.rank - 1)
  return tf.TensorSpec([*leading, tensor.shape[-1]], tensor.dtype)
