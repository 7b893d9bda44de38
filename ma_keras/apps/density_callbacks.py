"""Callbacks of the density app, and what they know of the epochs before them."""

from __future__ import annotations

import math

import numpy as np

import ma_keras
from ma_keras import data, training
from ma_keras.apps import density_table, training_app
from ma_keras.apps.density_experiment import Experiment
from ma_keras.training.likelihood import latent_rows


def validation(experiment: Experiment, rows: np.ndarray | None = None) -> training.Validation:
  """The callback that validates on these rows, or validation points; their noise never changes."""
  config = experiment.config
  if rows is None:
    rows = experiment.points.validation[: config.validation_points or None]
  flow_rows = in_flow_space(experiment, rows)
  return training.Validation(flow_rows, config.eval_batch_size, jit_compile=config.jit_compile)


def in_flow_space(experiment: Experiment, rows: np.ndarray, draw: int = 0) -> np.ndarray:
  """Contexts and points y of the flow's space, [n, O + N], of rows and a draw of their noise."""
  config, maps = experiment.config, experiment.model.preprocessing
  contexts, x = experiment.points.parts(np.asarray(rows))
  cell_sizes = getattr(maps, 'cell_sizes', None)
  x = data.dequantised(x, config.split_seed, draw, cell_sizes)
  return latent_rows(maps, contexts, x, config.eval_batch_size)


def best_metric(experiment: Experiment) -> str:
  """Name in the logs of what is least in the best epoch."""
  return 'val_objective' if experiment.config.has_further_objective else 'val_certified_nll'


def ranking(
  experiment: Experiment, validated: training.Validation
) -> list[training.ConstrainedValidation | training.ClassValidation]:
  """The callback that ranks epochs by more than likelihood: --objective or --discrimination."""
  if experiment.config.discrimination:
    return [training.ClassValidation(validated)]
  return [] if experiment.model.constrained is None else [training.ConstrainedValidation()]


def guard(run: training.RunDirectory) -> training.DivergenceGuard:
  """The guard against divergence, with what it knew when the run was interrupted."""
  validated = training_app.history(run, 'val_nll')
  return training.DivergenceGuard(
    'nll',
    best=training_app.least(validated),
    first=float(validated[0]) if validated.size else None,
    best_training=training_app.least(training_app.history(run, 'nll')),
  )


def patience(experiment: Experiment) -> list[training.Patience]:
  """The callback that ends a training that gains nothing any more, as --patience says."""
  name, epochs = best_metric(experiment), experiment.config.patience
  history = training_app.history(experiment.run, name)
  return [training.Patience(name, epochs, history)] if epochs else []


def refinement(experiment: Experiment) -> list[training.Refinement]:
  """The callback that doubles the number of steps as --refine_tolerance says."""

  def error(bijector: ma_keras.MongeAmpereBijector) -> float:
    few = experiment.points.validation[: 4 * experiment.config.eval_batch_size]
    return measure(experiment, few, bijector, tolerance=math.inf).integration_error

  tolerance = experiment.config.refine_tolerance
  return [training.Refinement(error, tolerance)] if tolerance else []


def measure(
  experiment: Experiment,
  x: np.ndarray,
  bijector: ma_keras.MongeAmpereBijector,
  draws: int = 1,
  tolerance: float = 0.1,
  least_steps: int = 0,
) -> training.Likelihood:
  """The likelihood of these points under a flow and the model's preprocessing."""
  return training.measure_likelihood(
    bijector,
    experiment.model.preprocessing,
    x,
    experiment.points.levels,
    experiment.config.eval_batch_size,
    experiment.config.seed,
    draws,
    tolerance,
    least_steps,
    experiment.model.base,
    density_table.given_by(experiment.model),
  )
