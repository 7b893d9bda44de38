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
  density_callbacks,
  density_context,
  density_data,
  density_figures,
  density_table,
  training_app,
)
from ma_keras.apps.density_callbacks import measure
from ma_keras.apps.density_experiment import Experiment
from ma_keras.saving import export
from ma_keras.training import class_validation

# Training images that the baseline takes at most, and pixels of all of them; their order is random.
MOST_IMAGES = 10_000
MOST_PIXELS = 50_000_000
MOST_CLASSIFIED = 2000  # Test points, each of which takes a solve per class.


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
  classes, told, worse = classification(experiment, result.certified_steps)
  doubts = doubts or worse
  model.bijector = model.bijector.in_steps(result.certified_steps)
  notes = {**density_data.notes(config), **summary(experiment, result), **classes, 'doubts': doubts}
  write(experiment, notes)
  if points.levels and result.bits_per_dimension is not None:
    comparison = compared_with_pixels(points, x, points.levels, result.bits_per_dimension)
  if config.figures:
    draw_figures(points, model, experiment.run)
  print('; '.join(text for text in (str(result), comparison, told) if text))
  return doubts


def classification(experiment: Experiment, num_steps: int) -> tuple[dict[str, float], str, str]:
  """Bayes' rule on test points, where --discrimination asked for it.

  Returns:
    Figures by name, the same in words, and doubts; all empty without --discrimination.
  """
  classes = getattr(experiment.model, 'discrimination', None)
  if classes is None:
    return {}, '', ''
  rows = class_validation.spread(experiment.points.test, MOST_CLASSIFIED)
  validation = density_callbacks.validation(experiment, rows)
  validation.set_model(experiment.model)
  table, labels = class_validation.classified(validation, classes, validation.points, num_steps)
  accuracy, error = table.accuracy(labels)
  cross_entropy, chance = table.cross_entropy(labels), density_context.chance(classes)
  figures = {
    'classified_points': len(rows),
    'accuracy': accuracy,
    'accuracy_error': error,
    'cross_entropy': cross_entropy,
  }
  told = (
    f"classes by Bayes' rule right in {100 * accuracy:.1f} +- {100 * error:.1f} % of {len(rows)} "
    f'points, cross-entropy {cross_entropy:.3g} nats of {chance:.3g} by chance'
  )
  if cross_entropy < chance:
    return figures, told, ''
  doubts = (
    f'The cross-entropy of the classes, {cross_entropy:.3g} nats, is no less than the '
    f'{chance:.3g} of their frequencies: train for more --epochs or with more --discrimination.'
  )
  return figures, told, doubts


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
