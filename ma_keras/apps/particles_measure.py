"""Measures of a flow of particles against chains of its target, and the line that tells them."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from ma_keras import samplers, targets, training
from ma_keras.apps.configuration.particles import ParticlesConfig
from ma_keras.apps.particles_figures import energies as energies_of
from ma_keras.apps.particles_reference import Reference
from ma_keras.training.halving import Scorer


def log_partition(
  log_weights: np.ndarray, target_log_weights: np.ndarray, annealed: samplers.Expectation
) -> samplers.Expectation:
  """ln Z by Bennett's ratio of the flow and the chains, or the annealed one where that is better.

  The flow is normalised: its ln Z is 0.

  Args:
    log_weights: ln w = -E - ln q of samples of the flow, [n].
    target_log_weights: ln w of samples along chains, [S, C].
    annealed: ln Z by annealed importance sampling.
  """
  both = samplers.free_energy_difference(-log_weights[np.newaxis], target_log_weights)
  if both.doubts() or both.error > annealed.error:
    return annealed
  return samplers.Expectation(-both.value, both.error)


def agree(
  config: ParticlesConfig,
  model: training.VariationalFreeEnergy,
  draws: training.Draws,
  reference: Reference,
) -> tuple[samplers.Agreement, samplers.Expectation]:
  """The flow in halved steps against chains of the target, and the best ln Z there is."""
  assert isinstance(model.target, targets.Particles)
  horizon = model.bijector.horizon
  reference = reference.thinned(config.eval_samples)  # As many as are drawn of the flow.
  positions = reference.positions.reshape(-1, reference.positions.shape[-1])
  scorer = Scorer(model.bijector, config.eval_batch_size, config.jit_compile, base=model.base)
  log_prob = scorer(positions, 2 * horizon.num_steps).reshape(reference.energies.shape)
  log_weights, target_log_weights = -draws.fine.free_energies, -reference.energies - log_prob
  partition = log_partition(log_weights, target_log_weights, reference.partition)
  agreement = samplers.agreement(
    log_weights,
    energies_of(model.target, draws.fine.values),
    target_log_weights,
    reference.energies,
    partition,
  )
  return agreement, partition


def beyond(result: training.FreeEnergy, reference: Reference | None, sigmas: float = 5.0) -> str:
  """Says in one line that F lies below -ln Z by annealing; empty if it does not."""
  if reference is None:
    return ''
  n, annealed = result.num_sites, reference.partition
  gap = n * result.free_energy_per_site + annealed.value
  if gap >= -sigmas * math.hypot(n * result.statistical_error, annealed.error):
    return ''
  return (
    f'F lies {-gap:.2g} nats below -ln Z by annealing, which no flow can: the integrator was '
    'cheated, or --temperatures are too few. Train anew in another --run_dir with more --num_steps.'
  )


def totals(
  result: training.FreeEnergy,
  agreement: tuple[samplers.Agreement, samplers.Expectation] | None,
  reference: Reference | None,
) -> dict[str, Any]:
  """Numbers of the summary, in kT and nats of all particles together."""
  n = result.num_sites
  measured: dict[str, Any] = {
    'num_steps': result.num_steps,
    'num_samples': result.num_samples,
    'free_energy': n * result.free_energy_per_site,
    'statistical_error': n * result.statistical_error,
    'integration_error': n * result.integration_error,
    'log_partition': -n * result.reweighted_per_site,
    'log_partition_error': n * result.reweighted_error,
    'log_partition_integration_error': n * result.reweighted_integration_error,
    'effective_sample_size': result.effective_sample_size,
  }
  if agreement and reference:
    measured['reference'] = {
      **dataclasses.asdict(agreement[0]),
      'log_partition_of_both': dataclasses.asdict(agreement[1]),
      'log_partition': reference.partition.value,
      'log_partition_error': reference.partition.error,
      'energy': dataclasses.asdict(samplers.mean_over_chains(reference.energies)),
      'doubts': ' '.join(filter(None, [str(reference.doubts), agreement[0].doubts()])),
    }
  return measured


def line(measured: dict[str, Any]) -> str:
  """The result in one line."""
  text = (
    'F = {free_energy:.4f} +- {statistical_error:.1g} (statistical) +- {integration_error:.1g} '
    '(integration); ESS {ess:.3g} % of {num_samples}; ln Z by weights {log_partition:.4f} +- '
    '{log_partition_error:.1g} (statistical) +- {log_partition_integration_error:.1g} (integration)'
  ).format(ess=100 * measured['effective_sample_size'], **measured)
  if 'reference' not in measured:
    return text
  other = measured['reference']
  forward, both = other['forward_ess'], other['log_partition_of_both']
  reverse_kl, kl = other['reverse_kl'], other['forward_kl']
  return (
    f'{text}, by annealing {other["log_partition"]:.4f} +- {other["log_partition_error"]:.1g}, by '
    f'both ends {both["value"]:.4f} +- {both["error"]:.1g}; on '
    f'{other["num_target_samples"]} samples of chains: forward ESS {100 * forward["value"]:.3g} +- '
    f'{100 * forward["error"]:.1g} %; KL(flow, target) {reverse_kl["value"]:.3f} +- '
    f'{reverse_kl["error"]:.1g}, KL(target, flow) {kl["value"]:.3f} +- {kl["error"]:.1g} nats; '
    f'energies {other["energy_distance"]:.3g} kT apart'
  )
