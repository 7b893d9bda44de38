"""Keras callbacks of our own: guards against divergence, and snapshots for Figure 4."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from ma_keras.files.replacing import replacing
from ma_keras.training.penalties import SMALLER_STEPS


class TrainingStopped(RuntimeError):
  """Training met something it must not go on from; the message says what to change."""


class Guard(tf_keras.callbacks.Callback):
  """Stops when the loss or a variable is no longer finite.

  Place it before the callbacks that save, so that the last checkpoint is the last good one.

  Attributes:
    metric: Name of the loss in the logs.
  """

  def __init__(self, metric: str) -> None:
    """Keeps the name."""
    super().__init__()
    self.metric = metric

  def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
    """Raises TrainingStopped when the running mean is no longer finite."""
    self._check_finite((logs or {}).get(self.metric, 0.0), f'step {batch + 1}')

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
    """Raises TrainingStopped on variables that are not finite."""
    del logs
    for variable in self.model.trainable_variables:
      self._check_finite(float(tf.reduce_sum(variable)), f'epoch {epoch + 1} ({variable.name})')

  def _check_finite(self, value: float, where: str) -> None:
    if not math.isfinite(value):
      raise TrainingStopped(
        f'The {self.metric} became {value} at {where}. Lower --learning_rate or --gradient_clip: '
        'the same command with the new value goes on from the last good checkpoint, if an epoch '
        'was finished: it is kept. If it happens again, start anew in another --run_dir with more, '
        'smaller steps (--num_steps up, --step_size down).'
      )


class BoundGuard(Guard):
  """Also stops when the bound F/N lies below the exact -ln Z/N by more than its error.

  F >= -ln Z is a theorem (Eq. 7). A mean below the exact value by more than `sigmas` standard
  errors means that the optimiser has learnt to cheat the integrator. (The error takes samples
  as independent, as they are but for the draws that a batch shares: hence the wide margin.)

  Attributes:
    exact_per_site: -ln Z/N, or None to check for NaN only.
    samples_per_epoch: Samples behind each epoch's mean.
    sigmas: How many standard errors below the exact value are put down to chance.
  """

  def __init__(
    self, exact_per_site: float | None, samples_per_epoch: int, sigmas: float = 5.0
  ) -> None:
    """Keeps what the epochs are compared with."""
    super().__init__('free_energy_per_site')
    self.exact_per_site = exact_per_site
    self.samples_per_epoch = samples_per_epoch
    self.sigmas = sigmas

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
    """Raises TrainingStopped on a bound that is too good, or on variables that are not finite."""
    super().on_epoch_end(epoch, logs)
    if logs:
      self._check_bound(logs['free_energy_per_site'], logs['spread_per_site'], epoch)

  def _check_bound(self, mean: float, spread: float, epoch: int) -> None:
    error = spread / math.sqrt(self.samples_per_epoch)
    if self.exact_per_site is not None and mean < self.exact_per_site - self.sigmas * error:
      raise TrainingStopped(
        f'F/N = {mean:.6f} +- {error:.1g} at epoch {epoch + 1} lies below the exact '
        f'{self.exact_per_site:.6f}, which no flow can: the integrator is being cheated. Start '
        f'anew in another --run_dir {SMALLER_STEPS}. Nothing of this epoch was saved.'
      )


class DivergenceGuard(Guard):
  """Also stops when the validation loss has lost all that training had gained, and more.

  It stops where val - least > max(first - least, 5 sqrt(2) sigma), sigma the standard error of one
  validation: a rise beyond the whole fall so far, and beyond chance. A likelihood is a number with
  an arbitrary zero, so per cents of it mean nothing. A rise while the training loss still falls to
  a new least is overfitting, which the weights of the best epoch are there for. Without validation
  the training loss itself, a mean over the epoch, is compared so, with a margin of its own.

  The authors' own log shows MNIST runs that reached 1244.9 nats and then blew up to 8741.

  Attributes:
    validated: Whether validation losses are compared.
    best: The least such loss so far, nats.
    first: That of the first epoch of the run, nats.
    best_training: The least training loss so far, nats.
  """

  SIGMAS = 5.0 * math.sqrt(2.0)  # A difference of two validations has sqrt(2) times the error.
  UNKNOWN_ERROR = 0.2  # Nats, where the logs have no standard error.

  def __init__(
    self,
    metric: str,
    best: float = math.inf,
    first: float | None = None,
    best_training: float = math.inf,
    validated: bool = True,
    margin: float = 0.0,
  ) -> None:
    """Keeps where an earlier part of the run stood.

    Args:
      metric: Name of the loss in the logs.
      best: The least loss before, of those that are compared.
      first: That of the first epoch; `best` by default.
      best_training: The least training loss before.
      validated: Whether `val_<metric>`, with its `val_<metric>_error`, is compared; the training
        loss itself otherwise.
      margin: Rise that is put down to chance in any case, nats.
    """
    super().__init__(metric)
    self.validated, self.margin = validated, margin
    self.best = best
    self.first = best if first is None else first
    self.best_training = best_training

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
    """Raises TrainingStopped on divergence, or on variables that are not finite."""
    super().on_epoch_end(epoch, logs)
    logs = logs or {}
    training = logs.get(self.metric, math.inf)
    learning = self.validated and training < self.best_training
    self.best_training = min(self.best_training, training)
    name = f'val_{self.metric}' if self.validated else self.metric
    value = logs.get(name)
    if value is None:
      return
    self.best = min(self.best, value)
    self.first = self.first if math.isfinite(self.first) else value
    if self._diverged(value, logs.get(f'{name}_error'), learning):
      kind, remedy = ('validation ', ' The best weights are kept.') if self.validated else ('', '')
      raise TrainingStopped(
        f'The {kind}{self.metric} rose to {value:.2f} at epoch {epoch + 1}, from '
        f'{self.best:.2f} at its best and {self.first:.2f} at the beginning: training diverges. '
        'Lower --learning_rate or --gradient_clip: the same command with the new value goes on '
        f'from the last checkpoint.{remedy}'
      )

  def _diverged(self, value: float, error: float | None, learning: bool) -> bool:
    if not math.isfinite(value):
      return True
    chance = max(self.margin, self.SIGMAS * (self.UNKNOWN_ERROR if error is None else error))
    return value - self.best > max(self.first - self.best, chance) and not learning


class Patience(tf_keras.callbacks.Callback):
  """Ends training after so many epochs without a new least value of a metric.

  tf_keras's EarlyStopping forgets, when a run is resumed, for how long it has waited.

  Attributes:
    metric: Name in the logs.
    epochs: How many, positive.
  """

  def __init__(self, metric: str, epochs: int, history: np.ndarray) -> None:
    """Goes on from the metric's values in the epochs before, [e]."""
    super().__init__()
    self.metric, self.epochs = metric, epochs
    self._least, self._waited = math.inf, 0
    for value in history:
      self._take(float(value))

  def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
    """Ends a run that had ended before."""
    del logs
    self.model.stop_training = self._waited >= self.epochs

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
    """Counts."""
    del epoch
    self._take((logs or {}).get(self.metric, math.inf))
    if self._waited >= self.epochs:
      self.model.stop_training = True

  def _take(self, value: float) -> None:
    self._waited = 0 if value < self._least else self._waited + 1
    self._least = min(self._least, value)


class Snapshots(tf_keras.callbacks.Callback):
  """Writes samples of the model at the beginning of chosen epochs, for the insets of Figure 4.

  Attributes:
    draw: () -> samples, an array to be saved.
    epochs: Zero-based epochs at whose beginning samples are drawn.
    directory: Where `epoch_00000.npy`, ... go.
  """

  def __init__(
    self, draw: Callable[[], np.ndarray], epochs: list[int], directory: pathlib.Path
  ) -> None:
    """Makes the directory."""
    super().__init__()
    self.draw = draw
    self.epochs = frozenset(epochs)
    self.directory = directory
    directory.mkdir(parents=True, exist_ok=True)

  def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
    """Saves a snapshot if this epoch was chosen."""
    del logs
    if epoch in self.epochs:
      samples = self.draw()
      with (
        replacing(self.directory / f'epoch_{epoch:05d}.npy') as beside,
        beside.open('wb') as file,
      ):
        np.save(file, samples)
