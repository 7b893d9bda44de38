"""An experiment of the density app: its data, its model, and its batches."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras import data, fitting, training
from ma_keras.apps import (
  density_context,
  density_data,
  density_potential,
  density_table,
  training_app,
)
from ma_keras.apps.configuration import penalty
from ma_keras.apps.configuration.density import DensityConfig
from ma_keras.training import parameter_server
from ma_keras.training import strategy as strategies

Stream = Callable[[int], Any]


@dataclasses.dataclass(frozen=True)
class Experiment:
  """All that a run is made of.

  Attributes:
    config: The configuration, with values by the size of a table.
    run: The directory.
    strategy: The devices.
    points: The data.
    model: Compiled.
    stream: k -> batches of training points from number k on.
  """

  config: DensityConfig
  run: training.RunDirectory
  strategy: tf.distribute.Strategy
  points: data.Dataset
  model: training.MaximumLikelihood
  stream: Stream

  @property
  def steps_per_epoch(self) -> int:
    """Training steps of an epoch."""
    return density_table.steps_per_epoch(self.points, self.config)

  @property
  def is_chief(self) -> bool:
    """Tells if this process writes files."""
    return strategies.is_chief(self.strategy)


def set_up(config: DensityConfig, run: training.RunDirectory) -> Experiment:
  """Everything that can fail for an option's sake, and values by the size of a table."""
  strategy = strategies.make(config.strategy, config.tpu)
  strategies.check_compiled(strategy, config.strategy, config.jit_compile)
  density_context.check(config)
  kinds = data.columns.categories_from_flag(config.column_kind, config.context_columns)
  categorical, column_kind = kinds
  points = density_data.load(config, run.root, categorical=categorical)
  check_shifts(points, config)
  start: fitting.Start | None = None
  surveyed: tuple[data.columns.Column, ...] = ()
  if density_table.is_table(points):
    if config.start_from:
      raise ValueError(
        '`--start_from` goes with images: the maps of columns are those of a table itself.'
      )
    if config.latent_components:
      raise ValueError(
        f'`--latent_components` {config.latent_components} goes with images: the maps of columns '
        'make all directions of a table vary alike; leave it out, and --latent_units see them all.'
      )
    config = config.with_defaults(**density_table.settings(points, config))
    rise = density_table.warmup_steps(points, config)  # Of the batch size that is now chosen.
    config = config.with_defaults(warmup_steps=rise)
    density_potential.check_segments(config)  # Before anything that takes its time.
    surveyed = density_table.surveyed(points, column_kind)
    start = density_table.start(config, points, surveyed, run)
  with strategy.scope():
    model = build_model(points, config, start)
  stream = training_stream(config, points, model)
  stream(0)  # Fewer points than a batch are met here.
  if strategies.is_chief(strategy):
    splits = (points.train, points.validation, points.test)
    arrays = {} if config.dataset_file else {'dataset': splits}
    training_app.prepare(config, run, 'density', arrays)
    if start:
      density_table.report(points, surveyed, run)
      density_table.keep(start, model.bijector, run)
    if points.contexts:
      density_context.report(points)
  return Experiment(config, run, strategy, points, model, stream)


def check_shifts(points: data.Dataset, config: DensityConfig) -> None:
  """Raises ValueError where --shift_pixels moves what is no image, or too far, or on workers."""
  if not config.shift_pixels:
    return
  if not points.is_image or config.shift_pixels > min(points.event_shape[:2]):
    raise ValueError(
      f'`--shift_pixels` {config.shift_pixels} needs images of at least so many pixels a side, got '
      f'points of shape {points.event_shape}.'
    )
  if config.strategy == 'parameter_server':
    raise ValueError(
      '`--shift_pixels` with --strategy=parameter_server: workers make batches of their own, which '
      'are not moved; choose another --strategy.'
    )


def build_model(
  points: data.Dataset, config: DensityConfig, start: fitting.Start | None = None
) -> training.MaximumLikelihood:
  """The compiled Keras model; call within the strategy's scope."""
  bijector = density_potential.build_flow(points, config)
  if start:
    density_table.begin_as_identity(bijector)
  model: training.MaximumLikelihood
  if points.contexts:
    model = density_context.build_model(points, config, bijector, start)
  else:
    model = training.MaximumLikelihood(
      bijector,
      start.maps if start else data.for_dataset(points),
      config.batch_size,
      config.seed,
      penalty.parse(config.penalty, training.PENALTIES),
      base=start.base if start else None,
      constrained=training_app.constrained(config),
    )
  if config.start_from:
    density_potential.begin_with(model, config.start_from)
  return training_app.compiled(model, density_table.steps_per_epoch(points, config), config)


def training_stream(
  config: DensityConfig, points: data.Dataset, model: training.MaximumLikelihood
) -> Stream:
  """k -> batches from number k on; with parameter servers every worker makes its own, from any."""
  if parameter_server.is_asynchronous(model.distribute_strategy):
    workers = parameter_server.for_workers(
      lambda worker: worker_batches(points.train, worker, config)
    )
    return lambda _: workers

  def shifted(rows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return data.shifted(rows, points.event_shape, config.shift_pixels, generator)

  change = shifted if config.shift_pixels else None
  batches = functools.partial(
    data.batches, points.train, config.batch_size, config.seed, change=change
  )
  return (lambda k: batches(k).map(_without_numbers)) if points.contexts else batches


@tf.autograph.experimental.do_not_convert
def _without_numbers(numbers: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
  """Rows of contexts and points, which pairs are taken for otherwise."""
  del numbers
  return x


def worker_batches(x: np.ndarray, worker: tf.Tensor, config: DensityConfig) -> tf.data.Dataset:
  """All points, in an order of this worker's own in every epoch, on TensorFlow's operations alone.

  They travel to the worker within a graph, which 2 GB bound.
  """
  numbers = tf.range(config.batch_size, dtype=tf.int64) + worker * config.batch_size
  shuffled = tf.data.Dataset.from_tensor_slices(x).shuffle(len(x), config.seed + worker)
  batched = shuffled.batch(config.batch_size, drop_remainder=True).repeat()
  return data.untuned(batched.map(lambda points: (numbers, points)).prefetch(8))
