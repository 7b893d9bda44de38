"""Chains of flows as plain values for files, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras.bijector import MongeAmpereBijector
from ma_keras.distributions import BatchNormalisation, FlowChain
from ma_keras.flow.horizon import MOST_STEPS
from ma_keras.saving import descriptions, solver_options

# Keys of a part's description, and the JSON types of their values.
FLOW: dict[str, tuple[type, ...]] = {
  'potential': (dict,),
  'num_steps': (int,),
  'step_size': (int, float),
  'integrator': (str,),
  'options': (dict,),
}
NORMALISATION: dict[str, tuple[type, ...]] = {
  'event_size': (int,),
  'momentum': (int, float),
  'epsilon': (int, float),
}


def describe_flow(bijector: MongeAmpereBijector, arrays: list[np.ndarray]) -> dict[str, Any]:
  """A flow with its steps, by the keys of `FLOW`.

  Args:
    bijector: The flow.
    arrays: NumPy arguments of its potential are added to these.

  Raises:
    NotImplementedError: It has a part that no file holds.
  """
  return {
    'potential': descriptions.describe(bijector.potential, arrays),
    'num_steps': bijector.horizon.num_steps,
    'step_size': bijector.horizon.step_size,
    'integrator': bijector.integrator.name,
    'options': solver_options.describe(bijector),
  }


def make_flow(potential: Any, described: dict[str, Any]) -> MongeAmpereBijector:
  """The flow along a potential that has been made already."""
  return MongeAmpereBijector(
    potential,
    described['num_steps'],
    described['step_size'],
    described['integrator'],
    **described['options'],
  )


def describe(chain: FlowChain, arrays: list[np.ndarray]) -> list[dict[str, Any]]:
  """The parts of a chain in order: flows as `describe_flow` has them, normalisations by numbers."""
  return [_described(part, arrays) for part in chain.bijectors]


def make(
  described: list[dict[str, Any]], dtype: tf.DType, arrays: Sequence[np.ndarray] = ()
) -> FlowChain:
  """The chain again, whose variables have first values."""
  return FlowChain([_made(part, dtype, arrays) for part in described])


def variables(chain: FlowChain) -> list[tf.Variable]:
  """Variables of potentials, and moving averages, in the order of the parts."""
  lists = [_averages(part) or part.potential.variables for part in chain.bijectors]
  return [variable for part in lists for variable in part]


def check(described: list[Any], count: int) -> None:
  """Raises ValueError on what `make` should not even try.

  Args:
    described: Parts of a chain.
    count: How many variables there are for them.
  """
  if not 1 <= len(described) <= count:
    raise ValueError(f'a chain has {len(described)} parts for {count} variables')
  for part in described:
    if not isinstance(part, dict) or part.keys() not in (FLOW.keys(), NORMALISATION.keys()):
      raise ValueError('a part of the chain is neither a flow nor a normalisation')
    for name, types in {**FLOW, **NORMALISATION}.items():
      if name in part:
        descriptions.check_number(name, part[name], types)
    if 'potential' in part:
      descriptions.check(part['potential'], count)
      check_steps(part)


def check_steps(described: dict[str, Any]) -> None:
  """Raises ValueError on steps or options of a flow that no file has."""
  if not 1 <= described['num_steps'] <= MOST_STEPS:
    raise ValueError(f'`num_steps` is {described["num_steps"]}, of 1 to {MOST_STEPS}')
  solver_options.check(described['options'])


def _described(part: Any, arrays: list[np.ndarray]) -> dict[str, Any]:
  if isinstance(part, MongeAmpereBijector):
    return describe_flow(part, arrays)
  return {name: part.parameters[name] for name in NORMALISATION}


def _made(part: dict[str, Any], dtype: tf.DType, arrays: Sequence[np.ndarray]) -> Any:
  if 'potential' in part:
    return make_flow(descriptions.make(part['potential'], dtype, arrays), part)
  return BatchNormalisation(**part, dtype=dtype)


def _averages(part: Any) -> list[tf.Variable]:
  if isinstance(part, BatchNormalisation):
    return [part.moving_mean, part.moving_variance]
  return []
