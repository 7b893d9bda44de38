"""Training apps: from flags to objects, a `fit` that resumes, errors in one line."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf
import tf_keras
from absl import flags

import ma_keras
from ma_keras import training
from ma_keras.apps import process
from ma_keras.apps.exit_code import ExitCode, end
from ma_keras.data import fingerprint
from ma_keras.files.disk_errors import disk_errors
from ma_keras.files.replacing import replacing_folder
from ma_keras.training import flags as training_flags
from ma_keras.training import parameter_server
from ma_keras.training.run_directory import NO_ROOM

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(training_flags)
FILES = ('dataset_file', 'couplings_file', 'start_from')  # Flags that name files.
ModelT = TypeVar('ModelT', bound=training.FlowModel)


def build_bijector(potential: ma_keras.potentials.Potential) -> ma_keras.MongeAmpereBijector:
  """The flow of a potential, in the steps that the flags say."""
  return ma_keras.MongeAmpereBijector(
    potential,
    FLAGS.num_steps,
    FLAGS.step_size,
    FLAGS.integrator,
    FLAGS.gradient,
    FLAGS.step_jitter,
  )


def in_steps(
  bijector: ma_keras.MongeAmpereBijector, num_steps: int
) -> ma_keras.MongeAmpereBijector:
  """Returns the same flow in equal steps of another number: random ones are for training."""
  step_size = bijector.horizon.time / num_steps
  return bijector.copy(num_steps=num_steps, step_size=step_size, jitter=0.0)


def prepare(
  run: training.RunDirectory,
  lines: dict[str, str],
  fixed: tuple[str, ...],
  app: str,
  arrays: Mapping[str, Sequence[np.ndarray]] | None = None,
) -> None:
  """Takes the run's directory, which knows its data and has one process: see `RunDirectory`.

  Args:
    run: The directory.
    lines: Name to flagfile line.
    fixed: The flags that define the model. Of those that name files, the content does.
    app: Name of the app.
    arrays: Flag to the data that it names, where they are in no file.

  Raises:
    ValueError: The directory holds another run.
  """
  defaults = [name for name in fixed if FLAGS[name].value == FLAGS[name].default]
  hashes = {name: fingerprint.of_arrays(*parts) for name, parts in (arrays or {}).items()}
  files = {name: FLAGS[name].value for name in FILES if name in fixed}
  hashes |= {name: fingerprint.of_file(path) for name, path in files.items() if path}
  run.prepare(lines, fixed, defaults, app, hashes)


def compiled(model: ModelT, steps_per_epoch: int) -> ModelT:
  """The model with its optimiser, ready for a checkpoint; call within the strategy's scope."""
  total_steps = FLAGS.epochs * steps_per_epoch
  make = training.soap if FLAGS.optimizer == 'soap' else training.adam
  optimizer = make(
    FLAGS.learning_rate, total_steps, min(FLAGS.warmup_steps, total_steps), FLAGS.gradient_clip
  )
  optimizer.build(model.trainable_variables)  # Before a checkpoint is restored into it.
  parts = FLAGS.accumulate * tf.distribute.get_strategy().num_replicas_in_sync
  if FLAGS.accumulate > 1 and FLAGS.batch_size % parts:
    raise ValueError(
      f'`--accumulate` {FLAGS.accumulate} with all replicas makes {parts} parts, which do not '
      f'divide --batch_size={FLAGS.batch_size}: choose one that they do.'
    )
  model.accumulate = FLAGS.accumulate
  model.compile(
    optimizer, jit_compile=FLAGS.jit_compile, steps_per_execution=FLAGS.steps_per_execution
  )
  return model


