"""Density estimation of images or vectors (paper, section 4.1, Table 1 and Figure 3).

  python apps/mnist_main.py --flagfile=apps/flagfiles/mnist_quick.flags

Trains a Monge-Ampere flow on Eq. (6), resumes where a killed run stopped, and ends with one
line: the test likelihood of the weights that were best on validation data, with its errors.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from absl import flags, logging

import ma_keras
from ma_keras import bases, data, fitting, training
from ma_keras.apps import (
  density_data,
  density_figures,
  density_potential,
  density_table,
  training_app,
)
from ma_keras.saving import export
from ma_keras.training import parameter_server, penalties
from ma_keras.training import strategy as strategies

FLAGS = flags.FLAGS
Stream = Callable[[int], Any]
flags.adopt_module_key_flags(training_app)
flags.adopt_module_key_flags(density_data)
flags.adopt_module_key_flags(density_potential)
flags.adopt_module_key_flags(density_table)
flags.DEFINE_integer('eval_points', 0, 'Test points of the measurement; 0: all.', lower_bound=0)
flags.DEFINE_integer('eval_draws', 2, 'Draws of dequantisation noise each.', lower_bound=1)
flags.DEFINE_integer(
  'eval_steps', 0, 'Measure the test likelihood with at least so many steps.', lower_bound=0
)
flags.DEFINE_integer(
  'validation_points', 0, 'Validation points looked at every epoch; 0: all.', lower_bound=0
)

# Layers of a thousand units are thrown off by the rate that free energies are trained at, and by
# longer gradients.
DEFAULTS: dict[str, Any] = {
  'penalty': penalties.written(training.PENALTIES),
  'learning_rate': 1e-3,
  'gradient_clip': 1.0,
}
# A run cannot change these on the way: they make the model and what it is trained for.
MODEL_FLAGS = (
  *(*density_data.DATA_FLAGS, 'seed', 'batch_size', 'penalty'),
  *('hidden_units', 'dense_start', 'local'),
  *('separable_units', 'separable_spread', 'separable_steepness'),
  *('basis_size', 'num_steps', 'step_size', 'integrator', 'step_jitter', 'refine_tolerance'),
  *('optimizer', 'accumulate', 'column_kind', 'base', 'tries'),
)


def build_model(
  points: data.Dataset, start: fitting.Start | None = None
) -> training.MaximumLikelihood:
  """The compiled Keras model; call within the strategy's scope."""
  potential = density_potential.build(points)
  if start:
    density_table.begin_as_identity(potential)
  model = training.MaximumLikelihood(
    training_app.build_bijector(potential),
    start.maps if start else data.for_dataset(points),
    FLAGS.batch_size,
    FLAGS.seed,
    penalties.parse(FLAGS.penalty, training.PENALTIES),
    base=start.base if start else None,
  )
  return training_app.compiled(model, steps_per_epoch(points))


def steps_per_epoch(points: data.Dataset) -> int:
  """Every training point once, or as many passes as suit a table."""
  if density_table.is_table(points):
    return density_table.steps_per_epoch(points)
  return max(len(points.train) // FLAGS.batch_size, 1)


def set_up(
  run: training.RunDirectory, flag_lines: dict[str, str]
) -> tuple[tf.distribute.Strategy, data.Dataset, training.MaximumLikelihood, Stream]:
  """Everything that can fail for a flag's sake, before any work is done."""
  strategy = strategies.make(FLAGS.strategy, FLAGS.tpu)
  strategies.check_compiled(strategy, FLAGS.strategy, FLAGS.jit_compile)
  points = density_data.load()
  start: fitting.Start | None = None
  surveyed: tuple[data.columns.Column, ...] = ()
  if density_table.is_table(points):
    training_app.use_defaults(density_table.settings(points), flag_lines)
    rise = density_table.warmup_steps(points)  # Of the batch size that is now chosen.
    training_app.use_defaults({'warmup_steps': rise}, flag_lines)
    surveyed = density_table.surveyed(points)
    start = density_table.start(points, surveyed, run)
  with strategy.scope():
    model = build_model(points, start)
  stream = training_stream(points, model)
  stream(0)  # Fewer points than a batch are met here.
  if strategies.is_chief(strategy):
    splits = (points.train, points.validation, points.test)
    arrays = {} if FLAGS.dataset_file else {'dataset': splits}
    training_app.prepare(run, flag_lines, MODEL_FLAGS, 'density', arrays)
    if start:
      density_table.report(points, surveyed, run)
      density_table.keep(start, model.bijector, run)
  return strategy, points, model, stream


def training_stream(points: data.Dataset, model: training.MaximumLikelihood) -> Stream:
  """k -> batches from number k on; with parameter servers every worker makes its own, from any."""
  if parameter_server.is_asynchronous(model.distribute_strategy):
    workers = parameter_server.for_workers(lambda worker: worker_batches(points.train, worker))
    return lambda _: workers
  return functools.partial(data.batches, points.train, FLAGS.batch_size, FLAGS.seed)


def worker_batches(x: np.ndarray, worker: tf.Tensor) -> tf.data.Dataset:
  """All points, in an order of this worker's own in every epoch, on TensorFlow's operations alone.

  They travel to the worker within a graph, which 2 GB bound.
  """
  numbers = tf.range(FLAGS.batch_size, dtype=tf.int64) + worker * FLAGS.batch_size
  shuffled = tf.data.Dataset.from_tensor_slices(x).shuffle(len(x), FLAGS.seed + worker)
  batched = shuffled.batch(FLAGS.batch_size, drop_remainder=True).repeat()
  return data.untuned(batched.map(lambda points: (numbers, points)).prefetch(8))


def validation(points: data.Dataset, model: training.MaximumLikelihood) -> training.Validation:
  """The callback that validates, on points with noise that never changes."""
  rows = points.validation[: FLAGS.validation_points or None]
  cell_sizes = getattr(model.preprocessing, 'cell_sizes', None)
  x = data.dequantised(rows, FLAGS.split_seed, cell_sizes=cell_sizes)
  y = training.to_latent_space(model.preprocessing, x, FLAGS.eval_batch_size)
  return training.Validation(y, FLAGS.eval_batch_size, jit_compile=FLAGS.jit_compile)


def train(
  points: data.Dataset,
  stream: Stream,
  model: training.MaximumLikelihood,
  run: training.RunDirectory,
  best: training.BestWeights,
) -> None:
  """Maximises the likelihood; the guard comes early, so that what it stops is not saved."""
  chief = strategies.is_chief(model.distribute_strategy)
  logs = [best, *training_app.logs(run)] if chief else []
  callbacks = [validation(points, model), guard(run), *refinement(model, points), *logs]
  if FLAGS.patience:
    name = 'val_certified_nll'
    callbacks.append(training.Patience(name, FLAGS.patience, history(run, name)))
  training_app.fit(model, stream, steps_per_epoch(points), run, callbacks)


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
  model: training.MaximumLikelihood, points: data.Dataset
) -> list[training.Refinement]:
  """The callback that doubles the number of steps as --refine_tolerance says."""

  def error(bijector: ma_keras.MongeAmpereBijector) -> float:
    few = points.validation[: 4 * FLAGS.eval_batch_size]
    return measure(bijector, model, few, points.levels, tolerance=math.inf).integration_error

  return [training.Refinement(error, FLAGS.refine_tolerance)] if FLAGS.refine_tolerance else []


