"""Samples of a trained model, in as little memory as one batch takes.

The k-th batch of samples is a function of the seed, k and the batch's size: equal commands draw
equal samples. Of a table, columns of rounded numbers are rounded again.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from ma_keras import data, plotting, seeds
from ma_keras.apps import model_app
from ma_keras.apps.configuration.sample import SampleConfig
from ma_keras.data.writing import writing
from ma_keras.files.replacing import check_apart, target
from ma_keras.saving import model_file

MOST_PICTURES = 400


def batches(flow: Any, config: SampleConfig) -> Iterator[np.ndarray]:
  """--n samples of the flow, a batch at a time, each of shape [b, ...]."""

  @tf.function(autograph=False, reduce_retracing=True)
  def draw(seed: tf.Tensor) -> tf.Tensor:
    return flow.sample(config.batch_size, seed=seed)

  bar = tf_keras.utils.Progbar(config.n, unit_name='sample')
  for k, start in enumerate(range(0, config.n, config.batch_size)):
    seed = seeds.fold_in(seeds.stateless(config.seed, salt='sample'), k)
    batch = draw(seed).numpy()[: config.n - start]
    yield batch
    bar.add(len(batch))


def as_data(model: model_file.Model, batch: np.ndarray) -> np.ndarray:
  """Rounds columns of rounded numbers; the flow itself draws them anywhere in their cells."""
  maps = model.preprocessing
  return maps.rounded(batch) if isinstance(maps, data.ColumnMaps) else batch


def draw_pictures(flow: Any, config: SampleConfig) -> None:
  """A gallery of the samples."""
  shape = flow.event_shape
  if shape.rank != 3 or config.n > MOST_PICTURES:
    raise ValueError(
      f'`--output` {config.output} takes up to {MOST_PICTURES} pictures, got --n={config.n} of '
      f'shape {shape.as_list()}: use a .npy or .csv.'
    )
  try:
    plotting.save(plotting.gallery(np.concatenate(list(batches(flow, config)))), config.output)
  except ImportError as error:
    raise ValueError("matplotlib is missing: pip install 'ma_keras[plot]'.") from error


def work(config: SampleConfig) -> None:
  """Draws and writes."""
  model = model_app.load(config)
  check_apart(config.output, config.model)
  target(pathlib.Path(config.output))  # Fails now if it cannot be a file.
  flow = model.latent_flow() if config.unconstrained else model.flow()
  if config.output.endswith('.png'):
    return draw_pictures(flow, config)
  shape = tuple(flow.event_shape.as_list())
  numbered = [f'x{i}' for i in range(int(np.prod(shape)))]
  header = numbered if config.unconstrained else list(model.columns or numbered)
  with writing(config.output, config.n, shape, header, flow.dtype.as_numpy_dtype) as write:
    for batch in batches(flow, config):
      write(batch if config.unconstrained else as_data(model, batch))


def main(config: SampleConfig) -> None:
  """See `work`."""
  model_app.main(config, work)
