"""The likelihood or free energy of a trained model, with its errors.

  ma-keras eval --model=mnist --data_dir=FOLDER
  ma-keras eval --model=ising_l16 --n=20000 --num_steps=24

A density is measured on the test points of --dataset or --dataset_file, by default those that the
model file names; a flow of spins or fields on fresh samples, weighed against its own target.
"""

from __future__ import annotations

import tensorflow_probability as tfp
from absl import flags

from ma_keras import data, training
from ma_keras.apps import density_data, ising_target, model_app
from ma_keras.apps.exit_code import ExitCode, end
from ma_keras.data import pictures
from ma_keras.saving import model_file

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(model_app)
flags.adopt_module_key_flags(density_data)
flags.DEFINE_integer('n', 0, 'Test points (0: all), or samples (0: 4096).', lower_bound=0)
flags.DEFINE_integer('draws', 2, 'Draws of dequantisation noise for every point.', lower_bound=1)
flags.DEFINE_float(
  'tolerance', 0.1, 'Halve the steps until a likelihood changes by less nats.', lower_bound=0.0
)

SAMPLES = 4096


def likelihood(model: model_file.Model) -> training.Likelihood:
  """On test points of the split that the model was trained with: it has seen all others."""
  density_data.restore(model.notes)
  points = density_data.load(model.columns)
  size = model.bijector.potential.event_size
  if points.event_size != size:
    raise ValueError(
      f'`--model` {FLAGS.model} takes points of {size} numbers, and {points.name!r} has '
      f'{points.event_size}: name its data by --dataset or --dataset_file.'
    )
  _check_pixels(model, points)
  return training.measure_likelihood(
    model.bijector,
    model.preprocessing or tfp.bijectors.Identity(),
    points.test[: FLAGS.n or None],
    points.levels,
    FLAGS.batch_size,
    FLAGS.seed,
    FLAGS.draws,
    FLAGS.tolerance,
    base=model.base,
  )


def _check_pixels(model: model_file.Model, points: data.Dataset) -> None:
  """Raises ValueError on pictures of another shape, or pixels of other levels, than the model's."""
  if model.event_shape and min(len(model.event_shape), len(points.event_shape)) > 1:
    pictures.check_shape(points.name, points.event_shape, model.event_shape)
  levels = model.levels
  if levels is not None and points.levels != levels:
    given = 'real numbers' if points.levels is None else f'{points.levels}'
    raise ValueError(
      f'`--model` {FLAGS.model} takes pixels of {levels} levels, and {points.name!r} has {given}: '
      f'name its data by --dataset or --dataset_file, and say --levels={levels} of a table.'
    )


def free_energy(model: model_file.Model) -> training.FreeEnergy:
  """On fresh samples, of the target that the model was trained for."""
  for name in ising_target.TARGET_FLAGS:
    FLAGS[name].value = model.notes.get(name, FLAGS[name].value)
  target = ising_target.build()
  exact = ising_target.exact_per_site(target)
  size = min(FLAGS.batch_size, FLAGS.n or SAMPLES)
  return training.measure(model.bijector, target, FLAGS.n or SAMPLES, size, FLAGS.seed, exact)


def work() -> None:
  """Measures and prints; what is in doubt ends with its own exit code."""
  model = model_app.load()
  result = free_energy(model) if 'target' in model.notes else likelihood(model)
  print(result)
  if result.doubts():
    end(ExitCode.STOPPED, result.doubts())


def main(argv: list[str]) -> None:
  """See `work`."""
  model_app.main(argv, work)
