"""Result of the density app: what is measured, written, drawn and doubted at the end of a run."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from absl import logging

import ma_keras
from ma_keras import data, fitting, training
from ma_keras.apps import (
  density_classes,
  density_data,
  density_figures,
  density_table,
  training_app,
)
from ma_keras.apps.density_callbacks import measure
from ma_keras.apps.density_experiment import Experiment
from ma_keras.saving import export

# Training images that the baseline takes at most, and pixels of all of them; their order is random.
MOST_IMAGES = 10_000
MOST_PIXELS = 50_000_000


def report(experiment: Experiment, doubts: str) -> str:
  """Measures the model on test data, writes what is to be kept, and prints the result.

  Files keep the model in as many steps as its likelihood is certified in.

  Args:
    experiment: With the weights to be reported.
    doubts: What is already known to be wrong with the training, empty if nothing is.

  Returns:
    The doubts, or those of the measurement where there were none.
  """
  config, points, model = experiment.config, experiment.points, experiment.model
  x, draws = points.test[: config.eval_points or None], config.eval_draws
  result = measure(experiment, x, model.bijector, draws, least_steps=config.eval_steps)
  doubts = doubts or result.doubts()
  comparison = ''
  if density_table.is_table(points):
    comparison, worse = density_table.compared(config, points, model, result.certified_steps)
    doubts = doubts or worse
  classes = density_classes.of_run(experiment, result)
  doubts = doubts or (classes.doubts() if classes else '')
  model.bijector = model.bijector.in_steps(result.certified_steps)
  figures = {**summary(experiment, result), **(dataclasses.asdict(classes) if classes else {})}
  notes = {**density_data.notes(config), **figures, 'doubts': doubts}
  write(experiment, notes)
  if points.levels and result.bits_per_dimension is not None:
    comparison = compared_with_pixels(points, x, points.levels, result.bits_per_dimension)
  if config.figures:
    draw_figures(points, model, experiment.run)
  print('; '.join(text for text in (str(result), comparison, str(classes or '')) if text))
  return doubts


def compared_with_pixels(
  points: data.Dataset, test: np.ndarray, levels: int, bits_per_dimension: float
) -> str:
  """Says how much better, or worse, a model of images is than independent pixels."""
  number = min(MOST_IMAGES, max(MOST_PIXELS // points.event_size, 1))
  train = points.parts(points.train[:number])[1]
  pixels = fitting.independent_pixel_bits(train, points.parts(test)[1], levels)
  gain = pixels - bits_per_dimension
  return (
    f'{abs(gain):.2f} bits {"better" if gain >= 0 else "worse"} than independent pixels '
    f'({pixels:.2f})'
  )


def write(experiment: Experiment, notes: dict[str, Any]) -> None:
  """Writes the weights, the model with these notes, and the notes alone."""
  run, points, model = experiment.run, experiment.points, experiment.model
  training_app.write_weights(model.bijector, run)
  trained = dataclasses.replace(density_figures.as_model(points, model), notes=notes)
  ma_keras.model_file.save(run.model, trained)
  if experiment.config.saved_model:
    export.save(trained.flow(), run.saved_model, trained.latent_flow())
  run.write_summary(notes)


def summary(experiment: Experiment, result: training.Likelihood) -> dict[str, Any]:
  """Facts about the trained model, as plain values."""
  return {
    'dataset': experiment.points.name,
    'split_seed': experiment.config.split_seed,
    'seed': experiment.config.seed,
    'version': ma_keras.__version__,
    'parameters': sum(int(np.prod(v.shape)) for v in experiment.model.trainable_variables),
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


def last_epoch_doubts(run: training.RunDirectory, trained_steps: int) -> str:
  """Says that the last epoch cheated its integrator, in one line; empty if it did not.

  The weights of an earlier epoch, which are the ones reported, may be honest for all that.
  """
  names = ('val_nll', 'val_nll_error', 'val_step_error', 'val_steps', 'val_certified_nll')
  columns = [training_app.history(run, name) for name in names]
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
