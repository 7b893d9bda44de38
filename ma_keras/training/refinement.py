"""Few steps while learning is rough, more as it goes on: the same flow at growing depth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tf_keras
from absl import logging

from ma_keras.bijector import MongeAmpereBijector


class Refinement(tf_keras.callbacks.Callback):
  """Doubles d, at the same T, whenever the integration error at an epoch's end is too large.

  The model carries how often in a variable, `model.refinements`, so that a run resumed from a
  checkpoint goes on at the depth it had reached. Place it before the callback that writes the
  checkpoint.

  Attributes:
    error: Bijector -> its integration error, by step halving.
    tolerance: Largest error to go on with.
    max_steps: d is not doubled beyond this.
  """

  def __init__(
    self, error: Callable[[MongeAmpereBijector], float], tolerance: float, max_steps: int = 1024
  ) -> None:
    """Checks the arguments.

    Args:
      error: Bijector -> its integration error.
      tolerance: Largest error to go on with, positive.
      max_steps: d is not doubled beyond this.

    Raises:
      ValueError: The tolerance is not positive.
    """
    super().__init__()
    if not tolerance > 0:
      raise ValueError(f'`tolerance` must be positive, got {tolerance}. 1e-4 per site, say.')
    self.error = error
    self.tolerance = tolerance
    self.max_steps = max_steps
    self._coarsest: MongeAmpereBijector | None = None

  def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
    """Takes the depth of the model's variable, which a checkpoint may have restored."""
    del epoch, logs
    self._follow()

  def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
    """Leaves the model at that depth, also where there was no epoch left to train."""
    del logs
    self._follow()

  def _follow(self) -> None:
    self._coarsest = self._coarsest or self.model.bijector
    factor = 2 ** int(self.model.refinements.numpy())
    num_steps = self._coarsest.horizon.num_steps * factor
    if num_steps != self.model.bijector.horizon.num_steps:
      self.model.bijector = self._coarsest.refined(factor)
      self.model.make_train_function(force=True)

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
    """Measures the error, and asks for twice the steps if it is too large."""
    del logs
    bijector = self.model.bijector
    error, num_steps = self.error(bijector), bijector.horizon.num_steps
    if error <= self.tolerance or 2 * num_steps > self.max_steps:
      return
    logging.warning(
      'Epoch %d: integration error %.2g > %.2g, %d steps from here on.',
      *(epoch + 1, error, self.tolerance, 2 * num_steps),
    )
    self.model.refinements.assign_add(1)
