"""`ma-keras`: train, evaluate, sample, score, certify and export, as a newcomer does."""

import fcntl

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from tests.integration.apps import ROOT, run_command

TRAIN = [
  *('train', 'density', '--dataset_file=points.csv', '--hidden_units=8', '--num_steps=3'),
  *(
    '--step_size=0.3',
    '--epochs=8',
    '--batch_size=20',
    '--base=normal',
    '--learning_rate=0.1',
    '--run_dir=run',
    '--eval_batch_size=50',
    '--nosaved_model',
  ),
]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """A folder with points.csv, a parabola, and a model whose flow bends a normal into it."""
  path = tmp_path_factory.mktemp('command')
  x = np.random.default_rng(0).normal(size=(300, 2))
  x[:, 1] = 0.3 * x[:, 1] + x[:, 0] ** 2
  np.savetxt(path / 'points.csv', x, delimiter=',')
  done = run_command(path, *TRAIN)
  assert done.returncode == 0, done.stderr
  assert 'NLL = ' in done.stdout
  (path / 'trained').write_text(done.stdout)
  return path


@pytest.fixture(scope='module')
def samples(folder):
  done = run_command(
    folder, *('sample', '--model=run/model.npz', '--n=70', '--batch_size=30', '--output=one.csv')
  )
  assert done.returncode == 0, done.stderr
  return np.loadtxt(folder / 'one.csv', delimiter=',', skiprows=1)


def test_equal_commands_draw_equal_samples(folder, samples):
  assert samples.shape == (70, 2) and len(np.unique(samples[:, 0])) == 70
  arguments = ('sample', '--model=run/model.npz', '--n=70', '--batch_size=30')
  done = run_command(folder, *arguments, '--output=two.csv')
  assert done.returncode == 0, done.stderr
  assert (folder / 'one.csv').read_text() == (folder / 'two.csv').read_text()


def test_scores_are_the_log_densities_of_the_samples(folder, samples, eagerly):
  arguments = ('score', '--model=run/model.npz', '--input=one.csv', '--batch_size=50')
  done = run_command(folder, *arguments)
  assert done.returncode == 0, done.stderr
  found = np.loadtxt(folder / 'scores.csv', delimiter=',', skiprows=1)
  np.testing.assert_array_equal(found[:, 0], np.arange(70))
  flow = ma_keras.load(folder / 'run' / 'model.npz').flow()
  expected = flow.log_prob(samples.astype(np.float32))
  np.testing.assert_allclose(found[:, 1], expected, rtol=1e-4, atol=1e-4)


def test_an_export_is_the_trained_flow(folder, eagerly):
  done = run_command(folder, 'export', '--model=run/model.npz', '--output=saved_model')
  assert done.returncode == 0, done.stderr
  x = tf.constant([[0.1, 0.2], [1.0, -1.0]], tf.float64)  # As all tables are read.
  flow = ma_keras.load(folder / 'run' / 'model.npz').flow()
  module = tf.saved_model.load(str(folder / 'saved_model'))
  np.testing.assert_allclose(module.log_prob(x)['log_prob'], flow.log_prob(x), rtol=1e-5)


def test_an_evaluation_repeats_what_training_said(folder):
  arguments = ('eval', '--model=run/model.npz', '--dataset_file=points.csv')
  done = run_command(folder, *arguments)
  assert done.returncode == 0, done.stderr
  result, _, comparison = (folder / 'trained').read_text().splitlines()[-1].rpartition(' steps; ')
  assert f'{result} steps' in done.stdout.splitlines() and 'than a Gaussian' in comparison
  assert done.stdout.startswith("points.csv: UTF-8, separator ',', no header")


def test_the_depth_can_be_chosen_and_a_coarse_one_is_not_certified(folder):
  arguments = ('certify', '--model=run/model.npz', '--n=10')
  done = run_command(folder, *arguments, '--num_steps=24')
  assert done.returncode == 0 and '24 steps' in done.stdout
  done = run_command(folder, *arguments, '--tolerance=0')
  assert done.returncode == 3 and 'smaller steps' in done.stderr


def test_a_pretrained_flow_of_spins_is_evaluated_on_its_own_target():
  done = run_command(ROOT, 'eval', '--model=ising_l8', '--n=20')
  assert done.returncode == 0, done.stderr
  assert 'exact -2.322735' in done.stdout


def content(folder):
  """Path to bytes, but for the lock, which has its owner."""
  files = [path for path in folder.rglob('*') if path.is_file() and path.name != 'lock']
  return {path: path.read_bytes() for path in files}


def test_a_run_knows_its_data_and_its_owner(folder):
  """Field case 25: other points under the same name trained on; two processes mixed their files."""
  before = content(folder / 'run')
  with (folder / 'run' / 'lock').open() as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    done = run_command(folder, *TRAIN)
  assert done.returncode == 4 and 'belongs to process' in done.stderr
  points = (folder / 'points.csv').read_text()
  try:
    (folder / 'points.csv').write_text(points.replace('1', '2'))
    done = run_command(folder, *TRAIN)
  finally:
    (folder / 'points.csv').write_text(points)
  assert done.returncode == 1 and 'points.csv is not what the run in run began with' in done.stderr
  assert content(folder / 'run') == before


def test_help_lists_commands_and_flags():
  done = run_command(ROOT, '--help')
  assert done.returncode == 0 and 'ma-keras score' in done.stdout
  done = run_command(ROOT, 'score', '--help')
  assert done.returncode == 0 and '--input' in done.stdout and 'dequantised' in done.stdout
  assert '--batch_size' in done.stdout and '--verbosity' not in done.stdout
  done = run_command(ROOT, 'score', '--helpfull')
  assert done.returncode == 0 and '--verbosity' in done.stdout


@pytest.mark.parametrize(
  'arguments, message',
  [
    (['score', '--model=ising_l8', '--inptu=x.csv'], 'no flag --inptu; did you mean --input?'),
    (['score', '--model=ising_l8', '--input=points.csv'], 'the model takes 64'),
    (['eval', '--model=run/model.npz', '--dataset=digits'], '64'),
  ],
)
def test_wrong_input_ends_in_one_line_and_exit_code_one(folder, arguments, message):
  done = run_command(folder, *arguments)
  assert done.returncode == 1
  assert message in done.stderr and 'Traceback' not in done.stderr
