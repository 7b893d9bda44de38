"""Integration errors of a trained model: how far its likelihoods are to be trusted.

  ma-keras certify --model=mnist --n=200 [--input=points.csv]

Points, drawn of the model or read, are flowed to noise and back, at d and at 2 d steps. Exit code 3
if the mean change of ln p exceeds --tolerance.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from absl import flags

from ma_keras import Certificate, model_file
from ma_keras.apps import model_app
from ma_keras.apps.exit_code import ExitCode, end
from ma_keras.data import tables

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(model_app)
flags.DEFINE_integer('n', 200, 'Points; of --input the first so many.', lower_bound=1)
flags.DEFINE_string('input', None, 'Certify at these points of a table, not at samples.')
flags.DEFINE_float('tolerance', 0.1, 'Largest mean change of ln p, in nats.', lower_bound=0.0)


def points(model: model_file.Model) -> tf.Tensor:
  """Up to --n points y of R^N."""
  size = model.bijector.potential.event_size
  if FLAGS.input is None:
    return model.latent_flow().sample(FLAGS.n, seed=FLAGS.seed)
  table = tables.open_table(FLAGS.input)
  table.check(size)
  x = tf.constant(next(table.blocks(FLAGS.n, size)), model.bijector.dtype)
  return x if model.preprocessing is None else model.preprocessing.inverse(x)


def certificate(model: model_file.Model) -> Certificate:
  """The errors of all points."""
  y = points(model)
  parts = [
    model.bijector.certificate(y[k : k + FLAGS.batch_size], reverse=True)
    for k in range(0, len(y), FLAGS.batch_size)
  ]
  return Certificate(*(tf.concat(part, axis=0) for part in zip(*parts)))


def work() -> None:
  """Measures and prints."""
  model = model_app.load()
  found = certificate(model)
  change = found.log_density_error.numpy().astype(np.float64)
  error = np.std(change) / np.sqrt(change.size)
  print(
    f'{change.size} points, {model.bijector.horizon.num_steps} steps against twice as many: '
    f'ln p changes by {np.mean(change):.2g} +- {error:.1g} nats on the average, by '
    f'{np.abs(change).max():.2g} at most; positions by {found.position_error.numpy().max():.2g}; '
    f'there and back by {found.round_trip_error.numpy().max():.2g}.'
  )
  if not abs(np.mean(change)) <= FLAGS.tolerance:
    end(ExitCode.STOPPED, f'above --tolerance={FLAGS.tolerance}: use more steps, --num_steps.')


def main(argv: list[str]) -> None:
  """See `work`."""
  model_app.main(argv, work)
