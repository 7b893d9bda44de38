"""From the model's samples to the target's expectations."""

from ma_keras.samplers import wolff
from ma_keras.samplers.agreement import Agreement, agreement, forward_effective_sample_size
from ma_keras.samplers.annealing import Annealed, Path, annealed_importance
from ma_keras.samplers.bennett import FreeEnergyDifference, free_energy_difference
from ma_keras.samplers.hamiltonian import Chains, Schedule, hamiltonian_chains, mean_over_chains
from ma_keras.samplers.importance import ImportanceEstimate, estimate, two_level
from ma_keras.samplers.inherent_structures import InherentStructures, inherent_structures
from ma_keras.samplers.markov import (
  independence_metropolis,
  integrated_autocorrelation_time,
  latent_hmc,
)
from ma_keras.samplers.reweighting import Expectation, expectation
from ma_keras.samplers.sequential import Populations, sequential_monte_carlo
from ma_keras.samplers.thermodynamic import ThermodynamicIntegral, thermodynamic_integration

__all__ = [
  'Agreement',
  'Annealed',
  'Chains',
  'Expectation',
  'FreeEnergyDifference',
  'ImportanceEstimate',
  'InherentStructures',
  'Path',
  'Populations',
  'Schedule',
  'ThermodynamicIntegral',
  'agreement',
  'annealed_importance',
  'estimate',
  'expectation',
  'forward_effective_sample_size',
  'free_energy_difference',
  'hamiltonian_chains',
  'independence_metropolis',
  'inherent_structures',
  'integrated_autocorrelation_time',
  'latent_hmc',
  'mean_over_chains',
  'sequential_monte_carlo',
  'thermodynamic_integration',
  'two_level',
  'wolff',
]
