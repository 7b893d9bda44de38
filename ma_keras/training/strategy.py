"""Which devices to train on."""

from __future__ import annotations

import json
import os
from typing import Any

import tensorflow as tf

STRATEGIES = ('one_device', 'mirrored', 'multi_worker', 'tpu')


def make(name: str, tpu: str = '') -> Any:
  """Returns the `tf.distribute` strategy of that name.

  Args:
    name: 'one_device' (TensorFlow's default placement: the first GPU if there is one),
      'mirrored' (all GPUs of this machine), 'multi_worker' (the cluster in TF_CONFIG), or 'tpu'.
    tpu: TPU address for 'tpu'; '' or 'local' on a TPU VM.

  Returns:
    A strategy; build the model within its scope.

  Raises:
    ValueError: The name is unknown, or there is no such device.
  """
  if name == 'one_device':
    return tf.distribute.get_strategy()
  if name == 'mirrored':
    devices = tf.config.list_logical_devices('GPU') or tf.config.list_logical_devices('CPU')
    return tf.distribute.MirroredStrategy([device.name for device in devices])
  if name == 'multi_worker':
    return _multi_worker_strategy()
  if name == 'tpu':
    return _tpu_strategy(tpu)
  raise ValueError(f'`strategy` must be one of {list(STRATEGIES)}, got {name!r}.')


def check_compiled(strategy: Any, name: str, jit_compile: bool) -> None:
  """Refuses to compile training steps that several replicas take together.

  Raises:
    ValueError: `jit_compile`, several replicas, and no TPU.
  """
  if jit_compile and name != 'tpu' and strategy.num_replicas_in_sync > 1:
    raise ValueError(
      f'--jit_compile compiles one replica, got {strategy.num_replicas_in_sync}: pass '
      '--nojit_compile, or --strategy=one_device.'
    )


def is_chief(strategy: Any) -> bool:
  """Whether this process writes the logs and figures."""
  resolver = strategy.cluster_resolver
  if resolver is None or not resolver.task_type:
    return True
  return resolver.task_type == 'chief' or (
    resolver.task_type == 'worker'
    and resolver.task_id == 0
    and 'chief' not in resolver.cluster_spec().jobs
  )


def _multi_worker_strategy() -> Any:
  try:
    json.loads(os.environ.get('TF_CONFIG', '{}'))
  except json.JSONDecodeError as error:
    raise ValueError(
      f"`strategy='multi_worker'` reads TF_CONFIG from the environment, which is no JSON: {error}"
    ) from error
  return tf.distribute.MultiWorkerMirroredStrategy()


def _tpu_strategy(tpu: str) -> Any:
  try:
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu)
    tf.config.experimental_connect_to_cluster(resolver)
    tf.tpu.experimental.initialize_tpu_system(resolver)
  except (ValueError, tf.errors.OpError) as error:
    raise ValueError(
      f"`strategy='tpu'` found no TPU at {tpu!r} ({error}): pass --tpu=ADDRESS, or "
      '--strategy=one_device.'
    ) from error
  return tf.distribute.TPUStrategy(resolver)
