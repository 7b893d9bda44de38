"""From the model's samples to the target's expectations."""

from ma_keras.samplers import wolff
from ma_keras.samplers.importance import ImportanceEstimate, estimate, two_level
from ma_keras.samplers.markov import (
  independence_metropolis,
  integrated_autocorrelation_time,
  latent_hmc,
)
from ma_keras.samplers.reweighting import Expectation, expectation

__all__ = [
  'Expectation',
  'ImportanceEstimate',
  'estimate',
  'expectation',
  'independence_metropolis',
  'integrated_autocorrelation_time',
  'latent_hmc',
  'two_level',
  'wolff',
]
