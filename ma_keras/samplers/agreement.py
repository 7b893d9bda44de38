"""How well a model agrees with its target, by samples of both: what reverse KL hides, and what not.

With ln w = -E(x) - ln q(x), q the model and p = exp(-E)/Z the target: samples of q never come to
modes that q has missed, samples of p do.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from ma_keras.samplers.hamiltonian import mean_over_chains
from ma_keras.samplers.importance import estimate
from ma_keras.samplers.reweighting import Expectation, expectation


@dataclasses.dataclass(frozen=True)
class Agreement:
  """Measures of a model against chains of its target.

  Attributes:
    reverse_ess: (sum w)^2/(n sum w^2) of n samples of the model, none left out.
    num_samples: n.
    forward_ess: Z/E_p[w] by samples of the target, 1/(<w> <1/w>); the jackknife over chains.
    num_target_samples: Samples of the target, all chains together.
    reverse_kl: KL(q || p) = ln Z - <ln w>_q, nats, with the error of ln Z.
    forward_kl: KL(p || q) = <ln w>_p - ln Z, nats: the negative log likelihood less the entropy.
    energy_distance: Wasserstein-2 distance of the energies of both, kT.
  """

  reverse_ess: float
  num_samples: int
  forward_ess: Expectation
  num_target_samples: int
  reverse_kl: Expectation
  forward_kl: Expectation
  energy_distance: float

  def doubts(self) -> str:
    """Says in one line why a measure is not to be trusted; empty if nothing speaks against."""
    forward = self.forward_ess
    if forward.error <= 0.5 * forward.value:
      return ''
    percent = f'{100 * forward.value:.3g} +- {100 * forward.error:.2g} %'
    return (
      f'the forward effective sample size, {percent}, '
      f'is ruled by a few of {self.num_target_samples} samples of the target, to which the model '
      'gives next to no mass: train it on likelihood for longer, or with more samples.'
    )


def agreement(
  log_weights: np.ndarray,
  energies: np.ndarray,
  target_log_weights: np.ndarray,
  target_energies: np.ndarray,
  log_partition: Expectation,
) -> Agreement:
  """Measures a model by samples of its own and by chains of the target.

  Args:
    log_weights: ln w of independent samples of the model, [n].
    energies: E of those, [n].
    target_log_weights: ln w of samples of the target along independent chains, [S, C], C >= 2.
    target_energies: E of those, [S, C].
    log_partition: ln Z and its error.

  Returns:
    All measures.

  Raises:
    ValueError: A value is not finite, or there are fewer than two samples or chains.
  """
  log_weights = np.asarray(log_weights, np.float64)
  target_log_weights = np.asarray(target_log_weights, np.float64)
  reverse = estimate(log_weights)  # Refuses what is not finite.
  forward = forward_effective_sample_size(target_log_weights)
  mean = mean_over_chains(target_log_weights)
  spread = float(np.std(log_weights, ddof=1) / np.sqrt(log_weights.size))
  return Agreement(
    reverse_ess=reverse.effective_sample_size,
    num_samples=log_weights.size,
    forward_ess=forward,
    num_target_samples=target_log_weights.size,
    reverse_kl=_difference(log_partition, Expectation(float(log_weights.mean()), spread)),
    forward_kl=_difference(mean, log_partition),
    energy_distance=quantile_distance(energies, target_energies),
  )


def forward_effective_sample_size(log_weights: np.ndarray) -> Expectation:
  """Z/E_p[w] = 1/(<w>_p <1/w>_p), in (0, 1], by samples of the target, and its error.

  It equals (E_q w)^2/E_q w^2, and knows of modes that the model has missed (Nicoli et al. 2023,
  arXiv:2302.14082).

  Args:
    log_weights: ln w along independent chains of the target, [S, C], C >= 2.

  Returns:
    The fraction, by the jackknife over chains.

  Raises:
    ValueError: There are fewer than two chains, or a value is not finite.
  """
  log_weights = np.asarray(log_weights, np.float64)
  if log_weights.ndim != 2 or log_weights.shape[1] < 2 or not np.all(np.isfinite(log_weights)):
    raise ValueError(
      '`log_weights` must have shape [samples, chains], two chains at least, all finite, got '
      f'{list(log_weights.shape)}, of which {np.count_nonzero(~np.isfinite(log_weights))} are not '
      'finite.'
    )
  centred = (log_weights - np.median(log_weights)).T.ravel()  # Chain by chain: a block each.
  moments = np.exp(np.stack([centred, -centred], axis=-1))
  return expectation(moments, None, _inverse_product, blocks=log_weights.shape[1])


def quantile_distance(first: np.ndarray, second: np.ndarray) -> float:
  """Wasserstein-2 distance of numbers: (integral_0^1 (F^-1(u) - G^-1(u))^2 du)^(1/2).

  Args:
    first: Numbers of any shape.
    second: Numbers of any shape; their count may differ.

  Returns:
    The distance of the two empirical distributions, exactly.

  Raises:
    ValueError: One is empty, or a value is not finite.
  """
  x, y = (np.sort(np.asarray(values, np.float64), axis=None) for values in (first, second))
  for name, values in (('first', x), ('second', y)):
    if not values.size or not np.all(np.isfinite(values)):
      raise ValueError(f'`{name}` must hold finite numbers, one at least, got {values.size}.')
  levels = np.unique(np.concatenate([_levels(x.size), _levels(y.size)]))
  middle = (levels[1:] + levels[:-1]) / 2
  gap = x[(middle * x.size).astype(int)] - y[(middle * y.size).astype(int)]
  return float(np.sqrt(np.sum(np.diff(levels) * gap**2)))


def _levels(n: int) -> np.ndarray:
  """0, 1/n, ..., 1."""
  return np.arange(n + 1) / n


def _inverse_product(means: np.ndarray) -> float:
  return float(1.0 / (means[0] * means[1]))


def _difference(first: Expectation, second: Expectation) -> Expectation:
  """The difference of two independent estimates."""
  return Expectation(first.value - second.value, float(np.hypot(first.error, second.error)))
