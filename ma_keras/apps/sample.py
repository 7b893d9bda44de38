"""Samples of a trained model, in as little memory as one batch takes.

  python apps/sample_main.py --model=mnist --n=100 --output=digits.png

The k-th batch of samples is a function of --seed, k and --batch_size: equal commands draw equal
samples. Of a table, columns of rounded numbers are rounded again.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from absl import flags

from ma_keras import data, plotting, seeds
from ma_keras.apps import model_app
from ma_keras.data.writing import writing
from ma_keras.files.replacing import check_apart, target
from ma_keras.saving import model_file

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(model_app)
flags.DEFINE_integer('n', 100, 'Number of samples.', lower_bound=1)
flags.DEFINE_string(
  'output', 'samples.npy', 'A .npy of events, a .csv of rows, or a .png of up to 400 pictures.'
)
flags.DEFINE_bool('unconstrained', False, 'Draw y of R^N (logit space of images), not the data.')

MOST_PICTURES = 400


def batches(flow: Any) -> Iterator[np.ndarray]:
  """--n samples of the flow, a batch at a time, each of shape [b, ...]."""

  @tf.function(autograph=False, reduce_retracing=True)
  def draw(seed: tf.Tensor) -> tf.Tensor:
    return flow.sample(FLAGS.batch_size, seed=seed)

  bar = tf_keras.utils.Progbar(FLAGS.n, unit_name='sample')
  for k, start in enumerate(range(0, FLAGS.n, FLAGS.batch_size)):
    seed = seeds.fold_in(seeds.stateless(FLAGS.seed, salt='sample'), k)
    batch = draw(seed).numpy()[: FLAGS.n - start]
    yield batch
    bar.add(len(batch))


def as_data(model: model_file.Model, batch: np.ndarray) -> np.ndarray:
  """Rounds columns of rounded numbers; the flow itself draws them anywhere in their cells."""
  maps = model.preprocessing
  return maps.rounded(batch) if isinstance(maps, data.ColumnMaps) else batch


def draw_pictures(flow: Any) -> None:
  """A gallery of the samples."""
  shape = flow.event_shape
  if shape.rank != 3 or FLAGS.n > MOST_PICTURES:
    raise ValueError(
      f'`--output` {FLAGS.output} takes up to {MOST_PICTURES} pictures, got --n={FLAGS.n} of shape '
      f'{shape.as_list()}: use a .npy or .csv.'
    )
  try:
    plotting.save(plotting.gallery(np.concatenate(list(batches(flow)))), FLAGS.output)
  except ImportError as error:
    raise ValueError("matplotlib is missing: pip install 'ma_keras[plot]'.") from error


def work() -> None:
  """Draws and writes."""
  model = model_app.load()
  check_apart(FLAGS.output, FLAGS.model)
  target(pathlib.Path(FLAGS.output))  # Fails now if it cannot be a file.
  flow = model.latent_flow() if FLAGS.unconstrained else model.flow()
  if FLAGS.output.endswith('.png'):
    return draw_pictures(flow)
  shape = tuple(flow.event_shape.as_list())
  numbered = [f'x{i}' for i in range(int(np.prod(shape)))]
  header = numbered if FLAGS.unconstrained else list(model.columns or numbered)
  with writing(FLAGS.output, FLAGS.n, shape, header, flow.dtype.as_numpy_dtype) as write:
    for batch in batches(flow):
      write(batch if FLAGS.unconstrained else as_data(model, batch))


def main(argv: list[str]) -> None:
  """See `work`."""
  model_app.main(argv, work)
