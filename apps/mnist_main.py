"""Density estimation of images or vectors (paper, section 4.1, Table 1 and Figure 3).

  python apps/mnist_main.py --flagfile=apps/flagfiles/mnist_quick.flags

Trains a Monge-Ampere flow on Eq. (6), resumes where a killed run stopped, and ends with one
line: the test likelihood of the weights that were best on validation data, with its errors.
"""

from __future__ import annotations

import dataclasses
import math
import pathlib
import sys
from typing import Any

import mnist_figures
import mnist_potential
import numpy as np
import tensorflow as tf
import tf_keras
from absl import app, flags, logging

import ma_keras
from ma_keras import data, export, training
from ma_keras.training import flags as training_flags
from ma_keras.training import strategy as strategies

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(training_flags)
flags.adopt_module_key_flags(mnist_potential)
flags.DEFINE_string(
  'dataset', 'mnist', "A tfds image data set (mnist, fashion_mnist, cifar10, ...), or 'digits'."
)
flags.DEFINE_string('dataset_file', None, 'A .npy or .npz file of points instead.')
flags.DEFINE_string('data_dir', None, 'Where tensorflow-datasets keeps its data.')
flags.DEFINE_integer('split_seed', 0, 'Chooses the validation points.', lower_bound=0)
flags.DEFINE_integer('eval_points', 0, 'Test points of the measurement; 0: all.', lower_bound=0)
flags.DEFINE_integer('eval_draws', 2, 'Draws of dequantisation noise each.', lower_bound=1)
flags.DEFINE_integer(
  'eval_steps', 0, 'Measure the test likelihood with at least so many steps.', lower_bound=0
)
flags.DEFINE_integer(
  'validation_points', 0, 'Validation points looked at every epoch; 0: all.', lower_bound=0
)

# A run cannot change these on the way: they make the model and what it is trained for.
MODEL_FLAGS = (
  *('dataset', 'dataset_file', 'split_seed', 'seed', 'batch_size', 'stiffness_weight'),
  *('hidden_units', 'local', 'separable_units', 'separable_spread', 'separable_steepness'),
  *('basis_size', 'num_steps', 'step_size', 'integrator', 'step_jitter', 'refine_tolerance'),
)


def load_data() -> data.Dataset:
  """What --dataset or --dataset_file says."""
  if FLAGS.dataset_file:
    return data.load_file(FLAGS.dataset_file, FLAGS.split_seed)
  return data.load(FLAGS.dataset, FLAGS.data_dir, FLAGS.split_seed)


def build_model(points: data.Dataset) -> training.MaximumLikelihood:
  """The compiled Keras model; call within the strategy's scope."""
  bijector = ma_keras.MongeAmpereBijector(
    mnist_potential.build(points),
    FLAGS.num_steps,
    FLAGS.step_size,
    FLAGS.integrator,
    FLAGS.gradient,
    FLAGS.step_jitter,
  )
  model = training.MaximumLikelihood(
    bijector, data.for_dataset(points), FLAGS.batch_size, FLAGS.seed, FLAGS.stiffness_weight
  )
  total_steps = FLAGS.epochs * steps_per_epoch(points)
  optimizer = training.adam(
    FLAGS.learning_rate, total_steps, min(FLAGS.warmup_steps, total_steps), FLAGS.gradient_clip
  )
  optimizer.build(model.trainable_variables)  # Before a checkpoint is restored into it.
  model.compile(optimizer, jit_compile=FLAGS.jit_compile)
  return model


