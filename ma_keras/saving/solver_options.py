"""Options of a flow beside its potential, steps and dtype, as plain values for files."""

from __future__ import annotations

from typing import Any

from ma_keras import integrators, seeds
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.flow import gradients
from ma_keras.saving import descriptions

# Names of the bijector's arguments, and JSON's types of their values.
TYPES: dict[str, tuple[type, ...]] = {
  'gradient': (str,),
  'jitter': (int, float),
  'seed': (int, list),
  'batch_size': (int, type(None)),
  'validate_args': (bool,),
}


def describe(bijector: MongeAmpereBijector) -> dict[str, Any]:
  """Returns the arguments of `TYPES` by name.

  Raises:
    NotImplementedError: The integrator, the gradient mode or the seed has no plain value.
  """
  integrator = bijector.integrator
  if integrators.TABLEAUS.get(integrator.name) != integrator:
    raise NotImplementedError(
      f'`integrator` {integrator.name!r} is a tableau of your own, and a file holds names alone: '
      f'{sorted(integrators.TABLEAUS)}.'
    )
  given = {name: bijector.parameters[name] for name in TYPES}
  return {**given, 'gradient': _name(given['gradient']), 'seed': seeds.plain(given['seed'])}


def check(options: dict[str, Any]) -> None:
  """Raises ValueError on names and types that no file of this version has."""
  unknown = sorted(options.keys() - TYPES.keys())
  if unknown:
    raise ValueError(f'options {unknown} are unknown: perhaps of a newer version')
  for name, value in options.items():
    descriptions.check_number(name, value, TYPES[name])
  seed = options.get('seed', 0)
  for number in seed if isinstance(seed, list) else [seed]:
    descriptions.check_number('seed', number, (int,))


def _name(gradient: str | gradients.GradientMode) -> str:
  mode = gradients.get(gradient)
  for name, instance in gradients.MODES.items():
    if instance == mode:
      return name
  raise NotImplementedError(
    f'`gradient` {mode} is a mode of your own, and a file holds names alone: densities are '
    "those of bijector.copy(gradient='recompute')."
  )
