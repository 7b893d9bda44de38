"""Log densities under a trained model, in as little memory as one batch takes.

  python apps/score_main.py --model=model.npz --input=points.csv --output=scores.csv

Pixels that are whole numbers are dequantised (a bound on their probability, docs/density.md); the
noise of row k is a function of --seed and k alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf
import tf_keras
from absl import flags

from ma_keras import data, model_file
from ma_keras.apps import model_app
from ma_keras.data import tables
from ma_keras.replacing import check_apart

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(model_app)
flags.DEFINE_string(
  'input', None, 'A .csv of points, a .npy, or a folder of pictures.', required=True
)
flags.DEFINE_string('output', 'scores.csv', 'A .csv of row and log_prob, or a .npy of the latter.')
flags.DEFINE_bool(
  'unconstrained',
  False,
  'The density of y in R^N (logit space of images), in which papers compare; not that of the data.',
)


def scores(table: tables.Table, model: model_file.Model, whole: bool) -> Iterator[np.ndarray]:
  """ln p of the rows, nats, a batch at a time."""
  bijector, preprocessing = model.bijector, model.preprocessing
  flow = model.latent_flow()
  pixels = isinstance(preprocessing, data.Pixels)

  @tf.function(autograph=False, reduce_retracing=True)
  def score(x: tf.Tensor) -> tf.Tensor:
    if preprocessing is None:
      return flow.log_prob(x)
    log_prob = flow.log_prob(preprocessing.inverse(x))
    if FLAGS.unconstrained:
      return log_prob
    return log_prob + preprocessing.inverse_log_det_jacobian(x, event_ndims=1)

  bar = tf_keras.utils.Progbar(len(table), unit_name='row')
  start = 0
  for rows in table.blocks(FLAGS.batch_size, bijector.potential.event_size):
    x = model_app.dequantised(rows, start) if pixels and whole else rows
    yield score(tf.constant(x, bijector.dtype)).numpy()
    start += len(rows)
    bar.add(len(rows))


def work() -> None:
  """Scores and writes; all rows are checked before the first is scored."""
  check_apart(FLAGS.output, FLAGS.input, FLAGS.model)
  model = model_app.load()
  table = tables.open_table(FLAGS.input)
  whole = table.check(model.bijector.potential.event_size)
  total, header = 0.0, ['row', 'log_prob']
  with tables.writing(FLAGS.output, len(table), (), header, table.labels) as write:
    for found in scores(table, model, whole):
      write(found)
      total += float(np.sum(found, dtype=np.float64))
  mean = total / len(table)
  print(f'{len(table)} rows, mean log_prob {mean:.4f} nats: {FLAGS.output}')


def main(argv: list[str]) -> None:
  """See `work`."""
  model_app.main(argv, work)
