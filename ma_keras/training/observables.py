"""Observables of a trained flow: raw, and reweighted to the target itself."""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from ma_keras import samplers
from ma_keras.targets.ising import Ising
from ma_keras.targets.spins import CoupledSpins
from ma_keras.targets.target import Target
from ma_keras.training.draws import Draws

Statistic = Callable[[np.ndarray], float]


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


def statistics(target: Target) -> dict[str, Statistic]:
  """Name to a function of the means of `moments`, per site and in units of one bond.

  Of spins the energy u and the specific heat c = K^2 N (<u^2> - <u>^2), K = 1 where couplings
  differ; of spins and fields <|m|>, susceptibility N <m^2> (that of a finite lattice, which has no
  order), Binder's cumulant 1 - <m^4>/(3 <m^2>^2), and on a torus the two-point function at
  distances 1 to L/2 along an axis.
  """
  n, k = target.event_size, _bond(target)
  found: dict[str, Statistic] = {}
  if isinstance(target, CoupledSpins):
    found['energy'] = lambda mean: mean[0]
    found['specific heat'] = lambda mean: k**2 * n * (mean[1] - mean[0] ** 2)
  m = len(found)  # Where the moments of m begin.
  found['magnetisation'] = lambda mean: mean[m]
  found['susceptibility'] = lambda mean: n * mean[m + 1]
  found['Binder cumulant'] = lambda mean: 1.0 - mean[m + 2] / (3.0 * mean[m + 1] ** 2)
  for r in _distances(target):
    found[f'two-point function at {r}'] = operator.itemgetter(m + 2 + r)
  return found


def moments(target: Target, values: np.ndarray) -> np.ndarray:
  """(u, u^2,) |m|, m^2, m^4 (, G(1) .. G(L/2)) of every configuration, as `statistics` has them.

  Args:
    target: What they are configurations of.
    values: Spins +-1, or fields, shape [n, N].

  Returns:
    Shape [n, k].
  """
  columns = []
  if isinstance(target, CoupledSpins):
    energy = target.spin_energy(tf.cast(values, target.dtype)).numpy().astype(np.float64)
    u = energy / (_bond(target) * target.event_size)
    columns = [u, u**2]
  m = values.astype(np.float64).mean(axis=-1)
  columns += [np.abs(m), m**2, m**4]
  for r in _distances(target):
    side = math.isqrt(target.event_size)
    square = values.reshape(-1, side, side).astype(np.float64)
    shifted = (np.roll(square, r, axis=1) + np.roll(square, r, axis=2)) / 2
    columns.append((square * shifted).mean(axis=(1, 2)))
  return np.stack(columns, axis=-1)


def _bond(target: Target) -> float:
  """The unit of energies: one bond where all are alike, kT where not."""
  return target.coupling if isinstance(target, Ising) else 1.0


def _distances(target: Target) -> range:
  """Distances of the two-point function: none but on a torus."""
  if getattr(target, 'boundary', None) != 'periodic':
    return range(0)
  return range(1, math.isqrt(target.event_size) // 2 + 1)


def measure_observables(draws: Draws, target: Target) -> list[Observable]:
  """Expectations over configurations, at d and 2 d steps on the same latents: those flowed in both.

  Args:
    draws: Samples of the flow; a hundred at least.
    target: What they are samples of; the coupling of an Ising model must not be zero.

  Returns:
    Those of `statistics`.

  Raises:
    ValueError: The coupling is zero, where the energy says nothing, or there are few samples.
  """
  num_samples = len(draws.fine.values)
  if _bond(target) == 0 or num_samples < 100:
    raise ValueError(
      '`target` must have a coupling and `draws` hold at least 100 samples, got '
      f'{_bond(target)} and {num_samples}.'
    )
  coarse, fine = (
    (moments(target, each.values[:num_samples]), -each.free_energies[:num_samples])
    for each in (draws.coarse, draws.fine)
  )
  return [_observable(name, f, coarse, fine) for name, f in statistics(target).items()]


def _observable(
  name: str,
  statistic: Statistic,
  coarse: tuple[np.ndarray, np.ndarray],
  fine: tuple[np.ndarray, np.ndarray],
) -> Observable:
  rough, reweighted = (samplers.expectation(*pair, statistic) for pair in (coarse, fine))
  raw = samplers.expectation(fine[0], None, statistic)
  return Observable(name, raw, reweighted, abs(rough.value - reweighted.value))
