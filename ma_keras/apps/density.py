"""Density estimation of images or vectors (paper, section 4.1, Table 1 and Figure 3).

from ma_keras.apps import density
from ma_keras.apps.configuration import DensityConfig

run = density.carry_out(DensityConfig(dataset_file='points.csv'))
"""

from __future__ import annotations

import math

import numpy as np

from ma_keras import training
from ma_keras.apps import density_context, density_table, training_app
from ma_keras.apps.configuration.density import DensityConfig
from ma_keras.apps.density_callbacks import (
  best_metric,
  guard,
  patience,
  ranking,
  refinement,
  validation,
)
from ma_keras.apps.density_experiment import Experiment, set_up
from ma_keras.apps.density_report import last_epoch_doubts, report


def carry_out(config: DensityConfig) -> training.RunDirectory:
  """Trains, measures and reports in this process; returns the directory of the run.

  Raises:
    ValueError: An option, a file or what the directory holds is wrong.
    TrainingStopped: Training was stopped, or the result is in doubt.
  """
  return training_app.carry_out(config, set_up, work)


def work(experiment: Experiment) -> None:
  """Trains, measures and reports the weights that were best on validation data.

  They are reported after a stop as well, before it is told.
  """
  run, model, metric = experiment.run, experiment.model, best_metric(experiment)
  least = training_app.least(training_app.history(run, metric))
  best = training.BestWeights(model, run.best, metric, least)
  doubts = ''
  if density_table.is_table(experiment.points):
    try_first_weights(experiment)
    compete_with_start(experiment, best)
  try:
    train(experiment, best)
  except training.TrainingStopped as error:
    if not math.isfinite(best.least):
      raise
    doubts = str(error)
  if experiment.is_chief:
    best.restore()
    doubts = doubts or last_epoch_doubts(run, model.bijector.horizon.num_steps)
    if model.constrained is not None:  # The start has the least energy, and may break the bound.
      doubts = doubts or model.constrained.rank_doubts(best.least)
    elif not experiment.config.discrimination and density_table.is_table(experiment.points):
      density_table.keep_start_without_gain(model, validation(experiment))
    doubts = report(experiment, doubts)
    if doubts:
      raise training.TrainingStopped(doubts)


def train(experiment: Experiment, best: training.BestWeights) -> None:
  """Maximises the likelihood; the guard comes early, so that what it stops is not saved."""
  run = experiment.run
  validated = validation(experiment)
  first = [validated, *ranking(experiment, validated)]
  callbacks = [*first, guard(run), *refinement(experiment)]
  if experiment.is_chief:
    callbacks += [best, *training_app.logs(run)]
  training_app.fit(
    experiment.config,
    experiment.model,
    stream=experiment.stream,
    steps_per_epoch=experiment.steps_per_epoch,
    run=run,
    callbacks=[*callbacks, *patience(experiment)],
  )


def try_first_weights(experiment: Experiment) -> None:
  """Begins with the best of --tries first weights, where nothing was trained yet."""
  config, model, stream = experiment.config, experiment.model, experiment.stream
  if config.tries == 1 or training.saved_epochs(experiment.run.backup):
    return
  options = {'epochs': config.epochs, 'steps_per_epoch': experiment.steps_per_epoch, 'verbose': 0}
  density_table.begin_with_the_best(
    config.patience or config.epochs,
    model,
    lambda callbacks: model.fit(stream(0), callbacks=callbacks, **options),
    validation=validation(experiment),
    first=density_table.first_potentials(experiment.points, config),
  )


def compete_with_start(experiment: Experiment, best: training.BestWeights) -> None:
  """The identity, with which training begins, is the best flow until an epoch is better."""
  model = experiment.model
  nll = -density_table.start_log_prob(model, validation(experiment).points)
  value, error = float(np.mean(nll)), float(np.std(nll) / np.sqrt(len(nll)))
  if model.constrained is not None:  # The identity moves nothing.
    value = model.constrained.rank(0.0, value, error)
  if experiment.config.discrimination:  # Nor does it tell classes apart.
    classes = model.discrimination
    value += classes.weight * density_context.chance(classes.prior)
  if math.isfinite(best.least):  # A run that goes on: the start's weights were kept if they are it.
    best.least = min(best.least, value)
  else:
    best.on_epoch_end(-1, {best.metric: value})


def main(config: DensityConfig) -> None:
  """Does so as a command: see `training_app.ending`."""
  training_app.main(config, carry_out)
