"""Strategies by name."""

import types

import pytest
import tensorflow as tf

from ma_keras.training import strategy


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
  ],
)
def test_exactly_one_process_is_the_chief(task, jobs, chief):
  resolver = types.SimpleNamespace(
    task_type=task[0], task_id=task[1], cluster_spec=lambda: types.SimpleNamespace(jobs=jobs)
  )
  assert strategy.is_chief(types.SimpleNamespace(cluster_resolver=resolver)) is chief


def test_an_unknown_name_is_rejected():
  with pytest.raises(ValueError, match=r"one_device.*'gpu'"):
    strategy.make('gpu')


def test_a_missing_tpu_is_said_so():
  with pytest.raises(ValueError, match=r'--tpu=ADDRESS'):
    strategy.make('tpu', 'local')
