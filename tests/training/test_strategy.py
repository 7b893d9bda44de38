"""Strategies by name, and training steps as their devices take them."""

import contextlib
import json
import types

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import data, symmetry, targets, training
from ma_keras.training import parameter_server, strategy

BATCH = 8


def free_energy():
  potential = ma_keras.potentials.OneHiddenLayer(
    4, 6, 'log_cosh', use_bias=False, dtype=tf.float64, seed=1
  )
  potential = symmetry.OneElementPerInterval(potential, symmetry.square_lattice(2), 0.1)
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.1, 'euler')
  made = training.VariationalFreeEnergy(bijector, targets.Ising(2, dtype=tf.float64), BATCH)
  return made, made.sample_numbers(1)


def likelihood():
  potential = ma_keras.potentials.OneHiddenLayer(4, 6, dtype=tf.float64, seed=1)
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.1, 'heun')
  images = np.random.default_rng(0).integers(0, 256, (BATCH, 4)).astype(np.uint8)
  made = training.MaximumLikelihood(bijector, data.Pixels(dtype=tf.float64), BATCH)
  return made, tf.data.Dataset.from_tensors((tf.range(BATCH, dtype=tf.int64), images))


def weights(made):
  return np.concatenate([v.numpy().ravel() for v in made.trainable_variables])


def test_one_device_is_tensorflows_default():
  assert strategy.make('one_device') is tf.distribute.get_strategy()
  assert strategy.is_chief(strategy.make('one_device'))


def test_mirrored_covers_the_devices_of_this_machine():
  devices = tf.config.list_logical_devices('GPU') or tf.config.list_logical_devices('CPU')
  assert strategy.make('mirrored').num_replicas_in_sync == len(devices)


@pytest.mark.parametrize(
  ('task', 'jobs', 'chief'),
  [
    (('chief', 0), ['chief', 'worker'], True),
    (('worker', 0), ['worker'], True),
    (('worker', 0), ['chief', 'worker'], False),
    (('worker', 1), ['worker'], False),
    (('', None), [], True),  # Of a TPU here: one process alone.
  ],
)
def test_exactly_one_process_is_the_chief(task, jobs, chief):
  resolver = types.SimpleNamespace(
    task_type=task[0], task_id=task[1], cluster_spec=lambda: types.SimpleNamespace(jobs=jobs)
  )
  assert strategy.is_chief(types.SimpleNamespace(cluster_resolver=resolver)) is chief


@pytest.mark.slow
def test_a_missing_tpu_is_said_so():
  with pytest.raises(ValueError, match=r'--tpu=ADDRESS'):
    strategy.make('tpu', 'local')


@pytest.mark.parametrize('name', ['multi_worker', 'parameter_server'])
def test_tf_config_must_be_json(monkeypatch, name):
  monkeypatch.setenv('TF_CONFIG', "{'cluster'")
  with pytest.raises(ValueError, match=f'{name}.*TF_CONFIG.*no JSON'):
    strategy.make(name)


def test_parameter_servers_and_xla_exclude_each_other():
  chosen = object.__new__(tf.distribute.ParameterServerStrategy)  # It would wait for its cluster.
  strategy.check_compiled(chosen, 'parameter_server', jit_compile=False)
  with pytest.raises(ValueError, match=r'--nojit_compile.*--strategy=multi_worker'):
    strategy.check_compiled(chosen, 'parameter_server', jit_compile=True)


@pytest.mark.parametrize('name, replicas', [('mirrored', 1), ('tpu', 8), ('mirrored', 2)])
def test_xla_compiles_one_replica_or_tpus(name, replicas):
  """Several replicas are refused with the remedy; TPUs always compile."""
  chosen = types.SimpleNamespace(num_replicas_in_sync=replicas)
  strategy.check_compiled(chosen, name, jit_compile=False)
  several = pytest.raises(ValueError, match=r'one replica, got 2: pass --nojit_compile')
  with several if (name, replicas) == ('mirrored', 2) else contextlib.nullcontext():
    strategy.check_compiled(chosen, name, jit_compile=True)


