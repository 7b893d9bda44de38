"""What the training apps share: from flags to objects, a `fit` that resumes, errors in one line."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf
import tf_keras
from absl import app, flags, logging

import ma_keras
from ma_keras import training
from ma_keras.training import flags as training_flags

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(training_flags)
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


def compiled(model: ModelT, steps_per_epoch: int) -> ModelT:
  """The model with its optimiser, ready for a checkpoint; call within the strategy's scope."""
  total_steps = FLAGS.epochs * steps_per_epoch
  optimizer = training.adam(
    FLAGS.learning_rate, total_steps, min(FLAGS.warmup_steps, total_steps), FLAGS.gradient_clip
  )
  optimizer.build(model.trainable_variables)  # Before a checkpoint is restored into it.
  model.compile(optimizer, jit_compile=FLAGS.jit_compile)
  return model


def fit(
  model: training.FlowModel,
  stream: tf.data.Dataset,
  steps_per_epoch: int,
  run: training.RunDirectory,
  callbacks: list[tf_keras.callbacks.Callback],
  validation: tf.data.Dataset | None = None,
) -> None:
  """Trains from wherever the run directory's last backup stands.

  Guards come first among the callbacks, and the backup last: what a guard stops is not saved.
  """
  model.fit(
    stream,
    epochs=FLAGS.epochs,
    steps_per_epoch=steps_per_epoch,
    validation_data=validation,
    verbose=1 if sys.stdout.isatty() else 2,
    callbacks=[
      *callbacks,
      tf_keras.callbacks.BackupAndRestore(str(run.backup), delete_checkpoint=False),
    ],
  )


def logs(run: training.RunDirectory) -> list[tf_keras.callbacks.Callback]:
  """Metrics as CSV and for TensorBoard: the chief's alone."""
  return [
    tf_keras.callbacks.CSVLogger(str(run.metrics), append=True),
    tf_keras.callbacks.TensorBoard(str(run.tensorboard), write_graph=False),
  ]


SetUp = Callable[[training.RunDirectory, dict[str, str]], tuple[Any, ...]]


def main(argv: list[str], directory: str, set_up: SetUp, work: Callable[..., None]) -> None:
  """A process that does one run, in --run_dir or `directory`: see `begin` and `carry_out`."""
  begin(argv)
  carry_out(training.RunDirectory(pathlib.Path(FLAGS.run_dir or directory)), set_up, work)


def begin(argv: list[str]) -> None:
  """What every process does first; `argv` is what absl left of the command line."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  if FLAGS.deterministic:
    training.determinism.enable(FLAGS.seed)
  tf.get_logger().setLevel('ERROR')  # Checkpoints announce every shard they write,
  logging.set_verbosity(logging.WARNING)  # some of them through absl.


def carry_out(
  run: training.RunDirectory, set_up: SetUp, work: Callable[..., None], module: Any = None
) -> None:
  """work(run, *set_up(run, flag lines)); what goes wrong, in one line.

  Args:
    run: Where.
    set_up: Everything that can fail for a flag's sake, before any work is done.
    work: Trains, measures and reports.
    module: Whose flags make the run; by default the script's.
  """
  name = pathlib.Path(sys.argv[0]).stem
  given = [f for f in FLAGS.get_key_flags_for_module(module or sys.argv[0]) if f.value is not None]
  lines = {flag.name: flag.serialize() for flag in given}
  try:
    made = set_up(run, lines)
  except (ValueError, OSError) as error:
    sys.exit(f'{name}: {error}')
  try:
    work(run, *made)
  except training.TrainingStopped as error:
    sys.exit(f'{name}: {error}')
  except (OSError, tf.errors.ResourceExhaustedError) as error:
    sys.exit(
      f'{name}: no room, or no access: {error}. What {run.root} held before is intact. Free '
      'disk space or choose another --run_dir; if memory ran out, lower --batch_size.'
    )
