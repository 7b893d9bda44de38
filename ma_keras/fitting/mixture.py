"""A Gaussian mixture with as many components, and as much regularisation, as held-out rows say."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from ma_keras import bases
from ma_keras.fitting.gaussian import Gaussian, folds

SIZES = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32)
REGULARISATION = 1e-2  # Added to variances of whitened rows, for every size;
OTHERS = (1e-3, 1e-1)  # for the best size these, too.
RESTARTS = 4  # Of the final fit.
LEAST_ROWS = 10  # For every component.
MOST_COLUMNS = 128
MOST_ROWS = 5_000  # So many choose the size,
MOST_FITTED = 50_000  # and so many are fitted in the end.
CROSS_VALIDATED = 2_000  # Above, one part of five is held out, and nothing is repeated.
PATIENCE = 2  # Sizes without gain after which none is larger.

Fold = tuple[np.ndarray, np.ndarray]  # Training and held-out rows, whitened by the former.
Options = tuple[int, str, float]  # Components, type of covariance, regularisation.


def choose(rows: np.ndarray, gaussian: Gaussian, seed: int = 0) -> GaussianMixture | None:
  """The mixture of whitened rows under which held-out rows are likeliest; None: no better than one.

  Every fold is whitened by itself, so that Normal(0, I), which stands for the single Gaussian, is
  judged as the mixtures are.

  Args:
    rows: Shape [n, N].
    gaussian: Fitted to them; its shrinkage is that of the folds.
    seed: Non-negative integer.

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
  best, options = _normal_score(fold_pairs), None
  for covariance in ('full', 'tied'):
    score, components = _best_size(fold_pairs, covariance, seed)
    if score > best:
      best, options = score, (components, covariance, REGULARISATION)
  if options is None:
    return None
  for regularisation in OTHERS:
    other = (*options[:2], regularisation)
    score = _held_out_score(fold_pairs, other, seed)
    if score > best:
      best, options = score, other
  if number > MOST_FITTED:
    rows = rows[rng.choice(number, MOST_FITTED, replace=False)]
  return _fitted(gaussian.whitened(rows), options, seed, RESTARTS)


def as_base(mixture: GaussianMixture | None, dtype: object) -> bases.Mixture | None:
  """The mixture as a TFP distribution."""
  if mixture is None:
    return None
  covariances = mixture.covariances_
  if mixture.covariance_type == 'tied':
    covariances = np.broadcast_to(covariances, (mixture.n_components, *covariances.shape))
  scale_tril = np.linalg.cholesky(covariances)
  return bases.Mixture(mixture.weights_, mixture.means_, scale_tril, dtype)


def _whitened(rows: np.ndarray, train: np.ndarray, held: np.ndarray, shrinkage: float) -> Fold:
  """Both parts of a fold."""
  fold = Gaussian.fitted(rows[train], shrinkage=shrinkage)
  return fold.whitened(rows[train]), fold.whitened(rows[held])


def _normal_score(fold_pairs: list[Fold]) -> float:
  constant = 0.5 * fold_pairs[0][0].shape[1] * np.log(2 * np.pi)
  return float(
    np.mean([-0.5 * np.mean(np.sum(held**2, axis=1)) - constant for _, held in fold_pairs])
  )


def _best_size(fold_pairs: list[Fold], covariance: str, seed: int) -> tuple[float, int]:
  """Mean log density of held-out rows, and the number of components."""
  best, components, without_gain = -np.inf, 1, 0
  for size in SIZES:
    if size * LEAST_ROWS > min(len(train) for train, _ in fold_pairs):
      break
    score = _held_out_score(fold_pairs, (size, covariance, REGULARISATION), seed)
    without_gain = 0 if score > best else without_gain + 1
    if score > best:
      best, components = score, size
    if without_gain >= PATIENCE:
      break
  return best, components


def _held_out_score(fold_pairs: list[Fold], options: Options, seed: int) -> float:
  return float(np.mean([_fitted(train, options, seed).score(held) for train, held in fold_pairs]))


def _fitted(rows: np.ndarray, options: Options, seed: int, restarts: int = 1) -> GaussianMixture:
  components, covariance, regularisation = options
  mixture = GaussianMixture(
    components,
    covariance_type=covariance,
    reg_covar=regularisation,
    n_init=restarts,
    random_state=seed,
  )
  with warnings.catch_warnings():  # A mixture that has not converged is a mixture, too.
    warnings.simplefilter('ignore', ConvergenceWarning)
    return mixture.fit(rows)
