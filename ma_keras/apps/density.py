"""Density estimation of images or vectors (paper, section 4.1, Table 1 and Figure 3).

from ma_keras.apps import density
from ma_keras.apps.configuration import DensityConfig

run = density.carry_out(DensityConfig(dataset_file='points.csv'))
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

import ma_keras
from ma_keras import bases, data, fitting, training
from ma_keras.apps import (
  density_data,
  density_figures,
  density_potential,
  density_table,
  training_app,
)
from ma_keras.apps.configuration import penalty
from ma_keras.apps.configuration.density import DensityConfig
from ma_keras.saving import export
from ma_keras.training import parameter_server
from ma_keras.training import strategy as strategies

Stream = Callable[[int], Any]


def build_model(
  points: data.Dataset, config: DensityConfig, start: fitting.Start | None = None
) -> training.MaximumLikelihood:
  """The compiled Keras model; call within the strategy's scope."""
  potential = density_potential.build(points, config)
  if start:
    density_table.begin_as_identity(potential)
  model = training.MaximumLikelihood(
    training_app.build_bijector(potential, config),
    start.maps if start else data.for_dataset(points),
    config.batch_size,
    config.seed,
    penalty.parse(config.penalty, training.PENALTIES),
    base=start.base if start else None,
  )
  return training_app.compiled(model, steps_per_epoch(points, config), config)


