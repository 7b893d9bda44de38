"""Posteriors learnt from simulations: simulators of known posteriors, and tests of a flow."""

from ma_keras.posteriors.calibration import Calibration, calibrate
from ma_keras.posteriors.simulators import GaussianLinear, SimpleLikelihood, Simulator, TwoMoons
from ma_keras.posteriors.two_samples import Separability, separability

__all__ = [
  'Calibration',
  'GaussianLinear',
  'Separability',
  'SimpleLikelihood',
  'Simulator',
  'TwoMoons',
  'calibrate',
  'separability',
]
