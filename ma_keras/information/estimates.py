"""Means of log density ratios over samples, with their standard errors."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.special

NEIGHBOURS = 10


class Estimate(NamedTuple):
  """An expectation over samples.

  Attributes:
    nats: Mean over the samples.
    error: Its standard error.
  """

  nats: float
  error: float

  @classmethod
  def of(cls, values: np.ndarray) -> Estimate:
    """Mean of independent values [n], and its standard error."""
    return cls(float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values))))

  def __str__(self) -> str:
    """The result in one line."""
    return f'{self.nats:.4f} +- {self.error:.2g} nats'


def mutual_information(conditional: Any, marginal: Any) -> Estimate:
  """I(X; Y) = E[ln p(y | x) - ln p(y)] of pairs (x, y).

  ```python
  mutual_information(given_x.log_prob(y, context=x), flow.log_prob(y))
  ```

  The error is that of the mean over pairs. Where both densities are learnt, E KL(p(y | x) | q(y |
  x)) is missing from the value and KL(p(y) | q(y)) too much in it; pairs must be none of the
  training.

  Args:
    conditional: ln p(y | x), nats, [n].
    marginal: ln p(y) of the same y, [n].

  Raises:
    ValueError: They are not as many finite numbers, two at least.
  """
  conditional, marginal = _finite('conditional', conditional), _finite('marginal', marginal)
  if conditional.shape != marginal.shape or conditional.ndim != 1 or len(marginal) < 2:
    raise ValueError(
      '`conditional` and `marginal` must be log densities of the same points, [n] with n of 2 or '
      f'more, got {list(conditional.shape)} and {list(marginal.shape)}.'
    )
  return Estimate.of(conditional - marginal)


def total_correlation(log_prob: Any, x: Any, neighbours: int = NEIGHBOURS) -> Estimate:
  """C(X) = sum_i H(X_i) - H(X) = E[ln p(x) - sum_i ln p_i(x_i)]: zero of independent coordinates.

  ln p is that of a flow, exact; ln p_i of one coordinate is estimated from the points
  (`marginal_log_probs`). Where the flow q is learnt, the value is less than C by KL(p | q). Of
  latents under a base of independent coordinates it is no more than minus the sum of KL(Z_i |
  base), whatever they have in common: use `correlation_bound`.

  Args:
    log_prob: ln p(x), nats, [n].
    x: The same points, [n, N].
    neighbours: k of the marginals.

  Raises:
    ValueError: See `marginal_log_probs`; or the log densities are not n finite numbers.
  """
  marginals, log_prob = marginal_log_probs(x, neighbours), _finite('log_prob', log_prob)
  if log_prob.shape != marginals.shape[:1]:
    raise ValueError(
      f'`log_prob` must be those of the {len(marginals)} points, got {list(log_prob.shape)}.'
    )
  return Estimate.of(log_prob - np.sum(marginals, axis=-1))


def marginal_log_probs(x: Any, neighbours: int = NEIGHBOURS) -> np.ndarray:
  """ln p_i(x_i) of every coordinate, [n, N], by the distance r to its k-th neighbour.

  ln p(x) = psi(k) - psi(n) - ln 2 r, which has no bias where p is even within r (Kozachenko &
  Leonenko 1987).

  Args:
    x: Points, [n, N].
    neighbours: k: more are less noisy and see less detail.

  Raises:
    ValueError: `x` is no table of finite numbers with more than k rows, or has ties.
  """
  x = _finite('x', x)
  if x.ndim != 2 or not 0 < neighbours < len(x):
    raise ValueError(
      f'`x` must be points [n, N] with more rows than `neighbours`, got {list(x.shape)} and '
      f'{neighbours}.'
    )
  distances = np.stack([_distance(column, neighbours) for column in x.T], axis=-1)
  tied = np.flatnonzero(np.any(distances == 0, axis=0))
  if tied.size:
    raise ValueError(
      f'`x` has more than {neighbours} equal numbers in column {tied[0]}, of which no density is '
      'bounded: add noise of a cell, data.dequantised.'
    )
  constant = scipy.special.digamma(neighbours) - scipy.special.digamma(len(x))
  return constant - np.log(2 * distances)


def _distance(values: np.ndarray, neighbours: int) -> np.ndarray:
  """Distance of every value to its k-th neighbour: the least r with k others within, [n]."""
  order = np.argsort(values, kind='stable')
  padding = np.full(neighbours, np.inf)
  ranked = np.concatenate([-padding, values[order], padding])
  middle = ranked[neighbours:-neighbours]
  best = np.full(len(values), np.inf)
  for below in range(neighbours + 1):  # So many of the k neighbours lie below.
    start = neighbours - below
    low = ranked[start : start + len(values)]
    high = ranked[start + neighbours : start + neighbours + len(values)]
    best = np.minimum(best, np.maximum(middle - low, high - middle))
  distances = np.empty(len(values))
  distances[order] = best
  return distances


def _finite(name: str, values: Any) -> np.ndarray:
  array = np.asarray(values, np.float64)
  if not np.all(np.isfinite(array)):
    raise ValueError(f'`{name}` holds NaN or infinity: leave such points out, and say how many.')
  return array