def steps_per_epoch(points: data.Dataset) -> int:
  """Every training point once."""
  return max(len(points.train) // FLAGS.batch_size, 1)


def set_up(
  run: training.RunDirectory, flag_lines: dict[str, str]
) -> tuple[tf.distribute.Strategy, data.Dataset, training.MaximumLikelihood, tf.data.Dataset]:
  """Everything that can fail for a flag's sake, before any work is done."""
  strategy = strategies.make(FLAGS.strategy, FLAGS.tpu)
  strategies.check_compiled(strategy, FLAGS.strategy, FLAGS.jit_compile)
  points = load_data()
  with strategy.scope():
    model = build_model(points)
  stream = data.batches(
    points.train, FLAGS.batch_size, FLAGS.seed, lambda: model.optimizer.iterations.numpy()
  )
  if strategies.is_chief(strategy):
    run.prepare(flag_lines, tuple(name for name in MODEL_FLAGS if name in flag_lines))
  return strategy, points, model, stream


def validation_batches(points: data.Dataset) -> tf.data.Dataset:
  """The validation points with noise that never changes."""
  x = points.validation[: FLAGS.validation_points or None]
  x = data.dequantised(x, FLAGS.split_seed) if points.levels else x
  size = min(FLAGS.eval_batch_size, len(x))
  numbers = tf.data.Dataset.range(len(x))
  batched = tf.data.Dataset.zip((numbers, tf.data.Dataset.from_tensor_slices(x))).batch(
    size, drop_remainder=True
  )
  return batched.cache()


def train(
  points: data.Dataset,
  stream: tf.data.Dataset,
  model: training.MaximumLikelihood,
  run: training.RunDirectory,
  chief: bool,
) -> None:
  """Runs `fit` from wherever the run directory's last backup stands.

  The guard comes first and the backup last: what the guard stops is not saved.
  """
  best = best_so_far(run)
  logs = [
    tf_keras.callbacks.ModelCheckpoint(
      str(run.best),
      monitor='val_nll',
      mode='min',
      save_best_only=True,
      save_weights_only=True,
      initial_value_threshold=best,
    ),
    tf_keras.callbacks.CSVLogger(str(run.metrics), append=True),
    tf_keras.callbacks.TensorBoard(str(run.tensorboard), write_graph=False),
  ]
  model.fit(
    stream,
    epochs=FLAGS.epochs,
    steps_per_epoch=steps_per_epoch(points),
    validation_data=validation_batches(points),
    verbose=1 if sys.stdout.isatty() else 2,
    callbacks=[
      training.DivergenceGuard('nll', math.inf if best is None else best),
      *refinement(model, points),
      *(logs if chief else []),
      tf_keras.callbacks.BackupAndRestore(str(run.backup), delete_checkpoint=False),
    ],
  )


def best_so_far(run: training.RunDirectory) -> float | None:
  """The best validation loss of the epochs that the run has behind it."""
  if not run.metrics.exists():
    return None
  found = run.read_metrics().get('val_nll', np.array([]))
  return float(np.nanmin(found)) if np.isfinite(found).any() else None


def refinement(
  model: training.MaximumLikelihood, points: data.Dataset
) -> list[training.Refinement]:
  """What doubles the number of steps as --refine_tolerance says."""

  def error(bijector: ma_keras.MongeAmpereBijector) -> float:
    few = points.validation[: 4 * FLAGS.eval_batch_size]
    return measure(bijector, model, few, points.levels, tolerance=math.inf).integration_error

  return [training.Refinement(error, FLAGS.refine_tolerance)] if FLAGS.refine_tolerance else []


def measure(
  bijector: ma_keras.MongeAmpereBijector,
  model: training.MaximumLikelihood,
  x: np.ndarray,
  levels: int | None,
  draws: int = 1,
  tolerance: float = 0.1,
  least_steps: int = 0,
) -> training.Likelihood:
  """The likelihood of these points under the model's preprocessing."""
  return training.measure_likelihood(
    bijector,
    model.preprocessing,
    x,
    levels,
    FLAGS.eval_batch_size,
    FLAGS.seed,
    draws,
    tolerance,
    least_steps,
  )


def report(
  points: data.Dataset, model: training.MaximumLikelihood, run: training.RunDirectory
) -> None:
  """Measures the best weights on test data, writes what is to be kept, and prints the result."""
  model.load_weights(str(run.best)).expect_partial()
  model.bijector = model.bijector.copy(jitter=0.0)  # Random steps are for training alone.
  x = points.test[: FLAGS.eval_points or None]
  result = measure(
    model.bijector, model, x, points.levels, FLAGS.eval_draws, least_steps=FLAGS.eval_steps
  )
  tf.train.Checkpoint(bijector=model.bijector).write(str(run.weights))
  kept = summary(points, model, result)
  shape = points.event_shape if points.is_image else None
  trained = ma_keras.model_file.Model(model.bijector, model.preprocessing, shape, kept)
  ma_keras.model_file.save(run.model, trained)
  export.save(trained.flow(), run.saved_model)
  run.write_summary(kept)
  draw_figures(points, model, run)
  print(result)
  if result.doubts():
    raise training.TrainingStopped(result.doubts())


def summary(
  points: data.Dataset, model: training.MaximumLikelihood, result: training.Likelihood
) -> dict[str, Any]:
  """What is to be known of the trained model, as plain values."""
  return {
    'dataset': points.name,
    'split_seed': FLAGS.split_seed,
    'seed': FLAGS.seed,
    'version': ma_keras.__version__,
    'parameters': sum(int(np.prod(v.shape)) for v in model.trainable_variables),
    **dataclasses.asdict(result),
  }


def draw_figures(
  points: data.Dataset, model: training.MaximumLikelihood, run: training.RunDirectory
) -> None:
  """All figures, where matplotlib is to be had."""
  try:
    mnist_figures.draw(points, model, run)
  except ImportError:
    logging.warning("No figures: matplotlib is missing. pip install -e '.[plot]'")


def main(argv: list[str]) -> None:
  """Trains, measures and reports."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  if FLAGS.deterministic:
    training.determinism.enable(FLAGS.seed)
  tf.get_logger().setLevel('ERROR')  # Checkpoints announce every shard they write,
  logging.set_verbosity(logging.WARNING)  # some of them through absl.
  run = training.RunDirectory(pathlib.Path(FLAGS.run_dir or f'runs/{FLAGS.dataset}'))
  names = [f.name for f in FLAGS.get_key_flags_for_module(argv[0])]
  lines = {name: FLAGS[name].serialize() for name in names if FLAGS[name].value is not None}
  try:
    strategy, points, model, stream = set_up(run, lines)
  except (ValueError, OSError) as error:
    sys.exit(f'mnist_main: {error}')
  chief = strategies.is_chief(strategy)
  try:
    train(points, stream, model, run, chief)
    if chief:
      report(points, model, run)
  except training.TrainingStopped as error:
    sys.exit(f'mnist_main: {error}')
  except (OSError, tf.errors.ResourceExhaustedError) as error:
    sys.exit(
      f'mnist_main: no room, or no access: {error}. What {run.root} held before is intact. Free '
      'disk space or choose another --run_dir; if memory ran out, lower --batch_size.'
    )


if __name__ == '__main__':
  app.run(main)
