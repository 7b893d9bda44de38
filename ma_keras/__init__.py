"""Monge-Ampere flows: exact-likelihood generative models from a learnable scalar potential.

Names are imported when they are first used, so that `import ma_keras` takes no time.
"""

import importlib
from typing import TYPE_CHECKING, Any

from ma_keras.version import __version__

if TYPE_CHECKING:
  from ma_keras import (
    data,
    export,
    integrators,
    model_file,
    objectives,
    potentials,
    samplers,
    serving,
    symmetry,
    tallies,
    targets,
  )
  from ma_keras.bijector import MongeAmpereBijector
  from ma_keras.certificate import Certificate, certify
  from ma_keras.distributions import data_space_flow, standard_normal_flow
  from ma_keras.estimator import MongeAmpereDensity
  from ma_keras.flow import Horizon, Solution, Trajectory
  from ma_keras.model_file import load

__all__ = [
  'Certificate',
  'Horizon',
  'MongeAmpereBijector',
  'MongeAmpereDensity',
  'Solution',
  'Trajectory',
  '__version__',
  'certify',
  'data',
  'data_space_flow',
  'export',
  'integrators',
  'load',
  'model_file',
  'objectives',
  'potentials',
  'samplers',
  'serving',
  'standard_normal_flow',
  'symmetry',
  'tallies',
  'targets',
]

# Public name -> the module that defines it; every other name is a module itself.
_MODULES = {
  'Certificate': 'certificate',
  'certify': 'certificate',
  'Horizon': 'flow',
  'MongeAmpereBijector': 'bijector',
  'MongeAmpereDensity': 'estimator',
  'Solution': 'flow',
  'Trajectory': 'flow',
  'data_space_flow': 'distributions',
  'load': 'model_file',
  'standard_normal_flow': 'distributions',
}


def __getattr__(name: str) -> Any:
  path = f'{__name__}.{_MODULES.get(name, name)}'
  try:
    module = importlib.import_module(path)
  except ModuleNotFoundError as error:
    if error.name != path:
      raise
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}') from None
  value = getattr(module, name) if name in _MODULES else module
  globals()[name] = value
  return value


def __dir__() -> list[str]:
  return sorted({*globals(), *__all__})