def steps_per_epoch(points: data.Dataset, config: DensityConfig) -> int:
  """Every training point once, or as many passes as suit a table."""
  if density_table.is_table(points):
    return density_table.steps_per_epoch(points, config)
  return max(len(points.train) // config.batch_size, 1)


def set_up(
  config: DensityConfig, run: training.RunDirectory
) -> tuple[DensityConfig, tf.distribute.Strategy, data.Dataset, training.MaximumLikelihood, Stream]:
  """Everything that can fail for an option's sake, and values by the size of a table."""
  strategy = strategies.make(config.strategy, config.tpu)
  strategies.check_compiled(strategy, config.strategy, config.jit_compile)
  points = density_data.load(config, run.root)
  start: fitting.Start | None = None
  surveyed: tuple[data.columns.Column, ...] = ()
  if density_table.is_table(points):
    config = config.with_defaults(**density_table.settings(points, config))
    rise = density_table.warmup_steps(points, config)  # Of the batch size that is now chosen.
    config = config.with_defaults(warmup_steps=rise)
    surveyed = density_table.surveyed(points, config.column_kind)
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
  return config, strategy, points, model, stream


def training_stream(
  config: DensityConfig, points: data.Dataset, model: training.MaximumLikelihood
) -> Stream:
  """k -> batches from number k on; with parameter servers every worker makes its own, from any."""
  if parameter_server.is_asynchronous(model.distribute_strategy):
    workers = parameter_server.for_workers(
      lambda worker: worker_batches(points.train, worker, config)
    )
    return lambda _: workers
  return functools.partial(data.batches, points.train, config.batch_size, config.seed)


def worker_batches(x: np.ndarray, worker: tf.Tensor, config: DensityConfig) -> tf.data.Dataset:
  """All points, in an order of this worker's own in every epoch, on TensorFlow's operations alone.

  They travel to the worker within a graph, which 2 GB bound.
  """
  numbers = tf.range(config.batch_size, dtype=tf.int64) + worker * config.batch_size
  shuffled = tf.data.Dataset.from_tensor_slices(x).shuffle(len(x), config.seed + worker)
  batched = shuffled.batch(config.batch_size, drop_remainder=True).repeat()
  return data.untuned(batched.map(lambda points: (numbers, points)).prefetch(8))


def validation(
  config: DensityConfig, points: data.Dataset, model: training.MaximumLikelihood
) -> training.Validation:
  """The callback that validates, on points with noise that never changes."""
  rows = points.validation[: config.validation_points or None]
  cell_sizes = getattr(model.preprocessing, 'cell_sizes', None)
  x = data.dequantised(rows, config.split_seed, cell_sizes=cell_sizes)
  y = training.to_latent_space(model.preprocessing, x, config.eval_batch_size)
  return training.Validation(y, config.eval_batch_size, jit_compile=config.jit_compile)


def train(
  config: DensityConfig,
  points: data.Dataset,
  stream: Stream,
  model: training.MaximumLikelihood,
  run: training.RunDirectory,
  best: training.BestWeights,
) -> None:
  """Maximises the likelihood; the guard comes early, so that what it stops is not saved."""
  chief = strategies.is_chief(model.distribute_strategy)
  logs = [best, *training_app.logs(run)] if chief else []
  callbacks = [validation(config, points, model), guard(run)]
  callbacks += [*refinement(config, model, points), *logs]
  if config.patience:
    name = 'val_certified_nll'
    callbacks.append(training.Patience(name, config.patience, history(run, name)))
  training_app.fit(config, model, stream, steps_per_epoch(points, config), run, callbacks)


def history(run: training.RunDirectory, name: str) -> np.ndarray:
  """A column of the run's metrics, one value for each epoch behind it; empty before the first."""
  metrics = run.read_metrics() if run.metrics.exists() else {}
  return metrics.get(name, np.array([]))


def least(values: np.ndarray) -> float:
  """The least finite value; infinity of none."""
  return float(np.min(values[np.isfinite(values)], initial=math.inf))


def guard(run: training.RunDirectory) -> training.DivergenceGuard:
  """The guard against divergence, with what it knew when the run was interrupted."""
  validated = history(run, 'val_nll')
  return training.DivergenceGuard(
    'nll',
    best=least(validated),
    first=float(validated[0]) if validated.size else None,
    best_training=least(history(run, 'nll')),
  )


def refinement(
  config: DensityConfig, model: training.MaximumLikelihood, points: data.Dataset
) -> list[training.Refinement]:
  """The callback that doubles the number of steps as --refine_tolerance says."""

  def error(bijector: ma_keras.MongeAmpereBijector) -> float:
    few = points.validation[: 4 * config.eval_batch_size]
    likelihood = measure(config, bijector, model, few, points.levels, tolerance=math.inf)
    return likelihood.integration_error

  return [training.Refinement(error, config.refine_tolerance)] if config.refine_tolerance else []


def measure(
  config: DensityConfig,
  bijector: ma_keras.MongeAmpereBijector,
  model: training.MaximumLikelihood,
  x: np.ndarray,
  levels: int | None,
  draws: int = 1,
  tolerance: float = 0.1,
  least_steps: int = 0,
) -> training.Likelihood:
  """The likelihood of these points under the model's preprocessing."""
  return training.measure_likelihood(
    bijector,
    model.preprocessing,
    x,
    levels,
    config.eval_batch_size,
    config.seed,
    draws,
    tolerance,
    least_steps,
    model.base,
  )


def report(
  config: DensityConfig,
  points: data.Dataset,
  model: training.MaximumLikelihood,
  run: training.RunDirectory,
  doubts: str,
) -> str:
  """Measures the model on test data, writes what is to be kept, and prints the result.

  Files keep the model in as many steps as its likelihood is certified in.

  Args:
    config: As the run has it.
    points: The data.
    model: With the weights to be reported.
    run: Where files go.
    doubts: What is already known to be wrong with the training, empty if nothing is.

  Returns:
    The doubts, or those of the measurement where there were none.
  """
  x = points.test[: config.eval_points or None]
  result = measure(
    config,
    model.bijector,
    model,
    x,
    points.levels,
    config.eval_draws,
    least_steps=config.eval_steps,
  )
  doubts = doubts or result.doubts()
  comparison = ''
  if density_table.is_table(points):
    comparison, worse = density_table.compared(config, points, model, result.certified_steps)
    doubts = doubts or worse
  model.bijector = training_app.in_steps(model.bijector, result.certified_steps)
  training_app.write_weights(model.bijector, run)
  notes = {**density_data.notes(config), **summary(config, points, model, result), 'doubts': doubts}
  shape = points.event_shape if len(points.event_shape) > 1 else None
  base = model.base if isinstance(model.base, bases.Mixture) else None
  trained = ma_keras.model_file.Model(
    model.bijector, model.preprocessing, shape, notes, base, points.columns
  )
  ma_keras.model_file.save(run.model, trained)
  if config.saved_model:
    export.save(trained.flow(), run.saved_model, trained.latent_flow())
  run.write_summary(notes)
  if config.figures:
    draw_figures(points, model, run)
  print(f'{result}; {comparison}' if comparison else result)
  return doubts


def summary(
  config: DensityConfig,
  points: data.Dataset,
  model: training.MaximumLikelihood,
  result: training.Likelihood,
) -> dict[str, Any]:
  """Facts about the trained model, as plain values."""
  return {
    'dataset': points.name,
    'split_seed': config.split_seed,
    'seed': config.seed,
    'version': ma_keras.__version__,
    'parameters': sum(int(np.prod(v.shape)) for v in model.trainable_variables),
    **dataclasses.asdict(result),
  }


def draw_figures(
  points: data.Dataset, model: training.MaximumLikelihood, run: training.RunDirectory
) -> None:
  """All figures, where matplotlib is to be had."""
  try:
    density_figures.draw(points, model, run)
  except ImportError:
    logging.warning("No figures: matplotlib is missing. pip install -e '.[plot]'")


def work(
  run: training.RunDirectory,
  config: DensityConfig,
  strategy: tf.distribute.Strategy,
  points: data.Dataset,
  model: training.MaximumLikelihood,
  stream: Stream,
) -> None:
  """Trains, measures and reports the weights that were best on validation data.

  They are reported after a stop as well, before it is told.
  """
  best = training.BestWeights(
    model, run.best, 'val_certified_nll', least(history(run, 'val_certified_nll'))
  )
  doubts = ''
  if density_table.is_table(points):
    try_first_weights(config, points, stream, model, run)
    compete_with_start(config, points, model, best)
  try:
    train(config, points, stream, model, run, best)
  except training.TrainingStopped as error:
    if not math.isfinite(best.least):
      raise
    doubts = str(error)
  if strategies.is_chief(strategy):
    best.restore()
    doubts = doubts or last_epoch_doubts(run, model.bijector.horizon.num_steps)
    doubts = report(config, points, model, run, doubts)
    if doubts:
      raise training.TrainingStopped(doubts)


def try_first_weights(
  config: DensityConfig,
  points: data.Dataset,
  stream: Stream,
  model: training.MaximumLikelihood,
  run: training.RunDirectory,
) -> None:
  """Begins with the best of --tries first weights, where nothing was trained yet."""
  if config.tries == 1 or training.saved_epochs(run.backup):
    return
  steps = steps_per_epoch(points, config)
  options = {'epochs': config.epochs, 'steps_per_epoch': steps, 'verbose': 0}
  density_table.begin_with_the_best(
    config.patience or config.epochs,
    model,
    lambda callbacks: model.fit(stream(0), callbacks=callbacks, **options),
    validation(config, points, model),
    density_table.first_potentials(points, config),
  )


def compete_with_start(
  config: DensityConfig,
  points: data.Dataset,
  model: training.MaximumLikelihood,
  best: training.BestWeights,
) -> None:
  """The identity, with which training begins, is the best flow until an epoch is better."""
  nll = -float(np.mean(model.base.log_prob(validation(config, points, model).points)))
  if math.isfinite(best.least):  # A run that goes on: the start's weights were kept if they are it.
    best.least = min(best.least, nll)
  else:
    best.on_epoch_end(-1, {best.metric: nll})


def last_epoch_doubts(run: training.RunDirectory, trained_steps: int) -> str:
  """Says that the last epoch cheated its integrator, in one line; empty if it did not.

  The weights of an earlier epoch, which are the ones reported, may be honest for all that.
  """
  names = ('val_nll', 'val_nll_error', 'val_step_error', 'val_steps', 'val_certified_nll')
  columns = [history(run, name) for name in names]
  if not all(column.size for column in columns):
    return ''
  nll, error, step_error, num_steps, certified = (float(column[-1]) for column in columns)
  if math.isfinite(certified):
    text = training.cheated(nll + step_error, trained_steps, nll, error)
  else:
    text = (
      f'The likelihood does not stand still to 0.1 nats in {num_steps:.0f} steps: {training.REMEDY}'
    )
  return text and (
    f'The last epoch cheated its integrator, on validation data. {text} The result above is of '
    'the best epoch that did not.'
  )


def carry_out(config: DensityConfig) -> training.RunDirectory:
  """Trains, measures and reports in this process; returns the directory of the run.

  Raises:
    ValueError: An option, a file or what the directory holds is wrong.
    TrainingStopped: Training was stopped, or the result is in doubt.
  """
  return training_app.carry_out(config, set_up, work)


def main(config: DensityConfig) -> None:
  """Does so as a command: see `training_app.ending`."""
  training_app.main(config, carry_out)
