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

from ma_keras import bases, data, plotting, seeds
from ma_keras.apps import model_app
from ma_keras.apps.configuration.sample import SampleConfig
from ma_keras.data import context_columns, structures, tables
from ma_keras.data.writing import writing
from ma_keras.files.replacing import check_apart, target
from ma_keras.particles import Pairing
from ma_keras.saving import model_file

MOST_PICTURES = 400
READ_ROWS = 10_000


def batches(
  flow: Any, config: SampleConfig, contexts: np.ndarray | None = None
) -> Iterator[np.ndarray]:
  """Samples of the flow, a batch at a time, each of shape [b, ...].

  Args:
    flow: The density.
    config: Number of samples, and of those in a batch.
    contexts: Of a conditional density, [n, O], one for every sample.
  """

  @tf.function(autograph=False, reduce_retracing=True)
  def draw(seed: tf.Tensor, **options: tf.Tensor) -> tf.Tensor:
    return flow.sample(config.batch_size, seed=seed, **options)

  count = config.n if contexts is None else len(contexts)
  bar = tf_keras.utils.Progbar(count, unit_name='sample')
  for k, start in enumerate(range(0, count, config.batch_size)):
    seed = seeds.fold_in(seeds.stateless(config.seed, salt='sample'), k)
    options = {}
    if contexts is not None:  # The last one again to the end of the batch, whose size fixes draws.
      numbers = np.minimum(np.arange(start, start + config.batch_size), count - 1)
      options['context'] = tf.constant(contexts[numbers], flow.dtype)
    batch = draw(seed, **options).numpy()[: count - start]
    yield batch
    bar.add(len(batch))


def contexts_of(model: model_file.Model, config: SampleConfig) -> np.ndarray | None:
  """Contexts [n, O] of the samples by --context or --context_file; None of a density without.

  Raises:
    ValueError: There are none for a conditional density, or some for another.
  """
  chosen = config.context or config.context_file
  if not model.is_conditional:
    if chosen:
      raise ValueError(f'`--model` {config.model} takes no context: leave out {chosen!r}.')
    return None
  model_app.check_contexts(model, config)
  columns = model.contexts or ()
  if not chosen:
    raise ValueError(
      f'`--model` {config.model} draws samples under a context: '
      f'--context={context_columns.example(columns)}, say, or --context_file of a table.'
    )
  if config.context:
    rows = np.tile(context_columns.from_flag(config.context, columns), [config.n, 1])
  else:
    table = tables.open_table(chosen, columns=(), contexts=columns)
    print(table.understood, flush=True)
    rows = np.concatenate(list(table.read(READ_ROWS)))
  model_app.warn_outside(model, model_app.outside(model, rows))
  return rows


def as_data(model: model_file.Model, batch: np.ndarray) -> np.ndarray:
  """Rounds columns of rounded numbers; the flow itself draws them anywhere in their cells."""
  maps = model.preprocessing
  return maps.rounded(batch) if isinstance(maps, data.ColumnMaps) else batch


def draw_pictures(flow: Any, config: SampleConfig, contexts: np.ndarray | None) -> None:
  """A gallery of the samples."""
  shape, number = flow.event_shape, config.n if contexts is None else len(contexts)
  if shape.rank != 3 or number > MOST_PICTURES:
    asked = f'--n={number}' if contexts is None else f'{number} contexts'
    raise ValueError(
      f'`--output` {config.output} takes up to {MOST_PICTURES} pictures, got {asked} of '
      f'shape {shape.as_list()}: use a .npy or .csv.'
    )
  try:
    plotting.save(
      plotting.gallery(np.concatenate(list(batches(flow, config, contexts)))), config.output
    )
  except ImportError as error:
    raise ValueError("matplotlib is missing: pip install 'ma_keras[plot]'.") from error


def draw_structures(model: model_file.Model, flow: Any, config: SampleConfig) -> None:
  """A frame of XYZ for every sample of particles, with their kinds and box."""
  base = model.base
  if not isinstance(base, bases.MeanFreeNormal | bases.PeriodicUniform):
    raise ValueError(
      f'`--output` {config.output} takes positions of particles, and `--model` {config.model} has '
      'none: use a .npy or .csv.'
    )
  rows = np.concatenate(list(batches(flow, config)))
  pairing = pairing_of(model, base)
  frames = pairing.wrapped(rows).reshape(-1, pairing.particles, pairing.dimensions)
  try:
    structures.write(config.output, frames, species=pairing.species, box=pairing.box)
  except ImportError as error:
    raise ValueError(str(error)) from error


def pairing_of(
  model: model_file.Model, base: bases.MeanFreeNormal | bases.PeriodicUniform
) -> Pairing:
  """Particles and box of the base, and the species that the potential tells apart."""
  if isinstance(base, bases.PeriodicUniform):
    box, dimensions = base.box, len(base.box)
  else:
    box, dimensions = None, base.dimensions
  parts = (getattr(part, 'pairing', None) for part in model.bijector.submodules)
  kinds = (part.species for part in parts if isinstance(part, Pairing))
  species = next((kind for kind in kinds if kind is not None), None)
  return Pairing.of(base.particles, dimensions, species, box)


def work(config: SampleConfig) -> None:
  """Draws and writes."""
  model = model_app.load(config)
  check_apart(config.output, config.model)
  target(pathlib.Path(config.output))  # Fails now if it cannot be a file.
  flow = model.latent_flow() if config.unconstrained else model.flow()
  contexts = contexts_of(model, config)
  if config.output.endswith('.png'):
    return draw_pictures(flow, config, contexts)
  if config.output.endswith('.xyz'):
    return draw_structures(model, flow, config)
  shape = tuple(flow.event_shape.as_list())
  numbered = [f'x{i}' for i in range(int(np.prod(shape)))]
  header = numbered if config.unconstrained else list(model.columns or numbered)
  count = config.n if contexts is None else len(contexts)
  with writing(config.output, count, shape, header, flow.dtype.as_numpy_dtype) as write:
    for batch in batches(flow, config, contexts):
      write(batch if config.unconstrained else as_data(model, batch))


def main(config: SampleConfig) -> None:
  """See `work`."""
  model_app.main(config, work)
