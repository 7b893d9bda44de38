"""Which devices to train on."""

from __future__ import annotations

import functools
import json
import os
from typing import Any

import tensorflow as tf

from ma_keras.training import parameter_server

STRATEGIES = ('one_device', 'mirrored', 'multi_worker', 'parameter_server', 'tpu')


def make(name: str, tpu: str = '') -> Any:
  """Returns the `tf.distribute` strategy of that name.

  Args:
    name: 'one_device' (TensorFlow's default placement: the first GPU if there is one),
      'mirrored' (all GPUs of this machine), 'multi_worker' or 'parameter_server' (the cluster in
      TF_CONFIG), or 'tpu'. For 'parameter_server' only the chief returns: a worker or ps serves it
      and ends, with exit code 0, after it has gone.
    tpu: TPU address for 'tpu'; '' or 'local' on a TPU VM.

  Returns:
    A strategy; build the model within its scope.

  Raises:
    ValueError: The name is unknown, there is no such device, or TF_CONFIG describes no cluster.
  """
  if name == 'one_device':
    return tf.distribute.get_strategy()
  if name == 'mirrored':
    devices = tf.config.list_logical_devices('GPU') or tf.config.list_logical_devices('CPU')
    return tf.distribute.MirroredStrategy([device.name for device in devices])
  if name == 'multi_worker':
    _tf_config(name)
    return tf.distribute.MultiWorkerMirroredStrategy()
  if name == 'parameter_server':
    return _parameter_server_strategy()
  if name == 'tpu':
    return _tpu_strategy(tpu)
  raise ValueError(f'`strategy` must be one of {list(STRATEGIES)}, got {name!r}.')


def check_compiled(strategy: Any, name: str, jit_compile: bool) -> None:
  """Refuses to compile training steps that several replicas, or processes, take together.

  Raises:
    ValueError: `jit_compile` with several replicas and no TPU, or with parameter servers.
  """
  if jit_compile and parameter_server.is_asynchronous(strategy):
    raise ValueError(
      '--jit_compile needs the variables on the device that computes, and they are on parameter '
      'servers: pass --nojit_compile, or --strategy=multi_worker.'
    )
  if jit_compile and name != 'tpu' and strategy.num_replicas_in_sync > 1:
    raise ValueError(
      f'--jit_compile compiles one replica, got {strategy.num_replicas_in_sync}: pass '
      '--nojit_compile, or --strategy=one_device.'
    )


def is_chief(strategy: Any) -> bool:
  """Tells if this process writes the logs and figures."""
  resolver = strategy.cluster_resolver
  if resolver is None or not resolver.task_type:
    return True
  return resolver.task_type == 'chief' or (
    resolver.task_type == 'worker'
    and resolver.task_id == 0
    and 'chief' not in resolver.cluster_spec().jobs
  )


def _tf_config(name: str) -> dict[str, Any]:
  """TF_CONFIG, {} if there is none."""
  try:
    cluster = json.loads(os.environ.get('TF_CONFIG') or '{}')
  except json.JSONDecodeError as error:
    raise ValueError(
      f"`strategy='{name}'` reads TF_CONFIG from the environment, which is no JSON: {error}"
    ) from error
  return cluster if isinstance(cluster, dict) else {}


@functools.lru_cache(maxsize=1)  # A process joins one cluster once.
def _parameter_server_strategy() -> Any:
  return parameter_server.join(_tf_config('parameter_server'))


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
