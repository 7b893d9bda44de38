"""Posteriors of parameters and of classes: simulators, Bayes' rule, and tests of a flow."""

from ma_keras.posteriors.calibration import Calibration, calibrate
from ma_keras.posteriors.classes import Classification, classify, over_draws
from ma_keras.posteriors.simulators import GaussianLinear, SimpleLikelihood, Simulator, TwoMoons
from ma_keras.posteriors.two_samples import Separability, separability

__all__ = [
  'Calibration',
  'Classification',
  'GaussianLinear',
  'Separability',
  'SimpleLikelihood',
  'Simulator',
  'TwoMoons',
  'calibrate',
  'classify',
  'over_draws',
  'separability',
]