def fit(
  model: training.FlowModel,
  stream: Callable[[int], Any],
  steps_per_epoch: int,
  run: training.RunDirectory,
  callbacks: list[tf_keras.callbacks.Callback],
) -> None:
  """Trains from wherever the run directory's last backup stands, on stream(steps behind it).

  Guards come first among the callbacks, and the backup last: what a guard stops is not saved.
  """
  backup = training.Backup(model, run.backup)
  turns = [training.Turns()] if isinstance(model.optimizer, training.Soap) else []
  callbacks = [*callbacks, *turns, backup]
  if parameter_server.is_asynchronous(model.distribute_strategy):
    callbacks = [parameter_server.AtEpochs(callbacks)]
  epoch = backup.restore()
  model.fit(
    stream(int(model.optimizer.iterations.numpy())),
    initial_epoch=epoch,
    epochs=FLAGS.epochs,
    steps_per_epoch=steps_per_epoch,
    verbose=1 if sys.stdout.isatty() else 2,
    callbacks=callbacks,
  )


def write_weights(bijector: ma_keras.MongeAmpereBijector, run: training.RunDirectory) -> None:
  """The final weights, whole or not at all; raises OSError where they cannot be written."""
  with disk_errors('weights', run.weights), replacing_folder(run.weights.parent) as folder:
    tf.train.Checkpoint(bijector=bijector).write(str(folder / run.weights.name))


def logs(run: training.RunDirectory) -> list[tf_keras.callbacks.Callback]:
  """Metrics as CSV and for TensorBoard: the chief's alone."""
  return [
    tf_keras.callbacks.CSVLogger(str(run.metrics), append=True),
    tf_keras.callbacks.TensorBoard(str(run.tensorboard), write_graph=False),
  ]


def main(argv: list[str], experiment: ModuleType, directory: str) -> None:
  """A process that does one run, in --run_dir or `directory`: see `begin` and `carry_out`."""
  begin(argv)
  carry_out(training.RunDirectory(pathlib.Path(FLAGS.run_dir or directory)), experiment)


def begin(argv: list[str]) -> None:
  """Begins every process; `argv` is what absl left of the command line."""
  process.begin(argv)
  if FLAGS.deterministic:
    training.determinism.enable(FLAGS.seed)


def carry_out(run: training.RunDirectory, experiment: ModuleType) -> None:
  """work(run, *set_up(run, flag lines)); what goes wrong, in one line.

  Args:
    run: Where.
    experiment: Its key flags make the run, those in its `DEFAULTS` with defaults of its own; its
      `set_up(run, lines) -> tuple` does everything that can fail for a flag's sake, before its
      `work(run, *tuple)` trains, measures and reports.
  """
  for name, value in experiment.DEFAULTS.items():
    if FLAGS[name].using_default_value:
      FLAGS[name].value = value
  given = [flag for flag in FLAGS.get_key_flags_for_module(experiment) if flag.value is not None]
  lines = {flag.name: flag.serialize() for flag in given}
  remedy = (
    f'What {run.root} held before is intact. Free disk space or choose another --run_dir; if '
    'memory ran out, lower --batch_size.'
  )
  try:
    with process.ending(remedy, lambda: saved(run)):
      experiment.work(run, *_set_up(run, experiment, lines))
  except training.TrainingStopped as error:
    end(ExitCode.STOPPED, error)
  except training.Owned as error:
    end(ExitCode.NO_ROOM, error)
  finally:
    run.release()


def use_defaults(values: Mapping[str, Any], lines: dict[str, str]) -> None:
  """Sets flags that were not given, and their lines of the flagfile."""
  for name, value in values.items():
    if FLAGS[name].using_default_value:
      FLAGS[name].value = value
      lines[name] = FLAGS[name].serialize()


def _set_up(
  run: training.RunDirectory, experiment: ModuleType, lines: dict[str, str]
) -> tuple[Any, ...]:
  """Makes what flags say; a file that cannot be read is a wrong flag, but a full disk is none."""
  try:
    return experiment.set_up(run, lines)
  except OSError as error:
    if error.errno in NO_ROOM:
      raise
    raise ValueError(str(error)) from error


def saved(run: training.RunDirectory) -> str:
  """Says what there is of a run that is cut short, and how to go on."""
  number = training.saved_epochs(run.backup)
  return f'{number} epochs are saved in {run.root}: the same command goes on from there.'
