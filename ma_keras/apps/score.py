"""Log densities under a trained model, in as little memory as one batch takes.

  python apps/score_main.py --model=model.npz --input=points.csv --output=scores.csv

Rows are read once, and scored as they come; the output gets its name when all are in it. Pixels
that are whole numbers are dequantised (a bound on their probability, docs/density.md); the noise of
row k is a function of --seed and k alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf
import tf_keras
from absl import flags

from ma_keras.apps import model_app, table_flags
from ma_keras.data import tables
from ma_keras.data.writing import writing
from ma_keras.files.replacing import check_apart, check_outside
from ma_keras.saving import model_file

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(model_app)
flags.adopt_module_key_flags(table_flags)
flags.DEFINE_string(
  'input', None, 'A table, CSV, Parquet, .npy, ..., or a folder (docs/tables.md).', required=True
)
flags.DEFINE_string('output', 'scores.csv', 'A .csv of row and log_prob, or a .npy of the latter.')
flags.DEFINE_bool(
  'unconstrained',
  False,
  'The density of y in R^N (logit space of images), in which papers compare; not that of the data.',
)

Labels = Sequence[int | str]


def log_prob(model: model_file.Model) -> Callable[[np.ndarray], np.ndarray]:
  """x [b, N] -> ln p [b], nats, float64."""
  flow = model.latent_flow()

  @tf.function(autograph=False, reduce_retracing=True)
  def score(y: tf.Tensor) -> tf.Tensor:
    return tf.cast(flow.log_prob(y), tf.float64)

  def scores(x: np.ndarray) -> np.ndarray:
    y, log_det = model_app.latents(model, x)
    values = score(y)
    if FLAGS.unconstrained:
      log_det = tf.where(tf.math.is_finite(log_det), 0.0, log_det)  # Outside the support is no y.
    return (values + log_det).numpy()

  return scores


def scores(table: tables.Table, model: model_file.Model) -> Iterator[tuple[Labels, np.ndarray]]:
  """Labels and ln p of the rows, nats, a batch at a time; raises ValueError at NaN."""
  pixels = model_app.takes_noise(model, table)
  score = log_prob(model)
  bar = tf_keras.utils.Progbar(table.num_rows, unit_name='row')
  start = 0
  for labels, rows in table.labelled(FLAGS.batch_size):
    x = model_app.dequantised(rows, start) if pixels else rows
    values = score(x)
    bad = np.flatnonzero(np.isnan(values))
    if bad.size:
      raise ValueError(
        f'The log density of row {labels[bad[0]]} of {FLAGS.input} is not a number: nothing was '
        'written. See whether its values are within the range of the training data.'
      )
    yield labels, values
    start += len(rows)
    bar.add(len(rows))


def work() -> None:
  """Scores and writes; nothing is written unless all rows could be scored."""
  check_apart(FLAGS.output, FLAGS.input, FLAGS.model)
  check_outside(FLAGS.output, FLAGS.input)
  model = model_app.load()
  table = table_flags.open_for(FLAGS.input, model)
  print(table.understood, flush=True)
  total, count, outside = 0.0, 0, 0
  header = [FLAGS.id_column or 'row', 'log_prob']
  with writing(FLAGS.output, None, (), header, np.float64) as write:
    for labels, values in scores(table, model):
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
  print(f'{count} rows, {mean}: {FLAGS.output}')


def main(argv: list[str]) -> None:
  """See `work`."""
  model_app.main(argv, work)
