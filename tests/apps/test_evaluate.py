"""`ma-keras eval` measures a model on its own target or data, and says when it is in doubt."""

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

import ma_keras
from ma_keras import data, targets, training
from tests.integration import apps

NOTES = {'target': 'ising', 'side': 2, 'coupling': 0.3, 'boundary': 'open', 'dtype': 'float64'}


def evaluate(path, *arguments):
  """The app's module, its flags parsed; one process imports it once."""
  from ma_keras.apps import evaluate as app

  flags.FLAGS(['eval', f'--model={path}', *arguments])
  return app


def saved(path, notes, preprocessing=None, dtype=tf.float64):
  potential = ma_keras.potentials.Quadratic(np.diag([0.1, 0.2, 0.3, 0.4]), dtype)
  bijector = ma_keras.MongeAmpereBijector(potential, 4, 0.25)
  ma_keras.model_file.save(path, ma_keras.model_file.Model(bijector, preprocessing, notes=notes))
  return bijector


def check_own_target(path):
  bijector = saved(path, NOTES)
  app = evaluate(path, '--n=200', '--batch_size=100')
  measured = app.free_energy(ma_keras.load(path))
  target = targets.Ising(2, 0.3, 'open', tf.float64)
  expected = training.measure(bijector, target, 200, 100, 0)
  assert measured.exact_per_site == pytest.approx(-target.exact_log_partition() / 4, rel=1e-12)
  assert measured.free_energy_per_site == pytest.approx(expected.free_energy_per_site, rel=1e-9)


def test_a_free_energy_is_that_of_the_target_the_model_was_trained_for(tmp_path):
  apps.passes(check_own_target, tmp_path / 'model.npz')


def check_own_split(folder):
  """Test points are those of the split that the model was trained with: it saw all others."""
  file, path = folder / 'x.npy', folder / 'model.npz'
  np.save(file, np.random.default_rng(0).normal(size=(60, 4)))
  points = data.load_file(file, seed=3)
  saved(path, {'split_seed': 3}, data.for_dataset(points), tf.float32)
  app = evaluate(path, f'--dataset_file={file}', '--draws=1')
  model = ma_keras.load(path)
  expected = training.measure_likelihood(model.bijector, model.preprocessing, points.test)
  assert app.likelihood(model).nll == pytest.approx(expected.nll, rel=1e-6)


def test_a_likelihood_is_that_of_points_the_model_never_saw(tmp_path):
  apps.passes(check_own_split, tmp_path)


def check_memory(folder):
  """The training's file is found again, split and header as then; or one sentence."""
  file, path = folder / 'table', folder / 'model.npz'
  rows = np.random.default_rng(0).normal(size=(60, 4)).round(6)
  np.savetxt(file, rows, delimiter=';')
  where = [f'--dataset_file={file}', '--split_seed=3', '--header=no']
  app = evaluate(path, *where, '--draws=1')
  from ma_keras.apps import density_data

  saved(path, density_data.notes(), dtype=tf.float32)
  expected = app.likelihood(ma_keras.load(path)).nll
  app = evaluate(path, '--split_seed=0', '--header=auto')
  for name in (*density_data.DATA_FLAGS, 'dataset_file'):
    flags.FLAGS[name].unparse()
  assert app.likelihood(ma_keras.load(path)).nll == expected
  assert (flags.FLAGS.split_seed, flags.FLAGS.header) == (3, 'no')
  for change, message in (
    (lambda: np.savetxt(file, rows + 1), 'changed since'),
    (file.unlink, 'gone'),
  ):
    change()
    for name in (*density_data.DATA_FLAGS, 'dataset_file'):
      flags.FLAGS[name].unparse()
    with pytest.raises(ValueError, match=f'{file}.*{message}.*--dataset_file'):
      app.likelihood(ma_keras.load(path))


def test_eval_remembers_where_its_data_were(tmp_path):
  """A model without preprocessing, too."""
  apps.passes(check_memory, tmp_path)


def in_doubt(path, notes, kind):
  saved(path, notes)
  app = evaluate(path, '--n=20', '--dataset=digits')
  kind.doubts = lambda self, *arguments, **options: 'Not to be trusted.'
  app.likelihood = lambda model: kind(*range(len(kind.__dataclass_fields__)))
  app.main(['eval'])


@pytest.mark.parametrize(
  'notes, kind', [(NOTES, training.FreeEnergy), ({}, training.Likelihood)], ids=['F', 'NLL']
)
def test_a_result_in_doubt_has_its_own_exit_code(tmp_path, notes, kind):
  done = apps.call(in_doubt, tmp_path / 'model.npz', notes, kind)
  assert done.returncode == 3 and 'Not to be trusted.' in done.stderr


def check_bounds(path):
  evaluate(path, '--n=0', '--draws=1', '--tolerance=0')
  for flag in ('n=-1', 'draws=0', 'tolerance=-0.1', 'num_steps=-1', 'batch_size=0', 'seed=-1'):
    with pytest.raises(flags.IllegalFlagValueError):
      flags.FLAGS(['eval', f'--model={path}', f'--{flag}'])


def test_flags_out_of_bounds_are_refused(tmp_path):
  apps.passes(check_bounds, tmp_path / 'model.npz')
