"""A Gaussian mixture with as many components, and as much regularisation, as held-out rows say."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from ma_keras import bases
from ma_keras.fitting.gaussian import Gaussian, folds
from ma_keras.fitting.settings import seed_of_try

COVARIANCES = ('full', 'tied')
SIZES = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32)
# Added to variances of whitened rows, where rows for a column are few and where they are many,
REGULARISATIONS, MANY_ROWS = (1e-2, 1e-3), 50
FACTORS = (0.1, 10.0)  # and, for the best size, so many times that.
SIGMAS = 2.0  # Standard errors by which held-out rows must prefer a mixture to a Gaussian.
RESTARTS = 4  # Of the final fit.
LEAST_ROWS = 10  # For every component.
MOST_COLUMNS = 128
MOST_ROWS = 5_000  # So many choose the size,
MOST_FITTED = 50_000  # and so many are fitted in the end.
CROSS_VALIDATED = 2_000  # Above, one part of five is held out, and nothing is repeated.
PATIENCE = 2  # Sizes without gain after which none is larger.

# Training and held-out rows, whitened by the former, and the matrix to standardised coordinates.
Fold = tuple[np.ndarray, np.ndarray, np.ndarray]
Options = tuple[int, str, float]  # Components, type of covariance, regularisation.


def choose(
  rows: np.ndarray, gaussian: Gaussian, seed: int = 0, held_out: np.ndarray | None = None
) -> GaussianMixture | None:
  """The mixture of whitened rows under which held-out rows are likeliest; None: no better than one.

  It must be better than one Gaussian by two standard errors of the rows' differences: few rows
  prefer something by chance. Every fold is whitened by itself, so that Normal(0, I), which stands
  for the single Gaussian, is judged as the mixtures are.

  Args:
    rows: Shape [n, N].
    gaussian: Fitted to them; its shrinkage is that of the folds.
    seed: Non-negative integer.
    held_out: Further rows, [m, N], which choose among several starts of the fit; without them the
      likelihood of `rows` does.

  Returns:
    A fitted scikit-learn mixture of `gaussian.whitened(rows)`, or None.
  """
  number, size = rows.shape
  if size > MOST_COLUMNS or number < 2 * LEAST_ROWS:
    return None
  rng = np.random.default_rng(seed)
  few = rows if number <= MOST_ROWS else rows[rng.choice(number, MOST_ROWS, replace=False)]
  parts = folds(len(few), seed)[: None if len(few) <= CROSS_VALIDATED else 1]
  fold_pairs = [_whitened(few, train, held, gaussian.shrinkage) for train, held in parts]
  regularisation = REGULARISATIONS[number > MANY_ROWS * size]
  sized = [_best_size(fold_pairs, covariance, regularisation, seed) for covariance in COVARIANCES]
  options, densities = max(sized, key=lambda pair: np.mean(pair[1]))
  for factor in FACTORS:
    other = (*options[:2], regularisation * factor)
    values = _held_out(fold_pairs, other, seed)
    if np.mean(values) > np.mean(densities):
      options, densities = other, values
  gains = densities - _of_normal(fold_pairs)
  if not np.mean(gains) > SIGMAS * np.std(gains) / np.sqrt(len(gains)):
    return None
  return _best_of_starts(rows, gaussian, options, seed, held_out)


def _best_of_starts(
  rows: np.ndarray,
  gaussian: Gaussian,
  options: Options,
  seed: int,
  held_out: np.ndarray | None = None,
) -> GaussianMixture:
  """The mixture of these options, the best of several starts; arguments as of `choose`."""
  if len(rows) > MOST_FITTED:
    numbers = np.random.default_rng(seed).choice(len(rows), MOST_FITTED, replace=False)
    rows = rows[numbers]
  whitened = gaussian.whitened(rows)
  starts = [
    fitted(whitened, options, seed_of_try(seed, k), gaussian.standardising) for k in range(RESTARTS)
  ]
  judges = whitened if held_out is None else gaussian.whitened(held_out[:MOST_FITTED])
  return max(starts, key=lambda start: float(start.score(judges)))


def as_base(mixture: GaussianMixture | None, dtype: object) -> bases.Mixture | None:
  """The mixture as a TFP distribution."""
  if mixture is None:
    return None
  covariances = mixture.covariances_
  if mixture.covariance_type == 'tied':
    covariances = np.broadcast_to(covariances, (mixture.n_components, *covariances.shape))
  scale_tril = np.linalg.cholesky(covariances)
  return bases.Mixture(mixture.weights_, mixture.means_, scale_tril, dtype)


def _whitened(rows: np.ndarray, train: np.ndarray, held_out: np.ndarray, shrinkage: float) -> Fold:
  """Both parts of a fold."""
  fold = Gaussian.fitted(rows[train], shrinkage=shrinkage)
  return fold.whitened(rows[train]), fold.whitened(rows[held_out]), fold.standardising


def _of_normal(fold_pairs: list[Fold]) -> np.ndarray:
  """Log densities of held-out rows under Normal(0, I), [n]."""
  held_out = np.concatenate([held_out for _, held_out, _ in fold_pairs])
  return -0.5 * np.sum(np.square(held_out), axis=1) - 0.5 * held_out.shape[1] * np.log(2 * np.pi)


def _best_size(
  fold_pairs: list[Fold], covariance: str, regularisation: float, seed: int
) -> tuple[Options, np.ndarray]:
  """The options with the best number of components, and log densities of held-out rows, [n]."""
  best: tuple[Options, np.ndarray] | None = None
  without_gain = 0
  for size in SIZES:
    if best and size * LEAST_ROWS > min(len(train) for train, _, _ in fold_pairs):
      break
    options = (size, covariance, regularisation)
    values = _held_out(fold_pairs, options, seed)
    without_gain += 1
    if best is None or np.mean(values) > np.mean(best[1]):
      best, without_gain = (options, values), 0
    if without_gain >= PATIENCE:
      break
  assert best
  return best


def _held_out(fold_pairs: list[Fold], options: Options, seed: int) -> np.ndarray:
  """Log densities of held-out rows, fold by fold, [n]."""
  return np.concatenate(
    [fitted(train, options, seed, frame).score_samples(held) for train, held, frame in fold_pairs]
  )


def fitted(
  rows: np.ndarray, options: Options, seed: int, frame: np.ndarray | None = None
) -> GaussianMixture:
  """Fits a mixture by expectation maximisation, which may end before it has converged.

  It begins at clusters of the rows, by k-means. Expectation maximisation is the same in all affine
  coordinates and k-means is not: modes that stand apart along one of many columns are lost on it
  where all directions have been whitened. So it has two tries, and the likelier clusters are taken.

  Args:
    rows: Shape [n, N].
    options: Number of components, type of covariance, what is added to variances.
    seed: Non-negative integer.
    frame: Matrix from the rows to other coordinates, [N, N]; None for the rows' own alone.
  """
  starts = [_clusters(rows, rows, options, seed)]
  if frame is not None:
    starts.append(_clusters(rows, rows @ frame.T, options, seed))
    starts = [max(starts, key=lambda start: _em(rows, options, start, 1).lower_bound_)]
  return _em(rows, options, starts[0])


def _clusters(
  rows: np.ndarray, coordinates: np.ndarray, options: Options, seed: int
) -> dict[str, np.ndarray]:
  """Weights, means and precisions of clusters of the rows, which are found in coordinates."""
  components, covariance, regularisation = options
  labels = KMeans(components, n_init=1, random_state=seed).fit_predict(coordinates)
  shares = np.eye(components)[labels]  # [n, K]
  counts = np.maximum(shares.sum(axis=0), 1e-9)
  means = (shares.T @ rows) / counts[:, np.newaxis]
  centred = rows - means[labels]
  covariances = np.stack(
    [(share[:, np.newaxis] * centred).T @ centred / count for share, count in zip(shares.T, counts)]
  )
  if covariance == 'tied':
    covariances = np.tensordot(counts / len(rows), covariances, axes=1)
  precisions = np.linalg.inv(covariances + regularisation * np.eye(rows.shape[1]))
  return {
    'weights_init': counts / counts.sum(),
    'means_init': means,
    'precisions_init': (precisions + np.swapaxes(precisions, -1, -2)) / 2,
  }


def _em(
  rows: np.ndarray, options: Options, start: dict[str, np.ndarray], steps: int = 100
) -> GaussianMixture:
  components, covariance, regularisation = options
  mixture = GaussianMixture(
    components, covariance_type=covariance, reg_covar=regularisation, max_iter=steps, **start
  )
  with warnings.catch_warnings():  # A mixture that has not converged is a mixture, too.
    warnings.simplefilter('ignore', ConvergenceWarning)
    return mixture.fit(rows)
