"""Expectations under the target, out of weighted samples of a model, with their errors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass(frozen=True)
class Expectation:
  """A number and its standard error.

  Attributes:
    value: The estimate.
    error: Its standard error, by the jackknife over blocks of samples.
  """

  value: float
  error: float


def expectation(
  samples: np.ndarray,
  log_weights: np.ndarray | None = None,
  statistic: Callable[[np.ndarray], float] = lambda means: float(means[0]),
  blocks: int = 100,
) -> Expectation:
  """f(<O>) with <O> = sum w O / sum w: means, variances, ratios and other functions of means.

  The jackknife leaves out one block of samples at a time: it takes care of correlations between
  numerator, denominator and the several means, and of those along a chain if blocks are long.

  Args:
    samples: O, one row of observables per sample, shape [n, k] (or [n], for one of them).
    log_weights: ln w, shape [n]; None weighs all alike.
    statistic: f, from the weighted means [k] to a number; the first mean by default.
    blocks: How many; at most n.

  Returns:
    The estimate with its error.

  Raises:
    ValueError: Shapes do not fit, there are fewer samples than blocks, or a value is not finite.
  """
  samples = np.asarray(samples, np.float64)
  samples = samples[:, np.newaxis] if samples.ndim == 1 else samples
  n = len(samples)
  log_weights = np.zeros(n) if log_weights is None else np.asarray(log_weights, np.float64)
  if log_weights.shape != (n,) or not 2 <= blocks <= n:
    raise ValueError(
      f'`log_weights` must have shape [{n}] and `blocks` lie in 2..{n}, got '
      f'{list(log_weights.shape)} and {blocks}.'
    )
  if not (np.all(np.isfinite(samples)) and np.all(np.isfinite(log_weights))):
    raise ValueError('`samples` and `log_weights` must be finite: a flow that diverges has none.')
  weights = np.exp(log_weights - log_weights.max())[:, np.newaxis]
  starts = np.arange(blocks) * n // blocks
  sums = np.add.reduceat(weights * samples, starts)
  norms = np.add.reduceat(weights, starts)
  total, norm = sums.sum(axis=0), norms.sum()
  without = (total - sums) / (norm - norms)
  left_out = np.array([statistic(means) for means in without])
  error = np.sqrt((blocks - 1) * np.mean((left_out - left_out.mean()) ** 2))
  return Expectation(float(statistic(total / norm)), float(error))
