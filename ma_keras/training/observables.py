"""What the spins of a trained flow do: raw, and reweighted to the Ising model itself."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras import distributions, samplers, seeds
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.distributions import standard_normal_flow
from ma_keras.targets.ising import Ising

Statistic = Callable[[np.ndarray], float]


@dataclasses.dataclass(frozen=True)
class Observable:
  """One expectation over spins.

  Attributes:
    name: What it is.
    raw: Over the model's spins, as they come.
    reweighted: Over those of the Ising model, by importance weights.
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


def statistics(target: Ising) -> dict[str, Statistic]:
  """Name to a function of the means of `moments`, per spin and in units of one bond.

  Energy u, specific heat c = K^2 N (<u^2> - <u>^2), <|m|>, susceptibility N <m^2> (that of a finite
  lattice, which has no order), Binder's cumulant 1 - <m^4>/(3 <m^2>^2), and on a torus the
  two-point function at distances 1 to L/2 along an axis.
  """
  n, k = target.event_size, target.coupling
  found: dict[str, Statistic] = {
    'energy': lambda mean: mean[0],
    'specific heat': lambda mean: k**2 * n * (mean[1] - mean[0] ** 2),
    'magnetisation': lambda mean: mean[2],
    'susceptibility': lambda mean: n * mean[3],
    'Binder cumulant': lambda mean: 1.0 - mean[4] / (3.0 * mean[3] ** 2),
  }
  if target.boundary == 'periodic':
    for r in range(1, target.side // 2 + 1):
      found[f'two-point function at {r}'] = operator.itemgetter(4 + r)
  return found


def moments(target: Ising, spins: np.ndarray) -> np.ndarray:
  """u, u^2, |m|, m^2, m^4 and, on a torus, G(1) .. G(L/2) of every configuration.

  Args:
    target: The lattice.
    spins: +-1, shape [n, N].

  Returns:
    Shape [n, 5], or [n, 5 + L/2].
  """
  energy = target.spin_energy(tf.cast(spins, target.dtype)).numpy().astype(np.float64)
  u = energy / (target.coupling * target.event_size)
  square = spins.reshape(-1, target.side, target.side).astype(np.float64)
  m = square.mean(axis=(1, 2))
  columns = [u, u**2, np.abs(m), m**2, m**4]
  if target.boundary == 'periodic':
    for r in range(1, target.side // 2 + 1):
      shifted = (np.roll(square, r, axis=1) + np.roll(square, r, axis=2)) / 2
      columns.append((square * shifted).mean(axis=(1, 2)))
  return np.stack(columns, axis=-1)


def measure_observables(
  bijector: MongeAmpereBijector, target: Ising, num_samples: int, batch_size: int, seed: int
) -> list[Observable]:
  """Expectations over the spins of fresh samples, at d and 2 d steps on the same latents.

  Args:
    bijector: The flow.
    target: The Ising model, its coupling not zero.
    num_samples: Rounded up to whole batches; a hundred at least.
    batch_size: Samples flowed at once.
    seed: Non-negative integer.

  Returns:
    Those of `statistics`.

  Raises:
    ValueError: The coupling is zero, where the energy says nothing, or there are few samples.
  """
  if target.coupling == 0 or num_samples < 100:
    raise ValueError(
      '`target` must have a coupling and `num_samples` be at least 100, got '
      f'{target.coupling} and {num_samples}.'
    )
  evaluate = _evaluator(bijector, target, batch_size)
  keys = seeds.split(seed, -(-num_samples // batch_size), salt='observables')
  draws = [evaluate(key) for key in keys]
  coarse, fine = (_gathered(target, [draw[i] for draw in draws]) for i in (0, 1))
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


def _gathered(target: Ising, draws: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
  """Moments and log weights of all batches."""
  spins, log_weights = (np.concatenate([d[i].numpy() for d in draws]) for i in (0, 1))
  return moments(target, spins), log_weights


def _evaluator(
  bijector: MongeAmpereBijector, target: Ising, batch_size: int
) -> Callable[[tf.Tensor], Any]:
  """seed -> (spins, ln w) of one batch at d, and the same at 2 d steps."""

  @tf.function(autograph=False)
  def evaluate(seed: tf.Tensor) -> Any:
    samples = seeds.PerSample(seed, tf.range(batch_size), batch_size)
    latent_seed, flow_seed = seeds.split(samples, 2, salt='evaluate')
    latents = seeds.normal([target.event_size], latent_seed, bijector.dtype)
    spin_seed = seeds.stateless(seed, salt='observables')
    coarse = bijector.with_seed(flow_seed)
    found = []
    for each in (coarse, coarse.refined()):
      x, log_prob = distributions.push_forward(standard_normal_flow(each), latents)
      spins = tf.cast(target.sample_spins(x, spin_seed), tf.int8)
      found.append((spins, tf.cast(-target.energy(x) - log_prob, tf.float64)))
    return tuple(found)

  return evaluate
