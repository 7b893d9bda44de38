"""Decisions of the density app: what is trained, for how long, which weights it reports."""

import pathlib

import numpy as np
import pytest
from absl import flags
from tf_keras.optimizers import schedules

import ma_keras
from ma_keras import training
from tests.integration import apps

FLAGS = [
  *('--hidden_units=3', '--num_steps=3', '--step_size=0.2', '--batch_size=7', '--nofigures'),
  *('--nosaved_model', '--stiffness_weight=0.25', '--epochs=5', '--warmup_steps=4'),
  '--learning_rate=0.003',
]


def density(folder, *arguments):
  """The app's module, its flags parsed for 100 points, and all that `work` takes."""
  from ma_keras.apps import density as app

  np.save(folder / 'x.npy', np.random.default_rng(0).normal(size=(100, 2)))
  flags.FLAGS(['density', f'--dataset_file={folder / "x.npy"}', *FLAGS, *arguments])
  run = training.RunDirectory(pathlib.Path(folder / 'run'))
  return app, (run, *app.set_up(run, {}))


def best_then_worse(points, stream, model, run, best):
  """In place of training: an epoch that is the best, and weights that are not."""
  del points, stream, run
  best.on_epoch_end(0, {best.metric: 1.0})
  for variable in model.trainable_variables:
    variable.assign_add(0.1 * np.ones(variable.shape))


def check_best(folder):
  app, arguments = density(folder)
  model = arguments[3]
  best = [variable.numpy() for variable in model.trainable_variables]
  app.train = best_then_worse
  app.work(*arguments)
  reported = ma_keras.load(folder / 'run' / 'model.npz').bijector.trainable_variables
  for one, two in zip(best, reported, strict=True):
    np.testing.assert_array_equal(one, two)


def test_the_best_weights_are_reported_and_not_the_last(tmp_path):
  apps.passes(check_best, tmp_path)


def end_in_doubt(folder):
  app, arguments = density(folder)
  app.train, app.set_up = best_then_worse, lambda run, lines: arguments[1:]
  training.Likelihood.doubts = lambda self, *arguments, **options: 'Not to be trusted.'
  app.main(['density'])


def test_a_likelihood_in_doubt_is_written_and_ends_in_its_own_exit_code(tmp_path):
  done = apps.call(end_in_doubt, tmp_path, folder=tmp_path)
  assert done.returncode == 3 and 'Not to be trusted.' in done.stderr
  assert 'NLL = ' in done.stdout


def check_model(folder):
  _, _, points, model, _ = density(folder, '--step_jitter=0.5')[1]
  assert (model.stiffness_weight, model.batch_size, model.seed) == (0.25, 7, 0)
  horizon = model.bijector.horizon
  assert (horizon.num_steps, horizon.step_size, horizon.jitter) == (3, 0.2, 0.5)
  rate = schedules.deserialize(model.optimizer.get_config()['learning_rate'])
  total = 5 * (len(points.train) // 7)
  assert float(rate(4)) == pytest.approx(3e-3, rel=1e-5)
  assert float(rate(4 + (total - 4) / 2)) == pytest.approx(3e-3 * 0.505, rel=1e-5)
  assert float(rate(total)) == pytest.approx(3e-5, rel=1e-4)


def test_flags_reach_the_model_and_the_rate_decays_until_the_last_step(tmp_path):
  apps.passes(check_model, tmp_path)
