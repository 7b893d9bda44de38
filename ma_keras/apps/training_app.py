"""Training apps: from a configuration to objects, a `fit` that resumes, errors in one line."""

from __future__ import annotations

import contextlib
import math
import pathlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras import training
from ma_keras.apps import process
from ma_keras.apps.configuration import command_flags, objective
from ma_keras.apps.configuration.option import fixing, options
from ma_keras.apps.configuration.removed import today
from ma_keras.apps.configuration.training import TrainingConfig
from ma_keras.apps.exit_code import ExitCode, end
from ma_keras.data import fingerprint
from ma_keras.files.disk_errors import disk_errors
from ma_keras.files.replacing import replacing_folder
from ma_keras.training import parameter_server
from ma_keras.training.run_directory import NO_ROOM

ModelT = TypeVar('ModelT', bound=training.FlowModel)
ConfigT = TypeVar('ConfigT', bound=TrainingConfig)
ExperimentT = TypeVar('ExperimentT')


def build_bijector(
  potential: ma_keras.potentials.Potential, config: TrainingConfig
) -> ma_keras.MongeAmpereBijector:
  """The flow of a potential, in the steps that the configuration says."""
  return ma_keras.MongeAmpereBijector(
    potential,
    config.num_steps,
    config.step_size,
    config.integrator,
    config.gradient,
    config.step_jitter,
  )


def constrained(config: TrainingConfig) -> training.Constrained | None:
  """The energy of --objective, to be least within its bound."""
  parsed = objective.parse(config.objective)
  return parsed and training.Constrained(parsed.bound, parsed.tally)


def prepare(
  config: TrainingConfig,
  run: training.RunDirectory,
  app: str,
  arrays: Mapping[str, Sequence[np.ndarray]] | None = None,
) -> None:
  """Takes the run's directory, which knows its data and has one process: see `RunDirectory`.

  Args:
    config: Some options fix the run; of those that name files, the content does.
    run: The directory.
    app: Name of the app.
    arrays: Option to the data that it names, where they are in no file.

  Raises:
    ValueError: The directory holds another run.
  """
  marks, fixed = options(type(config)), fixing(type(config))
  defaults = [name for name in fixed if getattr(config, name) == marks[name].older]
  hashes = {name: fingerprint.of_arrays(*parts) for name, parts in (arrays or {}).items()}
  files = {name: getattr(config, name) for name in fixed if marks[name].names_file}
  hashes |= {name: fingerprint.of_file(path) for name, path in files.items() if path}
  lines = command_flags.lines(config)
  run.prepare(lines, fixed, defaults, app=app, hashes=hashes, today=today)


def compiled(model: ModelT, steps_per_epoch: int, config: TrainingConfig) -> ModelT:
  """The model with its optimiser, ready for a checkpoint; call within the strategy's scope."""
  total_steps = max(1, config.epochs * steps_per_epoch)  # A schedule, if no step is taken.
  optimizer = getattr(training, config.optimizer)(
    config.learning_rate, total_steps, min(config.warmup_steps, total_steps), config.gradient_clip
  )
  optimizer.build(model.trainable_variables)  # Before a checkpoint is restored into it.
  parts = config.accumulate * tf.distribute.get_strategy().num_replicas_in_sync
  if config.accumulate > 1 and config.batch_size % parts:
    raise ValueError(
      f'`--accumulate` {config.accumulate} with all replicas makes {parts} parts, which do not '
      f'divide --batch_size={config.batch_size}: choose one that they do.'
    )
  model.accumulate = config.accumulate
  model.compile(
    optimizer, jit_compile=config.jit_compile, steps_per_execution=config.steps_per_execution
  )
  return model


def fit(
  config: TrainingConfig,
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
    epochs=config.epochs,
    steps_per_epoch=steps_per_epoch,
    verbose=1 if sys.stdout.isatty() else 2,
    callbacks=callbacks,
  )


def write_weights(bijector: ma_keras.MongeAmpereBijector, run: training.RunDirectory) -> None:
  """The final weights, whole or not at all; raises OSError where they cannot be written."""
  with disk_errors('weights', run.weights), replacing_folder(run.weights.parent) as folder:
    tf.train.Checkpoint(bijector=bijector).write(str(folder / run.weights.name))


def history(run: training.RunDirectory, name: str) -> np.ndarray:
  """A column of the run's metrics, one value for each epoch behind it; empty before the first."""
  metrics = run.read_metrics() if run.metrics.exists() else {}
  return metrics.get(name, np.array([]))


def least(values: np.ndarray) -> float:
  """The least finite value; infinity of none."""
  return float(np.min(values[np.isfinite(values)], initial=math.inf))


def logs(run: training.RunDirectory) -> list[tf_keras.callbacks.Callback]:
  """Metrics as CSV and for TensorBoard: the chief's alone."""
  return [
    tf_keras.callbacks.CSVLogger(str(run.metrics), append=True),
    tf_keras.callbacks.TensorBoard(str(run.tensorboard), write_graph=False),
  ]


def main(config: ConfigT, carry_out: Callable[[ConfigT], training.RunDirectory]) -> None:
  """A process that does one run; what goes wrong, in one line."""
  process.begin()
  with ending(training.RunDirectory(pathlib.Path(config.directory))):
    carry_out(config)


def carry_out(
  config: ConfigT,
  set_up: Callable[[ConfigT, training.RunDirectory], ExperimentT],
  work: Callable[[ExperimentT], None],
) -> training.RunDirectory:
  """work(set_up(config, run)), with a directory that other processes may take afterwards.

  Args:
    config: All that the run is told.
    set_up: Does everything that can fail for an option's sake.
    work: Trains, measures and reports.

  Returns:
    The directory.
  """
  run = training.RunDirectory(pathlib.Path(config.directory))
  if config.deterministic:
    training.determinism.enable(config.seed)
  try:
    work(_checked(set_up, config, run))
  finally:
    run.release()
  return run


@contextlib.contextmanager
def ending(run: training.RunDirectory) -> Iterator[None]:
  """Turns what goes wrong in a run into one line and an exit code: see `process.ending`."""
  remedy = (
    f'What {run.root} held before is intact. Free disk space or choose another --run_dir; if '
    'memory ran out, lower --batch_size.'
  )
  try:
    with process.ending(remedy, lambda: saved(run)):
      yield
  except training.TrainingStopped as error:
    end(ExitCode.STOPPED, error)
  except training.Owned as error:
    end(ExitCode.NO_ROOM, error)


def _checked(
  set_up: Callable[[ConfigT, training.RunDirectory], ExperimentT],
  config: ConfigT,
  run: training.RunDirectory,
) -> ExperimentT:
  """Makes what is asked for; a file that cannot be read is a wrong option, a full disk is none."""
  try:
    return set_up(config, run)
  except OSError as error:
    if error.errno in NO_ROOM:
      raise
    raise ValueError(str(error)) from error


def saved(run: training.RunDirectory) -> str:
  """Says what there is of a run that is cut short, and how to go on."""
  number = training.saved_epochs(run.backup)
  return f'{number} epochs are saved in {run.root}: the same command goes on from there.'
