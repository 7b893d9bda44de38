"""The density app as a user runs it: in a process of its own, on data that need no download."""

import functools
import json
import shutil
import time

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from tests.integration import apps

run = functools.partial(apps.run, 'mnist_main.py')
# Two terms and two stages a step: most of a run's time goes into tracing them.
TINY = [
  *('--flagfile=apps/flagfiles/digits_tiny.flags', '--hidden_units=0', '--epochs=4'),
  *('--integrator=heun', '--step_size=0.25', '--gradient=plain'),
]
# Vectors in two dimensions: nothing but one dense layer.
SMALL = [
  *('--hidden_units=8', '--num_steps=4', '--step_size=0.25', '--integrator=heun'),
  *('--batch_size=20', '--epochs=3', '--warmup_steps=5', '--learning_rate=0.01'),
  *('--deterministic', '--nosaved_model', '--nofigures'),
]


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
  path = tmp_path_factory.mktemp('digits')
  return path, run(*TINY, f'--run_dir={path}')


@pytest.fixture(scope='module')
def exported(finished):
  path, _ = finished
  return tf.saved_model.load(str(path / 'saved_model'))


@pytest.fixture(scope='module')
def vectors(tmp_path_factory):
  rng = np.random.default_rng(0)
  path = tmp_path_factory.mktemp('vectors') / 'vectors.npy'
  np.save(path, rng.normal(size=(300, 2)) @ rng.normal(size=(2, 2)))
  return f'--dataset_file={path}'


@pytest.fixture(scope='module')
def uninterrupted(tmp_path_factory, vectors):
  path = tmp_path_factory.mktemp('uninterrupted')
  return path, run(*SMALL, vectors, f'--run_dir={path}')


def test_a_run_leaves_everything_behind(finished):
  path, done = finished
  assert done.returncode == 0, done.stderr
  assert 'bits per dimension' in done.stdout.splitlines()[-1]
  summary = json.loads((path / 'summary.json').read_text())
  assert summary['num_points'] == 200 and summary['draws'] == 2
  assert 0 < summary['integration_error'] < 0.1
  assert summary['noise_error'] > 0 and summary['point_error'] > 0
  for name in ('flags.txt', 'metrics.csv', 'backup', 'tensorboard', 'saved_model'):
    assert (path / name).exists(), name
  figures = {file.stem for file in path.glob('*.png')}
  expected = {'figure3a', 'figure3b', 'path_to_images', 'samples', 'depths', 'latents'}
  assert figures == {*expected, 'pixel_maps', 'calibration'}


def test_the_exported_model_scores_and_draws_images(exported):
  drawn = exported.sample(seed=tf.constant([1, 2]), n=tf.constant(5))
  assert drawn['x'].shape == (5, 8, 8, 1)
  scored = exported.log_prob(drawn['x'])['log_prob']
  np.testing.assert_allclose(scored, drawn['log_prob'], rtol=1e-2)


def test_the_model_file_scores_as_the_exported_model_does(finished, exported, eagerly):
  path, _ = finished
  model = ma_keras.load(path / 'model.npz')
  x = np.random.default_rng(0).uniform(1, 16, (3, 8, 8, 1)).astype(np.float32)
  np.testing.assert_allclose(
    model.flow().log_prob(x), exported.log_prob(tf.constant(x))['log_prob'], rtol=1e-5
  )
  assert model.notes['dataset'] == 'digits'


def test_the_reported_weights_are_the_best_on_validation_data(finished):
  path, _ = finished
  reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(path / 'best')))
  best = [np.asarray(reader.get_tensor(name)) for name in reader.get_variable_to_shape_map()]
  for value in apps.weights(path).values():
    assert any(np.array_equal(v, value) for v in best)


def test_a_killed_run_ends_where_an_uninterrupted_one_does(tmp_path, vectors, uninterrupted):
  """SIGKILL between two epochs and in one, then the same command: equal weights, bit for bit."""
  for moment in ('/epoch', 'Epoch 3/3'):
    process = apps.start('mnist_main.py', *SMALL, vectors, f'--run_dir={tmp_path}')
    process.wait_until(lambda p=process, moment=moment: moment in p.output())
    time.sleep(0.05)
    process.kill()
    process.wait()
    assert not (tmp_path / 'summary.json').exists()
  resumed = run(*SMALL, vectors, f'--run_dir={tmp_path}')
  assert resumed.returncode == 0, resumed.stderr
  one, two = apps.weights(uninterrupted[0]), apps.weights(tmp_path)
  assert one.keys() == two.keys()
  for name in one:
    np.testing.assert_array_equal(one[name], two[name])


