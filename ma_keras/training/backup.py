"""Checkpoints that any death of the process leaves whole, and the way back from them."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import sys
import tempfile
import threading
from typing import Any

import tensorflow as tf
import tf_keras
from absl import logging

from ma_keras.files.disk_errors import disk_errors, last_line
from ma_keras.training.callbacks import TrainingStopped
from ma_keras.training.parameter_server import is_asynchronous
from ma_keras.training.strategy import is_chief

KEPT = 2
DAMAGED = (tf.errors.OpError, LookupError, ValueError)  # What TensorFlow's readers raise.


class Backup(tf_keras.callbacks.Callback):
  """A checkpoint of model, optimiser and epoch after every epoch; the last two are kept.

      backup = Backup(model, folder)
      model.fit(..., initial_epoch=backup.restore(), callbacks=[..., backup])

  The steps of a `FlowModel` are functions of its variables, so that training goes on from an
  epoch's end as if it had never stopped. An epoch that was cut short begins anew: its mean in the
  logs is of all its steps. Place it last among the callbacks: what a guard stops is not saved.

  Every worker takes part in a checkpoint, since metrics are summed over all; the chief's is kept,
  in `folder`/chief, which all workers must see. Checkpoints of tf_keras's BackupAndRestore, which
  have the same names inside and out, are read as well.

  On SIGTERM the present step is finished and the process ends with exit code 143; a second SIGTERM
  ends it at once.

  Attributes:
    folder: Where `ckpt-1`, `ckpt-2`, ... are, by the number of epochs behind them.
  """

  def __init__(self, model: tf_keras.Model, folder: pathlib.Path) -> None:
    """Touches no file yet.

    Args:
      model: With all its variables, those of its optimiser included.
      folder: Of this run alone; made with the first checkpoint.
    """
    super().__init__()
    self.folder = folder / 'chief'
    self._strategy = model.distribute_strategy
    self._chief = is_chief(self._strategy)
    self._epoch = tf.Variable(-1, dtype=tf.int64, trainable=False, name='ckpt_saved_epoch')
    self._checkpoint = tf.train.Checkpoint(model=model, ckpt_saved_epoch=self._epoch)
    self._terminated = False
    self._handler: Any = None

  def restore(self) -> int:
    """Restores the newest checkpoint that is whole, and warns of those that are not.

    Returns:
      The epoch to go on with; 0 if there is no checkpoint.

    Raises:
      TrainingStopped: There are checkpoints, none of them whole; or workers found different ones.
    """
    numbers = self._found()
    whole = next((number for number in numbers if self._is_whole(number)), None)
    if numbers and whole is None:
      damaged = ', '.join(f'ckpt-{number}' for number in numbers)
      raise TrainingStopped(
        f'No checkpoint in {self.folder} can be read: {damaged} are damaged. Put back '
        'a copy of that folder, or start anew in another --run_dir.'
      )
    if whole is not None:
      self._checkpoint.restore(self._prefix(whole)).expect_partial()
    self._check_agreement(whole or 0)
    return int(self._epoch.numpy()) + 1

  def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
    """From here on SIGTERM waits for the end of a step."""
    del logs
    if threading.current_thread() is threading.main_thread():  # Python allows it nowhere else.
      self._handler = signal.signal(signal.SIGTERM, self._on_signal) or signal.SIG_DFL

  def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
    """Raises SystemExit after SIGTERM."""
    del batch, logs
    self._end_if_terminated()

  def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
    """Raises SystemExit after SIGTERM: a validation may take minutes."""
    del batch, logs
    self._end_if_terminated()

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
    """Saves; raises OSError where it cannot, with the checkpoints before intact."""
    del logs
    self._epoch.assign(epoch)
    with disk_errors('checkpoint', self.folder):
      self._save(epoch + 1)
    self._end_if_terminated()

  def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
    """Gives SIGTERM back."""
    del logs
    if self._handler is not None:
      signal.signal(signal.SIGTERM, self._handler)
    self._end_if_terminated()

  def _on_signal(self, number: int, frame: Any) -> None:
    del number, frame
    self._terminated = True
    signal.signal(signal.SIGTERM, self._handler)

  def _end_if_terminated(self) -> None:
    if self._terminated:
      saved = saved_epochs(self.folder.parent)
      print(
        f'Terminated by SIGTERM; {saved} epochs are saved: the same command goes on from there.',
        file=sys.stderr,
      )
      raise SystemExit(128 + signal.SIGTERM)

  def _save(self, number: int) -> None:
    """Writes beside, and moves into place file by file, the index last: no index, no checkpoint."""
    if not self._chief:
      with tempfile.TemporaryDirectory() as elsewhere:
        self._checkpoint.write(f'{elsewhere}/ckpt')
      return
    unfinished = self.folder / 'unfinished'
    shutil.rmtree(unfinished, ignore_errors=True)  # Of a process that was killed here.
    unfinished.mkdir(parents=True)
    try:
      self._checkpoint.write(str(unfinished / f'ckpt-{number}'))
      for file in sorted(unfinished.iterdir()):  # .data-00000-of-00001 comes before .index.
        os.replace(file, self.folder / file.name)
    finally:
      shutil.rmtree(unfinished, ignore_errors=True)
    self._delete_all_but(KEPT)

  def _delete_all_but(self, kept: int) -> None:
    for number in self._found()[kept:]:
      for file in sorted(self.folder.glob(f'ckpt-{number}.*'), reverse=True):  # The index first.
        file.unlink()

  def _found(self) -> list[int]:
    """Numbers of the checkpoints, newest first."""
    return _numbers(self.folder)

  def _prefix(self, number: int) -> str:
    return str(self.folder / f'ckpt-{number}')

  def _is_whole(self, number: int) -> bool:
    """Tells if all can be read and has its checksum, before any variable is assigned."""
    try:
      check_whole(self._prefix(number))
    except DAMAGED as error:
      logging.warning('%s is damaged (%s): skipped.', self._prefix(number), last_line(error))
      return False
    return True

  def _check_agreement(self, number: int) -> None:
    """Workers that begin at different epochs would train on without a word."""
    if is_asynchronous(self._strategy):  # One process alone reads checkpoints.
      return
    own_number = tf.function(lambda: tf.constant(number, tf.float32))  # TPUs run nothing else.
    numbers = self._strategy.run(own_number)
    mean = float(self._strategy.reduce(tf.distribute.ReduceOp.MEAN, numbers, axis=None))
    if mean != number:
      raise TrainingStopped(
        f'This worker found {number} epochs in {self.folder}, others {mean:g} on average: '
        '--run_dir must be in a file system that all workers share.'
      )


def check_whole(prefix: str) -> None:
  """Raises one of `DAMAGED` unless all of a checkpoint can be read; the prefix '' is of none."""
  if prefix:
    reader = tf.train.load_checkpoint(prefix)
    for name in reader.get_variable_to_shape_map():
      reader.get_tensor(name)


def saved_epochs(folder: pathlib.Path) -> int:
  """How many epochs are behind the newest checkpoint in the folder of a `Backup`."""
  return max(_numbers(folder / 'chief'), default=0)


def _numbers(folder: pathlib.Path) -> list[int]:
  """Numbers of the checkpoints, newest first."""
  numbers = [file.stem.removeprefix('ckpt-') for file in folder.glob('ckpt-*.index')]
  return sorted((int(number) for number in numbers if number.isdigit()), reverse=True)