def measure(
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
    FLAGS.eval_batch_size,
    FLAGS.seed,
    draws,
    tolerance,
    least_steps,
    model.base,
  )


def report(
  points: data.Dataset,
  model: training.MaximumLikelihood,
  run: training.RunDirectory,
  doubts: str,
) -> str:
  """Measures the model on test data, writes what is to be kept, and prints the result.

  Files keep the model in as many steps as its likelihood is certified in.

  Args:
    points: The data.
    model: With the weights to be reported.
    run: Where files go.
    doubts: What is already known to be wrong with the training, empty if nothing is.

  Returns:
    The doubts, or those of the measurement where there were none.
  """
  x = points.test[: FLAGS.eval_points or None]
  result = measure(
    model.bijector, model, x, points.levels, FLAGS.eval_draws, least_steps=FLAGS.eval_steps
  )
  doubts = doubts or result.doubts()
  comparison = ''
  if density_table.is_table(points):
    comparison, worse = density_table.compared(points, model, result.certified_steps)
    doubts = doubts or worse
  model.bijector = training_app.in_steps(model.bijector, result.certified_steps)
  training_app.write_weights(model.bijector, run)
  notes = {**density_data.notes(), **summary(points, model, result), 'doubts': doubts}
  shape = points.event_shape if len(points.event_shape) > 1 else None
  base = model.base if isinstance(model.base, bases.Mixture) else None
  trained = ma_keras.model_file.Model(
    model.bijector, model.preprocessing, shape, notes, base, points.columns
  )
  ma_keras.model_file.save(run.model, trained)
  if FLAGS.saved_model:
    export.save(trained.flow(), run.saved_model, trained.latent_flow())
  run.write_summary(notes)
  if FLAGS.figures:
    draw_figures(points, model, run)
  print(f'{result}; {comparison}' if comparison else result)
  return doubts


def summary(
  points: data.Dataset, model: training.MaximumLikelihood, result: training.Likelihood
) -> dict[str, Any]:
  """Facts about the trained model, as plain values."""
  return {
    'dataset': points.name,
    'split_seed': FLAGS.split_seed,
    'seed': FLAGS.seed,
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
    try_first_weights(points, stream, model, run)
    compete_with_start(points, model, best)
  try:
    train(points, stream, model, run, best)
  except training.TrainingStopped as error:
    if not math.isfinite(best.least):
      raise
    doubts = str(error)
  if strategies.is_chief(strategy):
    best.restore()
    doubts = doubts or last_epoch_doubts(run, model.bijector.horizon.num_steps)
    doubts = report(points, model, run, doubts)
    if doubts:
      raise training.TrainingStopped(doubts)


def try_first_weights(
  points: data.Dataset,
  stream: Stream,
  model: training.MaximumLikelihood,
  run: training.RunDirectory,
) -> None:
  """Begins with the best of --tries first weights, where nothing was trained yet."""
  if FLAGS.tries == 1 or training.saved_epochs(run.backup):
    return
  options = {'epochs': FLAGS.epochs, 'steps_per_epoch': steps_per_epoch(points), 'verbose': 0}
  density_table.begin_with_the_best(
    model,
    lambda callbacks: model.fit(stream(0), callbacks=callbacks, **options),
    validation(points, model),
    density_table.first_potentials(points),
  )


def compete_with_start(
  points: data.Dataset, model: training.MaximumLikelihood, best: training.BestWeights
) -> None:
  """The identity, with which training begins, is the best flow until an epoch is better."""
  nll = -float(np.mean(model.base.log_prob(validation(points, model).points)))
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


def main(argv: list[str]) -> None:
  """See `work`."""
  training_app.main(argv, sys.modules[__name__], f'runs/{FLAGS.dataset}')
