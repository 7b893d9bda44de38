"""The scikit-learn face: a density of the rows of a table by `fit`, with no settings needed."""

from __future__ import annotations

import dataclasses
import pathlib
import tempfile
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import (
  BaseEstimator,
  ClassNamePrefixFeaturesOutMixin,
  DensityMixin,
  TransformerMixin,
)
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ma_keras import version
from ma_keras.arguments import is_finite, is_whole
from ma_keras.data import columns
from ma_keras.fitting import flow
from ma_keras.fitting.evaluation import Evaluation, in_double_precision
from ma_keras.fitting.settings import Settings
from ma_keras.fitting.start import Start
from ma_keras.fitting.weights import repeated
from ma_keras.saving import model_file

LEAST_ROWS = 100  # Fewer have a Gaussian or a mixture, and no flow: held-out rows would be too few.


class MongeAmpereDensity(
  ClassNamePrefixFeaturesOutMixin, TransformerMixin, DensityMixin, BaseEstimator
):
  """The density of the rows of a table: a Gaussian or a mixture, carried along a learnt flow.

  Columns are mapped to unit scale in float64 (asinh for outliers, log, logit, where beyond doubt),
  whitened by a shrunk covariance, and given a Gaussian or a mixture, whichever held-out rows
  prefer; a Monge-Ampere flow is trained from there, and kept if held-out rows gain by it. Values
  with ties are taken for rounded ones. The order of the rows does not matter, and a row of weight
  2 stands twice.

  Args:
    base: 'auto', or 'normal' for latents that are to be normal, without a mixture.
    hidden_units: H of the flow's potential; None: by the size of the table.
    num_steps: Integration steps of training; None: sixteen. Scores take as many as halving them
      calls for.
    learning_rate: Peak of Adam's rate; None: 0.005.
    max_steps: Training steps at most; None: by the size of the table. 0 trains no flow.
    batch_size: Rows of a training step; None: 256.
    validation_fraction: Share of the rows that are held out.
    n_iter_no_change: Looks at held-out rows, of twenty, without gain after which training ends.
    n_init: Number of first weights of the flow that are tried; the best on held-out rows are kept.
      None: up to four, where a training takes seconds.
    column_kinds: Name (or number as text) of a column to 'real', 'heavy', 'positive', 'unit' or
      'integer', where the automatic choice is not wanted; see `data.columns`.
    random_state: Integer, RandomState or None: names held-out rows, first weights, batches, noise.
    verbose: 0 prints nothing, 1 a bar for every epoch, 2 a line.

  Attributes:
    n_features_in_: N.
    feature_names_in_: Names of the columns, where `X` had some.
    model_: `ma_keras.model_file.Model`: flow, preprocessing and base, in float64.
    columns_: The report on the columns, `data.columns.Column` each.
    history_: Values of every epoch by name.
    gain_: Nats a held-out row that the flow gained over its start; 0 where there is none.
    gain_error_: Standard error of the gain.
    start_: Name of the start: 'Gaussian', or 'mixture of K'.
  """

  def __init__(
    self,
    *,
    base: str = 'auto',
    hidden_units: int | None = None,
    num_steps: int | None = None,
    learning_rate: float | None = None,
    max_steps: int | None = None,
    batch_size: int | None = None,
    validation_fraction: float = 1 / 6,
    n_iter_no_change: int = 8,
    n_init: int | None = None,
    column_kinds: dict[str, str] | None = None,
    random_state: Any = None,
    verbose: int = 0,
  ) -> None:
    """Keeps the arguments, which `fit` checks."""
    self.base = base
    self.hidden_units = hidden_units
    self.num_steps = num_steps
    self.learning_rate = learning_rate
    self.max_steps = max_steps
    self.batch_size = batch_size
    self.validation_fraction = validation_fraction
    self.n_iter_no_change = n_iter_no_change
    self.n_init = n_init
    self.column_kinds = column_kinds
    self.random_state = random_state
    self.verbose = verbose

  def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> MongeAmpereDensity:
    """Fits the density to rows.

    Args:
      X: Rows, [n, N]: an array, or a frame of pandas or polars, whose names are kept.
      y: Ignored.
      sample_weight: Weights of the rows, [n]; whole ones are numbers of copies, others are rounded
        to quarters of their mean, which leaves out rows of less than an eighth of it.

    Raises:
      ValueError: A setting is out of range, a column does not vary, or a number is not finite.

    Warns:
      UserWarning: Values look like codes of missing ones or like numbers of rows, or the log
        densities do not stand still when steps are halved.
    """
    X = validate_data(self, _unmasked(X), dtype=np.float64, ensure_min_samples=2)
    self._check_settings()
    weights = None if sample_weight is None else _checked_weights(sample_weight, X)
    rows = repeated(X, weights)
    seed = int(check_random_state(self.random_state).randint(2**31 - 1))
    self.columns_ = self._surveyed(rows)
    start, fit = self._fitted(rows, seed)
    self.history_, self.gain_, self.gain_error_ = fit.history, fit.gain, fit.gain_error
    self.start_ = start.name
    self._n_features_out = X.shape[1]
    self.model_ = in_double_precision(
      model_file.Model(
        fit.bijector,
        start.maps,
        notes={'version': version.__version__, 'seed': seed, 'doubts': fit.doubts},
        base=start.base,
        columns=self._names(),
      )
    )
    self._evaluation = Evaluation(self.model_)
    for doubt in (*columns.remarks(self.columns_), fit.doubts):
      if doubt:
        warnings.warn(doubt, UserWarning, stacklevel=2)
    return self

  def _check_settings(self) -> None:
    whole = {'hidden_units': 1, 'num_steps': 1, 'max_steps': 0, 'batch_size': 1}
    for name, least in {**whole, 'n_iter_no_change': 1, 'n_init': 1}.items():
      value = getattr(self, name)
      if value is not None and not is_whole(value, least):
        raise ValueError(f'`{name}` must be a whole number from {least}, or None, got {value!r}.')
    if not is_finite(self.validation_fraction) or not 0 < self.validation_fraction < 1:
      raise ValueError(
        f'`validation_fraction` must be in (0, 1), got {self.validation_fraction!r}.'
      )
    rate = self.learning_rate
    if rate is not None and (not is_finite(rate) or rate <= 0):
      raise ValueError(f'`learning_rate` must be positive, or None, got {self.learning_rate!r}.')
    if not isinstance(self.column_kinds or {}, Mapping):
      raise ValueError(
        f"`column_kinds` must be a mapping such as {{'age': 'integer'}}, got {self.column_kinds!r}."
      )
    if self.base not in ('auto', 'normal'):
      raise ValueError(f"`base` must be 'auto' or 'normal', got {self.base!r}.")

  def _names(self) -> tuple[str, ...] | None:
    names = getattr(self, 'feature_names_in_', None)
    return None if names is None else tuple(str(name) for name in names)

  def _surveyed(self, rows: np.ndarray) -> tuple[columns.Column, ...]:
    surveyed = columns.survey(rows, self._names())
    return columns.with_kinds(surveyed, self.column_kinds or {})

  def _fitted(self, rows: np.ndarray, seed: int) -> tuple[Start, flow.Fit]:
    """The start, and the flow, which is the identity where rows are few or gain nothing by it.

    Held-out rows are drawn by the seed. The start is fitted to them, too, which speaks against the
    flow and costs it nothing else: measured, a start of fewer rows loses more than it gains.
    """
    number = max(int(len(rows) * self.validation_fraction), 1)
    settings = self._settings(len(rows) - number, rows.shape[1])
    start = Start.fitted(rows, self.columns_, seed, with_mixture=self.base == 'auto')
    if len(rows) < LEAST_ROWS or self.max_steps == 0:
      return start, flow.Fit(flow.identity(start, settings, seed), {}, 0.0, 0.0, '')
    order = np.random.default_rng(seed).permutation(len(rows))
    train, held_out = rows[order[number:]], rows[order[:number]]
    tries = self.n_init or settings.affordable_tries(rows.shape[1])
    return start, flow.trained(start, train, held_out, settings, seed, self.verbose, tries)

  def _settings(self, num_rows: int, num_columns: int) -> Settings:
    settings = Settings.for_table(num_rows, num_columns)
    steps = self.max_steps or settings.steps
    given: dict[str, Any] = {
      'hidden_units': self.hidden_units,
      'num_steps': self.num_steps,
      'learning_rate': self.learning_rate,
      'steps': steps,
      'steps_per_epoch': max(steps // 20, 1),
      'batch_size': self.batch_size and min(self.batch_size, num_rows),
      'patience': self.n_iter_no_change,
    }
    return dataclasses.replace(settings, **{k: v for k, v in given.items() if v is not None})

  def score_samples(self, X: Any) -> np.ndarray:
    """ln p(x) of rows, nats of the data, [n]; -infinity outside the support.

    A rounded value, of a column with ties, is scored at its centre: the density is of what was
    rounded.

    Args:
      X: Rows, [n, N].
    """
    return self._evaluated().log_prob(self._validated(X))

  def score(self, X: Any, y: Any = None) -> float:
    """Mean of `score_samples`, nats a row."""
    return float(np.mean(self.score_samples(X)))

  def transform(self, X: Any) -> np.ndarray:
    """Latents z of rows, [n, N]: of mean 0 and covariance I, normal with `base='normal'`."""
    return self._evaluated().latents(self._validated(X))

  def inverse_transform(self, X: Any) -> np.ndarray:
    """Rows x of latents z, [n, N]."""
    check_is_fitted(self)
    z = np.asarray(X, np.float64)
    if z.ndim != 2 or z.shape[1] != self.n_features_in_ or not np.all(np.isfinite(z)):
      raise ValueError(
        f'`X` must be latents, finite numbers [n, {self.n_features_in_}], got shape '
        f'{list(z.shape)}{"" if np.all(np.isfinite(z)) else " with NaN or infinity"}.'
      )
    return self._evaluated().points(z)

  def sample(self, n_samples: int = 1, random_state: Any = None) -> np.ndarray:
    """Draws rows, [n_samples, N]; columns of rounded numbers are rounded again.

    `inverse_transform` of latents leaves them anywhere in their cells.

    Args:
      n_samples: How many.
      random_state: Names the draw: an integer, RandomState, or None for a fresh one.
    """
    check_is_fitted(self)
    if not is_whole(n_samples):
      raise ValueError(f'`n_samples` must be a positive whole number, got {n_samples!r}.')
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    return self._evaluated().sample(int(n_samples), seed)

  def save(self, path: str | pathlib.Path) -> None:
    """Writes the model as one file, for `ma_keras.load` and the command line."""
    check_is_fitted(self)
    model_file.save(path, self.model_)

  def _validated(self, X: Any) -> np.ndarray:
    check_is_fitted(self)
    return validate_data(self, _unmasked(X), dtype=np.float64, reset=False)

  def _evaluated(self) -> Evaluation:
    check_is_fitted(self)
    if not hasattr(self, '_evaluation'):
      self._evaluation = Evaluation(self.model_)
    return self._evaluation

  def __getstate__(self) -> dict[str, Any]:
    """The model as the bytes of its file: neither code nor graphs are pickled."""
    state = dict(super().__getstate__())
    state.pop('_evaluation', None)
    if 'model_' in state:
      with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / 'model.npz'
        model_file.save(path, state['model_'])
        state['model_'] = path.read_bytes()
    return state

  def __setstate__(self, state: dict[str, Any]) -> None:
    """Reads what `__getstate__` wrote."""
    if isinstance(state.get('model_'), bytes):
      with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / 'model.npz'
        path.write_bytes(state['model_'])
        state = {**state, 'model_': model_file.load(path)}
    super().__setstate__(state)


def _checked_weights(sample_weight: Any, X: np.ndarray) -> np.ndarray:
  weights = np.asarray(sample_weight, np.float64)
  if weights.shape not in ((), (len(X),)):
    raise ValueError(
      f'`sample_weight` must have one weight for each of the {len(X)} rows, got shape '
      f'{list(weights.shape)}.'
    )
  weights = np.broadcast_to(weights, (len(X),))
  if not np.all(np.isfinite(weights)):
    raise ValueError('`sample_weight` must be finite.')
  return weights


def _unmasked(X: Any) -> Any:
  """Raises ValueError if values are masked, which scikit-learn would take for what lies beneath."""
  if np.ma.is_masked(X):
    raise ValueError('`X` has masked values: leave their rows out.')
  return X