def test_real_vectors_have_nats_and_no_bits(uninterrupted):
  _, done = uninterrupted
  assert done.returncode == 0, done.stderr
  assert 'NLL' in done.stdout and 'bits' not in done.stdout


# One Euler step: the Laplacian at its end is all that the likelihood sees.
CHEATING = [
  *('--hidden_units=32', '--num_steps=1', '--step_size=3', '--integrator=euler', '--epochs=6'),
  *('--penalty=stiffness:0', '--batch_size=50', '--warmup_steps=0', '--learning_rate=0.05'),
  *('--nofigures', '--saved_model', '--base=normal'),
]


@pytest.fixture(scope='module')
def cheated(tmp_path_factory):
  path, rng = tmp_path_factory.mktemp('cheated'), np.random.default_rng(0)
  np.save(path / 'four.npy', rng.choice([-1, 1], (600, 2)) + 0.1 * rng.normal(size=(600, 2)))
  return path / 'run', run(*CHEATING, f'--dataset_file={path}/four.npy', f'--run_dir={path}/run')


def test_a_run_that_cheats_its_integrator_ends_in_doubt_with_the_remedy(cheated):
  path, done = cheated
  assert done.returncode == 3, done.stderr
  last = done.stderr.strip().splitlines()[-1]
  assert 'nats' in last and '--penalty' in last and '--num_steps' in last
  assert 'NLL = ' in done.stdout  # What is best is reported all the same.
  assert json.loads((path / 'summary.json').read_text())['doubts'] in last


def test_files_keep_the_depth_at_which_the_likelihood_was_certified(
  cheated, finished, exported, eagerly
):
  coarse = tf.saved_model.load(str(cheated[0] / 'saved_model'))
  for path, module in ((finished[0], exported), (cheated[0], coarse)):
    summary = json.loads((path / 'summary.json').read_text())
    model = ma_keras.load(path / 'model.npz')
    assert model.bijector.horizon.num_steps == summary['certified_steps']
    z = np.random.default_rng(0).normal(size=(5, model.bijector.potential.event_size))
    x = model.flow().bijector.forward(tf.constant(z, tf.float32))
    np.testing.assert_allclose(module.forward(z=tf.constant(z, tf.float32))['x'], x, rtol=1e-5)
  assert summary['certified_steps'] > 1


def test_a_doubtful_model_says_so_whenever_it_is_used(cheated):
  path, _ = cheated
  drawn = apps.run_command(
    path, *('sample', '--model=model.npz', '--n=3', '--num_steps=1', '--output=x.csv')
  )
  assert drawn.returncode == 0 and 'in doubt since its training' in drawn.stderr
  assert 'fewer than the' in drawn.stderr


def test_after_a_stop_the_best_weights_are_reported_and_saved(tmp_path, vectors, uninterrupted):
  shutil.copytree(uninterrupted[0], tmp_path, dirs_exist_ok=True)
  best = apps.weights(tmp_path)
  (tmp_path / 'model.npz').unlink()
  diverging = ['--epochs=6', '--learning_rate=1e30', '--gradient_clip=0', '--warmup_steps=0']
  done = run(*SMALL, vectors, f'--run_dir={tmp_path}', *diverging)
  assert done.returncode == 3 and '--learning_rate' in done.stderr.splitlines()[-1]
  assert 'NLL = ' in done.stdout
  assert '--learning_rate' in ma_keras.load(tmp_path / 'model.npz').notes['doubts']
  for name, value in apps.weights(tmp_path).items():
    np.testing.assert_array_equal(value, best[name])


def test_data_have_a_stiffness_penalty_by_default(uninterrupted):
  path, done = uninterrupted
  assert done.returncode == 0, done.stderr
  assert '--penalty=stiffness:0.3' in (path / 'flags.txt').read_text().splitlines()
  assert np.loadtxt(path / 'metrics.csv', delimiter=',', skiprows=1)[:, 2].min() > 0


def test_another_model_in_the_same_directory_is_refused(finished):
  path, _ = finished
  done = run(*TINY, f'--run_dir={path}', '--local=4,2,5')
  assert done.returncode == 1
  assert '--local=4,2,5' in done.stderr.strip().splitlines()[-1]
