"""W2^2 of two distributions from their samples: bounds from both sides, and an estimate between."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ma_keras.arguments import is_whole
from ma_keras.transport.bures import Gaussian

MOST_PIVOTS = 10**7  # Of the network simplex.
SHRINKAGE = 1e-3  # Part of a covariance's mean eigenvalue that is added to all of them.
LARGEST = 1024  # Coordinates whose covariance is taken apart; of more, the diagonal.


class Estimate(NamedTuple):
  """A mean with its standard error.

  Attributes:
    value: The mean.
    error: Its standard error over independent batches or points.
  """

  value: float
  error: float

  def __str__(self) -> str:
    """The mean, in as many digits as its error allows, and the error."""
    if not 0 < self.error < np.inf:
      return f'{self.value:.4g} +- {self.error:.1g}'
    digits = max(1 - int(np.floor(np.log10(self.error))), 0)
    return f'{self.value:.{digits}f} +- {self.error:.{digits}f}'

  @classmethod
  def of(cls, values: np.ndarray) -> Estimate:
    """Mean of independent values [k]; the error of a single one is infinite."""
    values = np.asarray(values, np.float64)
    error = np.std(values, ddof=1) / np.sqrt(values.size) if values.size > 1 else np.inf
    return cls(float(np.mean(values)), float(error))


@dataclasses.dataclass(frozen=True)
class SquaredDistance:
  """W2^2(P, Q) = min E|x - y|^2 over couplings of x ~ P and y ~ Q, from samples of both.

  No estimate from finitely many samples is unbiased; bounds are. `lower` and `upper` have means
  below and above W2^2 whatever the distributions; `debiased` lies between, and what bias it has
  left is not known.

  Attributes:
    num_points: m, points of each side in one discrete problem.
    num_batches: Independent batches that the errors are over.
    lower: The dual value of a convex quadratic, fitted to other points: E <= W2^2.
    upper: Exact W2^2 of m points of P and m of Q: E >= W2^2, since W2^2 is convex.
    debiased: `upper` less what m points of one distribution are from m others of it: its bias is
      smaller, and of unknown sign.
  """

  num_points: int
  num_batches: int
  lower: Estimate
  upper: Estimate
  debiased: Estimate

  def __str__(self) -> str:
    """The three in one line."""
    return (
      f'W2^2 = {self.debiased} (debiased, {self.num_points} points), '
      f'>= {self.lower} (quadratic dual), <= {self.upper} (biased upwards)'
    )


def discrete_squared_distance(x: Any, y: Any) -> float:
  """min sum_ij p_ij |x_i - y_j|^2 over plans p with marginals 1/n and 1/m, exactly, by POT.

  Args:
    x: Points, [n, N].
    y: Points, [m, N].

  Returns:
    W2^2 of the two clouds, in float64.

  Raises:
    ModuleNotFoundError: POT is not installed.
    RuntimeError: The network simplex did not reach the optimum, which its dual tells.
    ValueError: The clouds are empty, not finite, or of different dimensions.
  """
  x, y = _checked(x, y)
  ot = _pot()
  a, b = (np.full(len(points), 1.0 / len(points)) for points in (x, y))
  centre = np.mean(x, axis=0)  # Distances of far-off clouds would round.
  cost = ot.dist(x - centre, y - centre, metric='sqeuclidean')
  value, log = ot.emd2(a, b, cost, numItermax=MOST_PIVOTS, log=True)
  gap = abs(value - a @ log['u'] - b @ log['v'])
  if log['warning'] or not gap <= 1e-6 * (abs(value) + np.max(cost)):
    raise RuntimeError(
      f'The exact transport of {len(x)} to {len(y)} points did not reach its optimum (duality gap '
      f'{gap:.2g}): {log["warning"]}. Take fewer points.'
    )
  return float(value)


def squared_distance(x: Any, y: Any, num_batches: int = 4) -> SquaredDistance:
  """W2^2 of the distributions that independent samples x and y are from: see `SquaredDistance`.

  Batch k has halves x1, x2 of its points of P and y1, y2 of Q, and with W = W2^2 of clouds

      upper_k = [W(x1, y1) + W(x2, y2)] / 2,
      debiased_k = upper_k - [W(x1, x2) + W(y1, y2)] / 2.

  Args:
    x: Independent samples of P, [n, N].
    y: Independent samples of Q, [m, N], independent of x.
    num_batches: At least 2; n and m are cut into twice as many clouds of equal size.

  Returns:
    Bounds and estimate with their errors.

  Raises:
    ModuleNotFoundError, RuntimeError: See `discrete_squared_distance`.
    ValueError: See there; or there are fewer than two batches or two points in a cloud.
  """
  x, y = _checked(x, y)
  size = min(len(x), len(y)) // (2 * num_batches) if is_whole(num_batches, least=2) else 0
  if size < 2:
    raise ValueError(
      '`num_batches` must be at least 2, with 4 points of x and of y for each, got '
      f'{num_batches!r} and {len(x)}, {len(y)} points.'
    )
  clouds = [z[: 2 * num_batches * size].reshape(num_batches, 2, size, -1) for z in (x, y)]
  uppers: list[list[float]] = []
  biases: list[list[float]] = []
  for (x1, x2), (y1, y2) in zip(*clouds):
    uppers.append([discrete_squared_distance(*pair) for pair in ((x1, y1), (x2, y2))])
    biases.append([discrete_squared_distance(*pair) for pair in ((x1, x2), (y1, y2))])
  upper, bias = np.mean(uppers, axis=1), np.mean(biases, axis=1)
  return SquaredDistance(
    num_points=size,
    num_batches=int(num_batches),
    lower=quadratic_bound(x, y),
    upper=Estimate.of(upper),
    debiased=Estimate.of(upper - bias),
  )


def quadratic_bound(x: Any, y: Any) -> Estimate:
  """An unbiased estimate of a lower bound of W2^2, exact between Gaussians as samples grow.

  By weak duality W2^2 >= E[|x|^2 - 2 u(x)] + E[|y|^2 - 2 u*(y)] for every convex u with conjugate
  u*. Here u' = A x + b is the optimal map of Gaussians that have mean and covariance of one half of
  the samples, and the means are over the other half; then the halves change places. (Gelbrich's
  formula of sample covariances itself is biased upwards, and no bound of few samples.)

  Args:
    x: Independent samples of P, [n, N], n at least 4.
    y: Independent samples of Q, [m, N], independent of x, m at least 4.

  Returns:
    The bound with its standard error over samples.
  """
  x, y = _checked(x, y)
  if min(len(x), len(y)) < 4:
    raise ValueError(f'`x` and `y` must have four points at least, got {len(x)} and {len(y)}.')
  halves = [(z[: len(z) // 2], z[len(z) // 2 :]) for z in (x, y)]
  terms: list[list[np.ndarray]] = [[], []]
  for fitted in (0, 1):
    potential = _quadratic(*(half[fitted] for half in halves))
    for side, values in zip(terms, potential.dual(*(half[1 - fitted] for half in halves))):
      side.append(values)
  first, second = (Estimate.of(np.concatenate(side)) for side in terms)
  return Estimate(first.value + second.value, float(np.hypot(first.error, second.error)))


class _Quadratic(NamedTuple):
  """u(x) = (x - m1) A (x - m1)/2 + m2.x, convex.

  Attributes:
    means: m1 and m2, [N] each.
    product: Rows v [n, N] -> v A.
    quotient: Rows v [n, N] -> v A^-1.
  """

  means: tuple[np.ndarray, np.ndarray]
  product: Callable[[np.ndarray], np.ndarray]
  quotient: Callable[[np.ndarray], np.ndarray]

  def dual(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """|x|^2 - 2 u(x), [n], and |y|^2 - 2 u*(y), [m], about m1, which changes no distance."""
    first, second = self.means
    x, z = x - first, y - second
    u = np.sum(x * self.product(x), axis=1) / 2 + x @ (second - first)
    conjugate = np.sum(z * self.quotient(z), axis=1) / 2
    return np.sum(x * x, axis=1) - 2 * u, np.sum((y - first) ** 2, axis=1) - 2 * conjugate


def _quadratic(x: np.ndarray, y: np.ndarray) -> _Quadratic:
  """The potential of the optimal map of Gaussians with the moments of two samples.

  Covariances are shrunk, so that they are positive definite however few samples there are; of
  many coordinates they are taken for diagonal.
  """
  means = np.mean(x, axis=0), np.mean(y, axis=0)
  if x.shape[1] > LARGEST:
    variances = [_shrunk(np.var(z, axis=0)) for z in (x, y)]
    ratio = np.sqrt(variances[1] / variances[0])
    return _Quadratic(means, lambda v: v * ratio, lambda v: v / ratio)
  first, second = (
    Gaussian(mean, _shrunk(Gaussian.of_samples(z).covariance)) for mean, z in zip(means, (x, y))
  )
  matrix = first.optimal_map(second).matrix
  return _Quadratic(means, lambda v: v @ matrix, lambda v: np.linalg.solve(matrix, v.T).T)


def _shrunk(covariance: np.ndarray) -> np.ndarray:
  """A covariance [N, N], or its diagonal [N], with a part of its mean eigenvalue added."""
  diagonal = np.diagonal(covariance) if covariance.ndim == 2 else covariance
  ridge = max(SHRINKAGE * float(np.mean(diagonal)), 1e-100)
  return covariance + (ridge * np.eye(len(diagonal)) if covariance.ndim == 2 else ridge)


def _checked(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
  """Both as float64 [n, N], finite and of one dimension."""
  x, y = (np.asarray(points, np.float64) for points in (x, y))
  for name, points in (('x', x), ('y', y)):
    if points.ndim != 2 or not points.size:
      raise ValueError(f'`{name}` must hold points [n, N], got an array of shape {points.shape}.')
    if not np.all(np.isfinite(points)):
      raise ValueError(f'`{name}` holds NaN or infinity.')
  if x.shape[1] != y.shape[1]:
    raise ValueError(
      f'Ends of a transport must have one dimension, got {x.shape[1]} of x and {y.shape[1]} of y.'
    )
  return x, y


def _pot() -> Any:
  """The package POT."""
  try:
    import ot
  except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
      "Exact transport of points needs POT: pip install 'ma_keras[transport]'.", name='ot'
    ) from error
  return ot
