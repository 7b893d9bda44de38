"""Two replicas, of one process or of two, train as one with the same global batch."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras import distributions, symmetry, targets, training
from ma_keras.training import strategy
from tests.integration import apps
from tests.support import clusters


def train(name, replicas, path, accumulate=1):
  """Ten steps under a strategy, in a process that has used no device yet; results as .npz."""
  if name != 'multi_worker':
    tf.config.set_logical_device_configuration(
      tf.config.list_physical_devices('CPU')[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
  training.determinism.enable(0)
  chosen = strategy.make(name)
  assert chosen.num_replicas_in_sync == replicas
  with chosen.scope():
    potential = ma_keras.potentials.OneHiddenLayer(
      4, 6, 'log_cosh', use_bias=False, dtype=tf.float64, seed=1
    )
    potential = symmetry.OneElementPerInterval(potential, symmetry.square_lattice(2), 0.1)
    bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.1, 'euler')
    model = training.VariationalFreeEnergy(bijector, targets.Ising(2, dtype=tf.float64), 8)
    optimizer = training.muon(1e-2, 10, 2, 1.0)  # Of which all but kernels take steps of Adam.
    optimizer.build(model.trainable_variables)
    model.accumulate = accumulate
    model.compile(optimizer)
  history = model.fit(model.sample_numbers(5), epochs=2, steps_per_epoch=5, verbose=0).history
  weights = {v.name: v.numpy() for v in model.trainable_variables}
  logs = {name: history[name] for name in ('free_energy_per_site', 'spread_per_site')}
  np.savez(path, **logs, **weights)


@pytest.fixture(scope='module')
def one(tmp_path_factory):
  path = tmp_path_factory.mktemp('one') / 'one.npz'
  apps.passes(train, 'one_device', 1, path)
  return np.load(path)


def assert_equal(two, one):
  """Same latents, same group elements, same mean gradient: equal but for rounding."""
  assert set(one) == set(two) and len(list(one)) == 4
  for name in one:
    assert two[name] == pytest.approx(one[name], rel=1e-9, abs=1e-12)


def test_two_replicas_equal_one(one, tmp_path):
  apps.passes(train, 'mirrored', 2, tmp_path / 'two.npz')
  assert_equal(np.load(tmp_path / 'two.npz'), one)


def normalise(name, path):
  """Steps of a chain with a batch normalisation: the statistics are those of all replicas."""
  devices = [tf.config.LogicalDeviceConfiguration()] * 2
  tf.config.set_logical_device_configuration(tf.config.list_physical_devices('CPU')[0], devices)
  with strategy.make(name).scope():
    last, first = (
      ma_keras.MongeAmpereBijector(
        ma_keras.potentials.OneHiddenLayer(2, 4, dtype=tf.float64, seed=seed), 1, 0.1, 'euler'
      )
      for seed in (1, 2)
    )
    normalisation = distributions.BatchNormalisation(2, dtype=tf.float64)
    chain = tfp.bijectors.Chain([last, normalisation, first])
    model = training.MaximumLikelihood(chain, penalties=None)
    model.compile(training.adam(1e-2, 20))
  x = np.random.default_rng(0).normal(size=(30, 2)) * [3.0, 0.5]
  model.fit(tf.data.Dataset.from_tensor_slices(x).batch(10), verbose=0)
  np.savez(path, *(v.numpy() for v in model.bijector.variables))


def test_two_replicas_normalise_by_the_points_of_both(tmp_path):
  for name in ('one_device', 'mirrored'):
    apps.passes(normalise, name, tmp_path / f'{name}.npz')
  one, two = (np.load(tmp_path / f'{name}.npz') for name in ('one_device', 'mirrored'))
  assert len(list(one)) == 8 and set(one) == set(two)
  for name in one:
    assert two[name] == pytest.approx(one[name], rel=1e-9, abs=1e-12)


def test_two_workers_equal_one(one, tmp_path):
  """To the bit, where one takes the batch in the two halves that they take."""
  calls = [('worker', train, 'multi_worker', 2, tmp_path / f'{i}.npz') for i in range(2)]
  assert clusters.wait(clusters.start(calls)) == [0, 0]
  apps.passes(train, 'one_device', 1, tmp_path / 'halves.npz', 2)
  halves = np.load(tmp_path / 'halves.npz')
  for index in range(2):
    two = np.load(tmp_path / f'{index}.npz')
    assert_equal(two, one)
    for name in ('kernel:0', 'amplitude:0'):
      np.testing.assert_array_equal(two[name], halves[name])


def test_a_run_whose_worker_is_killed_ends_and_resumes(tmp_path):
  """Through the app: the other ends with exit code 4; all started again, the job is done."""
  flags = [
    *('--side=2', '--hidden_units=8', '--num_steps=3', '--batch_size=8', '--steps_per_epoch=5'),
    *('--eval_samples=64', '--strategy=multi_worker', '--nosaved_model', '--nofigures'),
    *('--integrator=euler', '--symmetry=none'),
    f'--run_dir={tmp_path}',
  ]
  endless = apps.script('ising_main.py', *flags, '--epochs=100000')
  workers = clusters.start([('worker', *endless)] * 2)
  try:
    workers[0].wait_until(lambda: list(tmp_path.glob('backup/chief/*.index')))
    workers[1].kill()
    code = workers[0].wait(100)
  finally:
    for worker in workers:
      worker.kill()
  assert code == 4
  assert 'another process of the cluster is gone' in workers[0].output('stderr')
  saved = max(int(file.stem.split('-')[1]) for file in tmp_path.glob('backup/chief/*.index'))
  brief = apps.script('ising_main.py', *flags, f'--epochs={saved + 1}')
  assert clusters.wait(clusters.start([('worker', *brief)] * 2)) == [0, 0]
  assert (tmp_path / 'summary.json').exists()
