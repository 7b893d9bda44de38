"""The density app with context columns: their encoder, the model, and rows of both side by side."""

from __future__ import annotations

import numpy as np
import tf_keras

from ma_keras import data, fitting, training
from ma_keras.apps import training_app
from ma_keras.apps.configuration import penalty
from ma_keras.apps.configuration.density import DensityConfig
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.data import columns, context_reading
from ma_keras.data.context_columns import LABEL, ContextColumn
from ma_keras.distributions import FlowChain
from ma_keras.fitting.settings import seed_of_try
from ma_keras.layers.context_columns import ContextColumns

SURVEY_ROWS = 100_000
LEAST_SPREAD = 1e-4  # Of a column beside its size, below which single precision loses its digits.
HEAVY = ('heavy', 'positive')


def check(config: DensityConfig) -> None:
  """Raises ValueError on options that go with no context columns."""
  if config.context_columns and config.strategy == 'parameter_server':
    raise ValueError(
      '`--context_columns` with --strategy=parameter_server: the workers have no contexts; choose '
      'another --strategy.'
    )
  if config.context_columns not in ((), (LABEL,)) and not config.dataset_file:
    raise ValueError(
      f'`--context_columns` {",".join(config.context_columns)} are columns of a table: say which '
      f'by --dataset_file; images of --dataset have --context_columns={LABEL}.'
    )


def features(points: data.Dataset) -> ContextColumns:
  """The layer that makes features of the context columns, as training rows have them.

  Raises:
    ValueError: A column of numbers varies too little beside its size.
  """
  contexts, _ = points.parts(np.asarray(points.train[:SURVEY_ROWS]))
  surveyed = columns.survey(
    contexts.astype(np.float64), [column.name for column in points.contexts]
  )
  kinds, centre, scale = zip(*map(_frame, points.contexts, surveyed))
  sizes = [column.size for column in points.contexts]
  return ContextColumns(kinds, centre, scale, sizes, name='features')


def _frame(column: ContextColumn, survey: columns.Column) -> tuple[str, float, float]:
  """Kind, centre and scale of a context column."""
  if column.categories is not None:
    return 'category', 0.0, 1.0
  spread, size = survey.deviation, max(abs(column.least), abs(column.greatest))
  if spread == 0 or spread < LEAST_SPREAD * size:
    raise ValueError(
      f'`--context_columns` {column.name} varies by {spread:.2g} at numbers near {size:.7g}, of '
      f'which single precision loses digits: subtract {column.least:.10g} in the table, or take '
      f'its values as categories, --column_kind={column.name}:category.'
    )
  if survey.kind in HEAVY:
    return 'heavy', survey.median, survey.robust_deviation
  return 'real', survey.mean, spread


def encoder(points: data.Dataset, config: DensityConfig) -> tf_keras.Model:
  """Contexts of --context_units numbers, of context columns: features and two layers.

  The last is bounded, so that a context far outside the training rows makes no flow beyond all
  bounds.
  """
  layers, size = tf_keras.layers, config.context_units
  first = [tf_keras.initializers.GlorotUniform(seed_of_try(config.seed, k)) for k in range(2)]
  return tf_keras.Sequential(
    [
      layers.Input((len(points.contexts),)),
      features(points),
      layers.Dense(size, 'silu', kernel_initializer=first[0], name='hidden'),
      layers.Dense(size, 'tanh', kernel_initializer=first[1], name='context'),
    ],
    name='encoder',
  )


def discrimination(points: data.Dataset, config: DensityConfig) -> training.Discrimination | None:
  """The classes that --discrimination tells apart, at their shares of the training rows.

  Raises:
    ValueError: The context is not one column of two or more categories, or --rivals are too many.
  """
  if not config.discrimination:
    return None
  categories = points.contexts[0].categories or ()
  if len(points.contexts) > 1 or len(categories) < 2:
    raise ValueError(
      '`--discrimination` needs one context column of two or more categories, got '
      f'{", ".join(column.name for column in points.contexts)}: numbers become categories by '
      '--column_kind=name:category.'
    )
  if config.rivals >= len(categories):
    raise ValueError(
      f'`--rivals` {config.rivals}: {len(categories)} classes have {len(categories) - 1} others '
      'at most; 0 takes all.'
    )
  codes = np.arange(len(categories), dtype=np.float32)
  return training.Discrimination(
    codes[:, np.newaxis],
    config.discrimination,
    rivals=config.rivals or None,
    prior=shares(points, len(categories)),
  )


def shares(points: data.Dataset, number: int) -> np.ndarray:
  """P(k) of so many classes, the one context: shares of training rows, none of them zero, [K]."""
  contexts, _ = points.parts(np.asarray(points.train[:SURVEY_ROWS]))
  counts = np.maximum(np.bincount(contexts[:, 0].astype(np.int64), minlength=number), 1)
  return counts / np.sum(counts)


def chance(prior: np.ndarray) -> float:
  """-sum_k P(k) ln P(k): the cross-entropy of a flow that tells no classes apart, nats."""
  return -float(np.sum(prior * np.log(prior)))


def build_model(
  points: data.Dataset,
  config: DensityConfig,
  bijector: MongeAmpereBijector | FlowChain,
  start: fitting.Start | None = None,
) -> training.ConditionalLikelihood:
  """The Keras model, not yet compiled; call within the strategy's scope."""
  return training.ConditionalLikelihood(
    bijector,
    encoder(points, config),
    start.maps if start else data.for_dataset(points),
    config.seed,
    penalty.parse(config.penalty, training.PENALTIES),
    base=start.base if start else None,
    constrained=training_app.constrained(config),
    dequantise=points.levels is not None,
    discrimination=discrimination(points, config),
  )


def report(points: data.Dataset) -> None:
  """Prints what the columns are given, and which categories are in doubt."""
  told = [_told(column) for column in points.contexts]
  print(f'Given: {"; ".join(told)}.', flush=True)
  contexts, _ = points.parts(np.asarray(points.train[:SURVEY_ROWS]))
  for column, codes in zip(points.contexts, contexts.T):
    if remark := context_reading.doubts(column, codes):
      print(f'In doubt: {remark}', flush=True)


def _told(column: ContextColumn) -> str:
  if column.categories is None:
    return f'{column.name}, {column.least:g} to {column.greatest:g}'
  return f'{column.name}, {column.coded}'
