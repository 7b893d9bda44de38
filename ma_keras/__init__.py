"""Monge-Ampere flows: exact-likelihood generative models from a learnable scalar potential.

Names are imported when they are first used, so that `import ma_keras` takes no time.
"""

import importlib
from typing import TYPE_CHECKING, Any

from ma_keras.version import __version__

if TYPE_CHECKING:
  from ma_keras import (
    bases,
    data,
    information,
    integrators,
    objectives,
    posteriors,
    potentials,
    pretrained,
    samplers,
    serving,
    symmetry,
    targets,
    transport,
  )
  from ma_keras.bijector import MongeAmpereBijector
  from ma_keras.distributions import conditional_flow, data_space_flow, standard_normal_flow
  from ma_keras.estimator import MongeAmpereDensity
  from ma_keras.flow import Horizon, Solution, Trajectory, gradients, tallies
  from ma_keras.flow.certificate import Certificate, certify
  from ma_keras.saving import export, model_file
  from ma_keras.saving.model_file import load

__all__ = [
  'Certificate',
  'Horizon',
  'MongeAmpereBijector',
  'MongeAmpereDensity',
  'Solution',
  'Trajectory',
  '__version__',
  'bases',
  'certify',
  'conditional_flow',
  'data',
  'data_space_flow',
  'export',
  'gradients',
  'information',
  'integrators',
  'load',
  'model_file',
  'objectives',
  'posteriors',
  'potentials',
  'pretrained',
  'samplers',
  'serving',
  'standard_normal_flow',
  'symmetry',
  'tallies',
  'targets',
  'transport',
]

# Public name -> the module that defines it, or is it; every other name is a module itself.
_DEFINED = {
  'Certificate': 'flow.certificate',
  'certify': 'flow.certificate',
  'Horizon': 'flow',
  'MongeAmpereBijector': 'bijector',
  'MongeAmpereDensity': 'estimator',
  'Solution': 'flow',
  'Trajectory': 'flow',
  'conditional_flow': 'distributions',
  'data_space_flow': 'distributions',
  'load': 'saving.model_file',
  'standard_normal_flow': 'distributions',
}
_MODULES = {
  'export': 'saving.export',
  'gradients': 'flow.gradients',
  'model_file': 'saving.model_file',
  'tallies': 'flow.tallies',
}


def __getattr__(name: str) -> Any:
  path = f'{__name__}.{_DEFINED.get(name, _MODULES.get(name, name))}'
  try:
    module = importlib.import_module(path)
  except ModuleNotFoundError as error:
    if error.name != path:
      raise
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}') from None
  value = getattr(module, name) if name in _DEFINED else module
  globals()[name] = value
  return value


def __dir__() -> list[str]:
  return sorted({*globals(), *__all__})
