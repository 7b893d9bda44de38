"""The weights of the best epoch, whole at any moment."""

from __future__ import annotations

import math
import os
import pathlib
from typing import Any

import tensorflow as tf
import tf_keras
from absl import logging

from ma_keras.files.disk_errors import disk_errors, last_line
from ma_keras.training.backup import DAMAGED, check_whole
from ma_keras.training.callbacks import TrainingStopped


class BestWeights(tf_keras.callbacks.Callback):
  """Keeps the variables of the flow as they were after the epoch with the least value of a metric.

      best = BestWeights(model, folder, 'val_nll')
      model.fit(..., callbacks=[..., best])
      best.restore()

  Better ones are written beside those before, under the next number, and named as the latest by
  one rename of the file `checkpoint`; only then are the old deleted. (tf_keras's ModelCheckpoint
  replaces its two files one after the other: a kill between the two loses both.)

  Attributes:
    metric: Name of what is to be least in the logs.
    least: Its least value so far.
  """

  def __init__(
    self, model: tf_keras.Model, folder: pathlib.Path, metric: str, least: float = math.inf
  ) -> None:
    """Touches no file yet.

    Args:
      model: A FlowModel; the variables of its bijector, and of an encoder, are what is kept.
      folder: Of these weights alone; made with the first of them.
      metric: A name in the logs of an epoch.
      least: Where an earlier part of the run stood.
    """
    super().__init__()
    self.metric = metric
    self.least = least
    self._folder = folder
    encoder = getattr(getattr(model, 'conditional', None), 'encoder', None)
    parts = {'bijector': model.bijector} | ({'encoder': encoder} if encoder else {})
    self._checkpoint = tf.train.Checkpoint(**parts)

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
    """Saves if this epoch is the best; raises OSError where it cannot, the ones before intact."""
    del epoch
    value = (logs or {}).get(self.metric, math.inf)
    if value < self.least:
      with disk_errors('checkpoint', self._folder):
        self._save()
      self.least = value

  def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
    """Raises TrainingStopped on damaged weights, which no epoch to come may be better than."""
    del logs
    if math.isfinite(self.least) and self._latest() is None:
      logging.warning('%s has no weights any more: the best from here on are kept.', self._folder)
      self.least = math.inf

  def restore(self) -> None:
    """Assigns the best weights to the model's variables.

    Raises:
      TrainingStopped: There are none, or they are damaged.
    """
    latest = self._latest()
    if latest is None:
      raise TrainingStopped(
        f'There are no best weights in {self._folder}: no epoch had a finite {self.metric}. '
        'Lower --learning_rate, or start anew in another --run_dir.'
      )
    self._checkpoint.restore(latest).expect_partial()

  def _latest(self) -> str | None:
    """Prefix of the weights, which can be read; None if there are none."""
    try:
      names = os.listdir(self._folder) if self._folder.exists() else []
      latest = tf.train.latest_checkpoint(str(self._folder))
      if latest is None and 'checkpoint' in names:
        raise ValueError('the file `checkpoint` names no weights')
      check_whole(latest or '')
    except (OSError, *DAMAGED) as error:
      raise TrainingStopped(
        f'The best weights in {self._folder} are damaged ({last_line(error)}): put back a copy of '
        'that folder, or delete it, and the best epoch from here on is kept (--epochs says of how '
        'many).'
      ) from error
    return latest

  def _save(self) -> None:
    manager = tf.train.CheckpointManager(
      self._checkpoint, str(self._folder), max_to_keep=1, checkpoint_name='weights'
    )
    number = (manager.latest_checkpoint or '').rpartition('-')[2]
    manager.save(checkpoint_number=int(number) + 1 if number.isdigit() else 1)