def cluster(*jobs):
  return {job: ['localhost:1'] for job in jobs}


@pytest.mark.parametrize(
  ('found', 'lacks'),
  [
    (None, r"has no \['chief', 'worker', 'ps'\]"),
    ([], r"has no \['chief', 'worker', 'ps'\]"),
    ({'cluster': cluster('chief', 'worker'), 'task': {'type': 'chief'}}, r"has no \['ps'\]"),
    ({'cluster': cluster('worker', 'ps'), 'task': {'type': 'ps'}}, r"has no \['chief'\]"),
    ({'cluster': cluster('chief', 'worker', 'ps')}, 'calls this process None'),
    (
      {'cluster': cluster('chief', 'worker', 'ps'), 'task': {'type': 'evaluator'}},
      "calls this process 'evaluator'",
    ),
  ],
)
def test_a_cluster_without_parameter_servers_is_said_so(monkeypatch, found, lacks):
  monkeypatch.delenv('TF_CONFIG', raising=False)
  if found is not None:
    monkeypatch.setenv('TF_CONFIG', json.dumps(found))
  with pytest.raises(ValueError, match=f'TF_CONFIG {lacks}.*--strategy=one_device'):
    strategy.make('parameter_server')


def test_workers_of_parameter_servers_have_one_gpu(monkeypatch):
  found = {'cluster': cluster('chief', 'worker', 'ps'), 'task': {'type': 'chief', 'index': 0}}
  monkeypatch.setenv('TF_CONFIG', json.dumps(found))
  made = types.SimpleNamespace(num_replicas_in_sync=1)
  monkeypatch.setattr(tf.distribute, 'ParameterServerStrategy', lambda _: made)
  assert parameter_server.join(found) is made
  made.num_replicas_in_sync = 2
  with pytest.raises(ValueError, match=r'got 2 in each: start a worker for every GPU'):
    parameter_server.join(found)


@pytest.mark.parametrize('build', [free_energy, likelihood])
def test_workers_at_the_same_step_draw_for_themselves(build):
  """Block w of sample numbers draws from (seed, k, w); block 0 from (seed, k)."""
  made = build()[0]
  made.compile(training.adam(1e-2, 100))
  numbers = tf.range(BATCH, dtype=tf.int64)
  drawn = [
    ma_keras.seeds.uniform([4], made.per_sample_seeds(numbers + w * BATCH, 'test')[0], tf.float64)
    for w in range(3)
  ]
  values = np.concatenate([each.numpy().ravel() for each in drawn])
  assert len(np.unique(values)) == 3 * BATCH * 4


@pytest.mark.slow
@pytest.mark.parametrize('build', [free_energy, likelihood])
def test_the_whole_step_compiles_for_xla(build):
  """As on a TPU: static shapes, and no operation that XLA lacks."""
  made, stream = build()
  made.compile(training.adam(1e-2, 100))
  before, batch = weights(made), next(iter(stream))
  made.optimizer.build(made.trainable_variables)
  logs = tf.function(made.train_step, jit_compile=True, autograph=False)(batch)
  assert all(np.isfinite(value.numpy()) for value in logs.values())
  assert np.all(np.isfinite(weights(made))) and np.abs(weights(made) - before).max() > 1e-4


@pytest.mark.slow
def test_steps_per_execution_change_nothing():
  """Epochs of 12 steps as 5 + 5 + 2."""

  def trained(steps_per_execution):
    made, stream = free_energy()
    made.compile(training.adam(1e-2, 24, 2, 1.0), steps_per_execution=steps_per_execution)
    made.fit(stream.repeat(), epochs=2, steps_per_epoch=12, verbose=0)
    assert int(made.optimizer.iterations) == 24
    return weights(made)

  np.testing.assert_allclose(trained(5), trained(1), rtol=1e-10)
