"""Monge-Ampere flows: exact-likelihood generative models from a learnable scalar potential."""

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
  targets,
)
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.certificate import Certificate
from ma_keras.distributions import data_space_flow, standard_normal_flow
from ma_keras.flow import Horizon, Trajectory
from ma_keras.model_file import load
from ma_keras.version import __version__

__all__ = [
  'Certificate',
  'Horizon',
  'MongeAmpereBijector',
  'Trajectory',
  '__version__',
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
  'targets',
]
