"""Classes of test points by Bayes' rule, of a density that is given the class."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from ma_keras import data, posteriors, training
from ma_keras.apps import density_callbacks, density_context
from ma_keras.apps.configuration.evaluate import EvaluateConfig
from ma_keras.apps.density_experiment import Experiment
from ma_keras.saving.model_file import Model
from ma_keras.training import class_validation

MOST_CLASSIFIED = 2000  # Test points of a run, each of which takes a solve per class and draw.


@dataclasses.dataclass(frozen=True)
class ClassAccuracy:
  """How well Bayes' rule tells classes.

  Attributes:
    classified_points: Test points.
    accuracy: Share of them whose most probable class is their own.
    accuracy_error: Its standard error.
    cross_entropy: Mean of -ln P(class | x), nats.
    chance: That of the frequencies of the classes, which know nothing of x.
  """

  classified_points: int
  accuracy: float
  accuracy_error: float
  cross_entropy: float
  chance: float

  def __str__(self) -> str:
    """One line."""
    return (
      f"classes by Bayes' rule right in {100 * self.accuracy:.1f} +- "
      f'{100 * self.accuracy_error:.1f} % of {self.classified_points} points, cross-entropy '
      f'{self.cross_entropy:.3g} nats of {self.chance:.3g} by chance'
    )

  def doubts(self) -> str:
    """Says what is wrong with the density as a classifier; empty if nothing is."""
    if not math.isfinite(self.cross_entropy):
      return (
        f'The cross-entropy of the classes is {self.cross_entropy}: the density of a point is zero '
        'under its own class. Look for points outside the range of the training rows.'
      )
    if self.cross_entropy < self.chance:
      return ''
    return (
      f'The cross-entropy of the classes, {self.cross_entropy:.3g} nats, is no less than the '
      f'{self.chance:.3g} of their frequencies: train for more --epochs or with more '
      '--discrimination.'
    )


def class_accuracy(draws: list[posteriors.Classification], labels: np.ndarray) -> ClassAccuracy:
  """Returns the figures of the mean over draws of noise."""
  table = posteriors.over_draws(draws)
  accuracy, error = table.accuracy(labels)
  chance = density_context.chance(np.exp(table.log_prior))
  return ClassAccuracy(len(labels), accuracy, error, table.cross_entropy(labels), chance)


def of_run(experiment: Experiment, measured: training.Likelihood) -> ClassAccuracy | None:
  """Accuracy of the weights of a run with --discrimination; None without.

  Flows take as many steps as the likelihood was certified in, and points as many draws of noise.
  """
  classes = getattr(experiment.model, 'discrimination', None)
  if classes is None:
    return None
  rows = class_validation.spread(experiment.points.test, MOST_CLASSIFIED)
  draws = [density_callbacks.in_flow_space(experiment, rows, k) for k in range(measured.draws)]
  validation = training.Validation(
    draws[0], experiment.config.eval_batch_size, jit_compile=experiment.config.jit_compile
  )
  validation.set_model(experiment.model)
  tables = []
  for noisy in draws:
    table, labels = class_validation.classified(
      validation, classes, noisy, measured.certified_steps
    )
    tables.append(table)
  return class_accuracy(tables, labels)


def categories(model: Model) -> tuple[str, ...]:
  """Names of the classes that a model is given; empty where its context is none or another."""
  contexts = model.contexts or ()
  return tuple(contexts[0].categories or ()) if len(contexts) == 1 else ()


def check(model: Model, config: EvaluateConfig) -> None:
  """Raises ValueError where --classify asks for classes, and the model has none."""
  if config.classify and len(categories(model)) < 2:
    names = ', '.join(column.name for column in model.contexts or ()) or 'none'
    raise ValueError(
      f'`--classify` {config.classify} needs a model whose context is one column of two or more '
      f'categories, the class; that of {config.model} is {names}.'
    )


def of_model(
  model: Model, points: data.Dataset, config: EvaluateConfig, measured: training.Likelihood
) -> ClassAccuracy | None:
  """Accuracy of a model file on --classify test points; None for 0.

  Flows take as many steps as the likelihood was certified in, and points as many draws of noise.
  """
  if not config.classify:
    return None
  rows = class_validation.spread(points.test, config.classify)
  codes, x = points.parts(rows)
  prior = density_context.shares(points, len(categories(model)))
  cell_sizes = getattr(model.preprocessing, 'cell_sizes', None)
  flow = dataclasses.replace(
    model, bijector=model.bijector.in_steps(measured.certified_steps)
  ).flow()
  class_codes = np.arange(len(prior), dtype=np.float64)[:, np.newaxis]
  tables = []
  for draw in range(measured.draws):
    noisy = data.dequantised(x, config.seed, draw, cell_sizes)
    noisy = noisy.reshape(-1, *(model.event_shape or noisy.shape[1:]))
    tables.append(posteriors.classify(flow, noisy, class_codes, prior, config.batch_size))
  return class_accuracy(tables, codes[:, 0].astype(np.int64))
