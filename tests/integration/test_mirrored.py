"""Two replicas, of one process or of two, train as one with the same global batch."""

import subprocess
import sys
import time

import numpy as np
import pytest

from tests import clusters
from tests.integration import apps

TRAIN = """
import sys
import numpy as np
import tensorflow as tf
if sys.argv[1] != 'multi_worker':
  tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices('CPU')[0], [tf.config.LogicalDeviceConfiguration()] * 2
  )
import ma_keras
from ma_keras import symmetry, targets, training
from ma_keras.training import strategy

training.determinism.enable(0)
chosen = strategy.make(sys.argv[1])
assert chosen.num_replicas_in_sync == int(sys.argv[2])
with chosen.scope():
  potential = ma_keras.potentials.OneHiddenLayer(
    4, 6, 'log_cosh', use_bias=False, dtype=tf.float64, seed=1
  )
  potential = symmetry.OneElementPerInterval(potential, symmetry.square_lattice(2), 0.1)
  bijector = ma_keras.MongeAmpereBijector(potential, 4, 0.1)
  model = training.VariationalFreeEnergy(bijector, targets.Ising(2, dtype=tf.float64), 8)
  optimizer = training.adam(1e-2, 20, 2, 1.0)
  optimizer.build(model.trainable_variables)
  model.accumulate = int(sys.argv[4])
  model.compile(optimizer)
history = model.fit(model.sample_numbers(10), epochs=2, steps_per_epoch=10, verbose=0).history
weights = {v.name: v.numpy() for v in model.trainable_variables}
logs = {name: history[name] for name in ('free_energy_per_site', 'spread_per_site')}
np.savez(sys.argv[3], **logs, **weights)
"""


def command(strategy, replicas, path, accumulate=1):
  return [sys.executable, '-c', TRAIN, strategy, str(replicas), str(path), str(accumulate)]


@pytest.fixture(scope='module')
def one(tmp_path_factory):
  path = tmp_path_factory.mktemp('one') / 'one.npz'
  subprocess.run(command('one_device', 1, path), check=True, timeout=300)
  return np.load(path)


def assert_equal(two, one):
  """Same latents, same group elements, same mean gradient: equal but for rounding."""
  assert set(one) == set(two) and len(list(one)) == 4
  for name in one:
    assert two[name] == pytest.approx(one[name], rel=1e-9, abs=1e-12)


def test_two_replicas_equal_one(one, tmp_path):
  subprocess.run(command('mirrored', 2, tmp_path / 'two.npz'), check=True, timeout=300)
  assert_equal(np.load(tmp_path / 'two.npz'), one)


def test_two_workers_equal_one(one, tmp_path):
  """To the bit, where one takes the batch in the two halves that they take."""
  calls = [('worker', command('multi_worker', 2, tmp_path / f'{i}.npz')) for i in range(2)]
  assert clusters.wait(clusters.start(calls)) == [0, 0]
  subprocess.run(command('one_device', 1, tmp_path / 'halves.npz', 2), check=True, timeout=300)
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
    f'--run_dir={tmp_path}',
  ]
  call = apps.command('ising_main.py', *flags)
  errors = {'stdout': subprocess.DEVNULL, 'stderr': subprocess.PIPE, 'text': True}
  workers = clusters.start([('worker', [*call, '--epochs=100000'])] * 2, **errors)
  try:
    deadline = time.monotonic() + 200
    while not list(tmp_path.glob('backup/chief/*.index')) and time.monotonic() < deadline:
      time.sleep(0.2)
    workers[1].kill()
    said = workers[0].communicate(timeout=100)[1]
  finally:
    for worker in workers:
      worker.kill()
  assert workers[0].returncode == 4 and 'another process of the cluster is gone' in said
  saved = max(int(file.stem.split('-')[1]) for file in tmp_path.glob('backup/chief/*.index'))
  workers = clusters.start([('worker', [*call, f'--epochs={saved + 1}'])] * 2)
  assert clusters.wait(workers) == [0, 0]
  assert (tmp_path / 'summary.json').exists()
