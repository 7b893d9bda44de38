"""Observables of a trained flow: raw, and reweighted to the target itself."""

from __future__ import annotations

import dataclasses

import numpy as np

from ma_keras import samplers
from ma_keras.targets.observables import Observables, Statistic, of_fields
from ma_keras.targets.target import Target
from ma_keras.training.draws import Draws


@dataclasses.dataclass(frozen=True)
class Observable:
  """One expectation over configurations.

  Attributes:
    name: What it is.
    raw: Over the model's configurations, as they come.
    reweighted: Over those of the target, by importance weights.
    integration_error: |change of the latter| on halving the steps, same latents and draws.
  """

  name: str
  raw: samplers.Expectation
  reweighted: samplers.Expectation
  integration_error: float

  def __str__(self) -> str:
    """In one line."""
    return (
      f'{self.name}: {self.reweighted.value:.6f} +- {self.reweighted.error:.1g} (statistical) '
      f'+- {self.integration_error:.1g} (integration); raw {self.raw.value:.6f} '
      f'+- {self.raw.error:.1g}'
    )


def observables_of(target: Target) -> Observables:
  """Observables that the target names, or those of fields."""
  named = getattr(target, 'observables', None)
  return of_fields(target.event_size) if named is None else named()


def measure_observables(draws: Draws, target: Target) -> list[Observable]:
  """Expectations over configurations, at d and 2 d steps on the same latents: those flowed in both.

  Args:
    draws: Samples of the flow; a hundred at least.
    target: What they are samples of; the coupling of an Ising model must not be zero.

  Returns:
    Every observable of the target.

  Raises:
    ValueError: The coupling is zero, where the energy says nothing, or there are few samples.
  """
  num_samples = len(draws.fine.values)
  moments, statistics = observables_of(target)
  if num_samples < 100:
    raise ValueError(f'`draws` must hold at least 100 samples, got {num_samples}.')
  coarse, fine = (
    (moments(estimate.values[:num_samples]), -estimate.free_energies[:num_samples])
    for estimate in (draws.coarse, draws.fine)
  )
  return [_observable(name, f, coarse, fine) for name, f in statistics.items()]


def _observable(
  name: str,
  statistic: Statistic,
  coarse: tuple[np.ndarray, np.ndarray],
  fine: tuple[np.ndarray, np.ndarray],
) -> Observable:
  rough, reweighted = (samplers.expectation(*pair, statistic) for pair in (coarse, fine))
  raw = samplers.expectation(fine[0], None, statistic)
  return Observable(name, raw, reweighted, abs(rough.value - reweighted.value))
