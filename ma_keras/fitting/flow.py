"""The flow of a table: trained while held-out rows gain by it, and kept if they have."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from ma_keras import data, potentials, training
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.fitting.settings import Settings, seed_of_try
from ma_keras.fitting.start import Start
from ma_keras.training.halving import Scorer, halve
from ma_keras.training.likelihood import standard_error

SCORED = 10_000  # Rows scored at once.
MOST_HELD_OUT = 5_000  # Rows looked at in every epoch.
SIGMAS = 1.5  # Standard errors of a gain that is no chance; the best of many epochs has some.
DIVERGED = (
  'The loss was no longer finite after {} epochs, and training ended: the best weights before that '
  'are kept. Lower `learning_rate`.'
)


@dataclasses.dataclass(frozen=True)
class Fit:
  """A trained flow, and what held-out rows say of it.

  Attributes:
    bijector: The flow, in as many steps as its likelihood is certified in; the identity where
      training brought nothing.
    history: Values of every epoch by name, as tf_keras has them.
    gain: Mean of ln p over held-out rows, minus that of the start, nats.
    gain_error: Standard error of the gain.
    doubts: What is wrong with it, in one line; empty if nothing is.
  """

  bijector: MongeAmpereBijector
  history: dict[str, list[float]]
  gain: float
  gain_error: float
  doubts: str


class Best(tf_keras.callbacks.Callback):
  """Keeps the weights with the least `val_certified_nll` in memory, and ends without patience."""

  def __init__(self, least: float, patience: int) -> None:
    """Takes what is to be fallen below, and the number of epochs without a new least."""
    super().__init__()
    self.least, self.patience, self._waited = least, patience, 0
    self.weights: list[np.ndarray] | None = None

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
    """Compares."""
    value = (logs or {}).get('val_certified_nll', math.inf)
    self._waited = 0 if value < self.least else self._waited + 1
    if value < self.least:
      self.least = value
      self.weights = [variable.numpy() for variable in self.model.bijector.variables]
    if self._waited >= self.patience or not math.isfinite((logs or {}).get('nll', 0.0)):
      self.model.stop_training = True


def identity(start: Start, settings: Settings, seed: int) -> MongeAmpereBijector:
  """The flow before training, of amplitudes zero: x = z."""
  basis = potentials.TimeBasis(settings.time, settings.basis_size)
  potential = potentials.OneHiddenLayer(
    start.maps.event_size, settings.hidden_units, dtype=start.dtype, seed=seed, time_basis=basis
  )
  potential.amplitude.assign(tf.zeros_like(potential.amplitude))
  return MongeAmpereBijector(potential, settings.num_steps, settings.time / settings.num_steps)


def trained(
  start: Start,
  rows: np.ndarray,
  held_out: np.ndarray,
  settings: Settings,
  seed: int = 0,
  verbose: int = 0,
  tries: int = 1,
) -> Fit:
  """Trains a flow from `start` on the rows, and keeps the best of several tries.

  It is kept only if held-out rows gain more than 1.5 standard errors of their gain: few rows tell
  nothing, and then the start, a Gaussian or a mixture, is the better model.

  Args:
    start: Maps and base, fitted to these rows.
    rows: Float64, [n, N].
    held_out: Float64, [m, N].
    settings: Sizes and rates.
    seed: Non-negative integer that names first weights, batches and noise.
    verbose: As of tf_keras: 0 prints nothing.
    tries: Number of first weights, of seeds `seed`, `seed` + 1, ...; one compiled step serves all.
  """
  bijector = identity(start, settings, seed)
  y = start.latents(held_out[:MOST_HELD_OUT], seed)
  before = Scorer(bijector, SCORED, base=start.base)(y, 1)
  model = _model(bijector, start, settings, seed)
  validation = training.Validation(y, SCORED)
  trainings: list[tuple[Best, dict[str, list[float]]]] = []
  for k in range(tries):
    begin(model, identity(start, settings, seed_of_try(seed, k)).variables)
    best = Best(-float(np.mean(before)), settings.patience)
    history = model.fit(
      data.batches(rows, settings.batch_size, seed),
      epochs=settings.epochs,
      steps_per_epoch=settings.steps_per_epoch,
      verbose=verbose,
      callbacks=[validation, best],
    ).history
    trainings.append((best, history))
  best, history = min(trainings, key=lambda pair: pair[0].least)
  doubt = '' if math.isfinite(history['nll'][-1]) else DIVERGED.format(len(history['nll']))
  if best.weights is None:
    return Fit(identity(start, settings, seed), history, 0.0, 0.0, doubt)
  for variable, value in zip(bijector.variables, best.weights):
    variable.assign(value)
  fit = _judged(bijector, start, settings, seed, history, y, before)
  return dataclasses.replace(fit, doubts=fit.doubts or doubt)


def _model(
  bijector: MongeAmpereBijector, start: Start, settings: Settings, seed: int
) -> training.MaximumLikelihood:
  """The compiled Keras model."""
  model = training.MaximumLikelihood(
    bijector,
    start.maps,
    settings.batch_size,
    seed,
    penalties=training.PENALTIES if settings.penalties is None else settings.penalties,
    base=start.base,
  )
  optimizer = training.adam(
    settings.learning_rate, settings.steps, settings.warmup_steps, settings.gradient_clip
  )
  model.compile(optimizer, jit_compile=True)
  optimizer.build(model.trainable_variables)
  return model


def begin(model: training.MaximumLikelihood, first: Sequence[tf.Variable]) -> None:
  """Sets the model to first weights, and its optimiser, which is built, to its first step."""
  for variable, value in zip(model.bijector.variables, first, strict=True):
    variable.assign(value)
  for variable in model.optimizer.variables:
    variable.assign(tf.zeros_like(variable))


def gained(after: np.ndarray, before: np.ndarray) -> tuple[float, float]:
  """Mean over rows of ln p after minus ln p before, [m] each, and its standard error, in nats."""
  gains = after - before
  return float(np.mean(gains)), standard_error(gains[np.newaxis])


def beyond_chance(gain: float, error: float) -> bool:
  """Tells a gain of held-out rows from the luck of the best of many epochs."""
  return gain > SIGMAS * error


def _judged(
  bijector: MongeAmpereBijector,
  start: Start,
  settings: Settings,
  seed: int,
  history: dict[str, list[float]],
  y: np.ndarray,
  before: np.ndarray,
) -> Fit:
  """The flow at its certified depth, or the start where held-out rows do not tell them apart."""
  scorer = Scorer(bijector, SCORED, base=start.base)
  halving = halve(
    lambda num_steps: scorer(y, num_steps), settings.num_steps, lambda halving: halving.within()
  )
  gain, error = gained(halving.fine, before)
  if not beyond_chance(gain, error):
    return Fit(identity(start, settings, seed), history, 0.0, error, '')
  steps = halving.certified_steps()
  certified = bijector.copy(num_steps=steps, step_size=settings.time / steps)
  return Fit(certified, history, gain, error, halving.doubts())
