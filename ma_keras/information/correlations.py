"""Information that correlations of normal scores prove: bounds from below without any density.

The normal score of a coordinate is s = Phi^-1(rank / (n + 1)): a monotone map of it, which changes
no information. Of all laws with normal coordinates and correlations R the normal one has the most
entropy, hence C(X) >= -ln det R / 2, with equality if the copula of X is Gaussian.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.special
import scipy.stats

from ma_keras.information.estimates import Estimate

ROUNDING = 1e-10  # Of the least eigenvalue of correlations.


class PairwiseInformation(NamedTuple):
  """Mutual information of all pairs of coordinates that a statistic of theirs proves.

  Attributes:
    nats: By correlations -ln(1 - rho_ij^2) / 2, by ranks that of a histogram, less its mean under
      independence; [N, N], zero on the diagonal.
    noise: Standard deviation of an entry under independence; by correlations 1/(sqrt(2) n).
  """

  nats: np.ndarray
  noise: float


def normal_scores(x: Any) -> np.ndarray:
  """Phi^-1(rank / (n + 1)) of every coordinate of points [n, N]; ties have their mean rank.

  Raises:
    ValueError: `x` is no table of finite numbers with three rows or more, or a column is constant.
  """
  x = np.asarray(x, np.float64)
  if x.ndim != 2 or len(x) < 3 or not np.all(np.isfinite(x)):
    raise ValueError(f'`x` must be three or more finite points [n, N], got {list(x.shape)}.')
  check_varying(x)
  return scipy.special.ndtri(scipy.stats.rankdata(x, axis=0) / (len(x) + 1))


def check_varying(x: np.ndarray) -> None:
  """Raises ValueError if a column of points [n, N] is constant."""
  constant = np.flatnonzero(np.ptp(x, axis=0) == 0)
  if constant.size:
    raise ValueError(f'`x` does not vary in column {constant[0]}, which has no rank: leave it out.')


def correlation_bound(x: Any) -> Estimate:
  """-ln det R / 2, no more than the total correlation of X, R that of its normal scores.

  Its mean excess over the truth, exact of normal points, is taken off: sum_j [psi((n - 1) / 2) -
  psi((n - j) / 2)] / 2, j = 1..N. So independent coordinates have zero on average, and less at
  times.

  Args:
    x: Points, [n, N], n - 1 > N.

  Raises:
    ValueError: See `normal_scores`; or there are too few points.
  """
  scores = normal_scores(x)
  count, size = scores.shape
  if count - 1 <= size:
    raise ValueError(
      f'`x` has {count} points of {size} coordinates, whose correlations are singular: at least '
      f'{size + 2} are needed, and many more to say much.'
    )
  scores = (scores - scores.mean(axis=0)) / scores.std(axis=0)
  correlations = scores.T @ scores / count
  values, vectors = np.linalg.eigh(correlations)
  if values[0] < ROUNDING:
    column = int(np.argmax(np.abs(vectors[:, 0])))
    raise ValueError(
      f'`x` has column {column} that is a function of others, up to rounding: their information is '
      'without bound. Leave it out.'
    )
  factor = np.linalg.cholesky(correlations)
  whitened = np.linalg.solve(factor, scores.T)  # [N, n]
  log_det = 2 * np.sum(np.log(np.diag(factor)))
  terms = 0.5 * (np.sum(scores**2, axis=-1) - np.sum(whitened**2, axis=0) - log_det)
  degrees = count - np.arange(1, size + 1)
  excess = 0.5 * np.sum(scipy.special.digamma((count - 1) / 2) - scipy.special.digamma(degrees / 2))
  estimate = Estimate.of(terms)
  return Estimate(estimate.nats - float(excess), estimate.error)


def pairwise(x: Any) -> PairwiseInformation:
  """Mutual information of all pairs of coordinates, at least: what a picture of N x N shows.

  Args:
    x: Points, [n, N].

  Raises:
    ValueError: See `normal_scores`.
  """
  scores = normal_scores(x)
  correlations = np.atleast_2d(np.corrcoef(scores, rowvar=False))
  np.fill_diagonal(correlations, 0.0)
  with np.errstate(divide='ignore'):  # Coordinates that are functions of each other.
    nats = -0.5 * np.log1p(-np.minimum(correlations**2, 1.0)) - 0.5 / len(scores)
  np.fill_diagonal(nats, 0.0)
  return PairwiseInformation(nats, 1 / (np.sqrt(2) * len(scores)))
