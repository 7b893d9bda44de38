"""Log densities under a trained model, in as little memory as one batch takes.

Rows are read once, and scored as they come; the output gets its name when all are in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf
import tf_keras

from ma_keras.apps import model_app, table_input
from ma_keras.apps.configuration.score import ScoreConfig
from ma_keras.data import tables
from ma_keras.data.writing import writing
from ma_keras.files.replacing import check_apart, check_outside
from ma_keras.saving import model_file

Labels = Sequence[int | str]


def log_prob(
  model: model_file.Model, unconstrained: bool = False
) -> Callable[[np.ndarray], np.ndarray]:
  """Rows [b, O + N] -> ln p [b], nats, float64; of y in R^N if it is unconstrained."""
  flow = model.latent_flow()

  @tf.function(autograph=False, reduce_retracing=True)
  def score(y: tf.Tensor, **options: tf.Tensor) -> tf.Tensor:
    return tf.cast(flow.log_prob(y, **options), tf.float64)

  def scores(rows: np.ndarray) -> np.ndarray:
    contexts, x = model_app.parts(model, rows)
    y, log_det = model_app.latents(model, x)
    values = score(y, **model_app.options(model, contexts))
    if unconstrained:
      log_det = tf.where(tf.math.is_finite(log_det), 0.0, log_det)  # Outside the support is no y.
    return (values + log_det).numpy()

  return scores


def scores(
  table: tables.Table, model: model_file.Model, config: ScoreConfig
) -> Iterator[tuple[Labels, np.ndarray]]:
  """Labels and ln p of the rows, nats, a batch at a time; raises ValueError at NaN."""
  pixels = model_app.takes_noise(model, table)
  score = log_prob(model, config.unconstrained)
  bar = tf_keras.utils.Progbar(table.num_rows, unit_name='row')
  start, outside = 0, np.zeros(len(model.contexts or ()), int)
  for labels, rows in table.labelled(config.batch_size):
    if pixels:
      contexts, x = model_app.parts(model, rows)
      noisy = model_app.dequantised(x, start, config.seed)
      rows = np.concatenate([contexts, noisy], axis=-1)
    values = score(rows)
    bad = np.flatnonzero(np.isnan(values))
    if bad.size:
      raise ValueError(
        f'The log density of row {labels[bad[0]]} of {config.input} is not a number: nothing was '
        'written. See whether its values are within the range of the training data.'
      )
    yield labels, values
    start += len(rows)
    outside += model_app.outside(model, model_app.parts(model, rows)[0])
    bar.add(len(rows))
  model_app.warn_outside(model, outside)


def work(config: ScoreConfig) -> None:
  """Scores and writes; nothing is written unless all rows could be scored."""
  check_apart(config.output, config.input, config.model)
  check_outside(config.output, config.input)
  model = model_app.load(config)
  model_app.check_contexts(model, config)
  table = table_input.open_for(config.input, model, config)
  print(table.understood, flush=True)
  total, count, outside = 0.0, 0, 0
  header = [config.id_column or 'row', 'log_prob']
  with writing(config.output, None, (), header, np.float64) as write:
    for labels, values in scores(table, model, config):
      write(values, labels)
      inside = values[np.isfinite(values)]
      total += float(np.sum(inside))
      count += len(values)
      outside += len(values) - len(inside)
  if table.num_dropped:
    print(f'{table.drops()}.')
  mean = f'mean log_prob {total / max(count - outside, 1):.4f} nats'
  if outside:
    mean = f'{outside} of them of density 0, outside the support of the model; the others: {mean}'
  print(f'{count} rows, {mean}: {config.output}')


def main(config: ScoreConfig) -> None:
  """See `work`."""
  model_app.main(config, work)
