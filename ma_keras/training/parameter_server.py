"""Asynchronous training: a chief, workers that step when they are ready, ps that hold variables."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras

JOBS = ('chief', 'worker', 'ps')
POLL_SECONDS = 1.0
Logs = dict[str, Any] | None


def join(configuration: dict[str, Any]) -> Any:
  """Takes this process's part in a cluster.

  Args:
    configuration: What TF_CONFIG says: the addresses of one chief, of workers and of ps, and which
      of them this process is.

  Returns:
    The strategy of the chief, which trains. A worker or ps never returns: it serves the chief, and
    ends with exit code 0 after that has gone, whatever the reason.

  Raises:
    ValueError: There is no such cluster, this process is none of it, or a worker has several GPUs.
  """
  cluster, task = configuration.get('cluster', {}), configuration.get('task', {})
  missing = [job for job in JOBS if not cluster.get(job)]
  if missing or task.get('type') not in JOBS:
    lacks = f'has no {missing}' if missing else f'calls this process {task.get("type")!r}'
    raise ValueError(
      f"`strategy='parameter_server'` needs a chief, workers and ps, but TF_CONFIG {lacks}: set it "
      'to {"cluster": {"chief": ["HOST:PORT"], "worker": [...], "ps": [...]}, "task": {"type": '
      '"chief", "index": 0}}, or pass --strategy=one_device.'
    )
  resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
  if task['type'] != 'chief':
    _serve(resolver, cluster)
  strategy = tf.distribute.ParameterServerStrategy(resolver)
  gpus = strategy.num_replicas_in_sync
  if gpus > 1:  # They would be handed equal sample numbers.
    raise ValueError(
      f"`strategy='parameter_server'` takes workers of one GPU, got {gpus} in each: start "
      'a worker for every GPU, with CUDA_VISIBLE_DEVICES set to its number.'
    )
  return strategy


def is_asynchronous(strategy: Any) -> bool:
  """Tells if workers take steps of their own, on variables that parameter servers hold."""
  return isinstance(strategy, tf.distribute.ParameterServerStrategy)


def for_workers(stream: Callable[[tf.Tensor], tf.data.Dataset]) -> Any:
  """Data for `fit` where workers draw for themselves: `stream` of the worker's index, int64 [].

  The stream runs on the worker, so that it must be made of TensorFlow's operations alone, and must
  not end. Worker w should number its samples w B .. (w + 1) B - 1: see `FlowModel`.
  """
  # The InputContext calls every worker number 0.
  index = tf.distribute.coordinator.experimental_get_current_worker_index
  return tf_keras.utils.experimental.DatasetCreator(lambda _: stream(index()))


class AtEpochs(tf_keras.callbacks.Callback):
  """Callbacks without their batches: what a worker has not computed yet, nobody can look at.

  Attributes:
    callbacks: Called at the beginning and the end of training and of every epoch.
  """

  def __init__(self, callbacks: list[tf_keras.callbacks.Callback]) -> None:
    """Keeps the callbacks in their order."""
    super().__init__()
    self.callbacks = callbacks

  def set_params(self, params: dict[str, Any]) -> None:
    """Hands on what `fit` was called with."""
    for callback in self.callbacks:
      callback.set_params(params)

  def set_model(self, model: tf_keras.Model) -> None:
    """Hands on the model."""
    for callback in self.callbacks:
      callback.set_model(model)

  def on_train_begin(self, logs: Logs = None) -> None:
    """Hands on."""
    for callback in self.callbacks:
      callback.on_train_begin(logs)

  def on_train_end(self, logs: Logs = None) -> None:
    """Hands on."""
    for callback in self.callbacks:
      callback.on_train_end(logs)

  def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
    """Hands on."""
    for callback in self.callbacks:
      callback.on_epoch_begin(epoch, logs)

  def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
    """Hands on; all see the same dictionary, and what those before have put there."""
    for callback in self.callbacks:
      callback.on_epoch_end(epoch, logs)


def _serve(resolver: Any, cluster: dict[str, list[str]]) -> None:
  """Serves until the chief, once there, is gone: TensorFlow's own `join` would block for ever."""
  # An operation that waits for another process keeps its thread. TensorFlow's default, a thread
  # per core, deadlocks where cores are few; its guide to servers has one more than workers.
  threads = tf.compat.v1.ConfigProto(
    inter_op_parallelism_threads=max(os.cpu_count() or 1, len(cluster['worker']) + 1)
  )
  server = tf.distribute.Server(
    resolver.cluster_spec(),
    job_name=resolver.task_type,
    task_index=resolver.task_id,
    protocol=resolver.rpc_layer or 'grpc',
    config=threads,
  )
  chief = cluster['chief'][0]
  while not _listens(chief):
    time.sleep(POLL_SECONDS)
  while _listens(chief):
    time.sleep(POLL_SECONDS)
  del server
  sys.exit(0)


def _listens(address: str) -> bool:
  host, port = address.rsplit(':', 1)
  try:
    socket.create_connection((host.strip('[]'), int(port)), timeout=10).close()
  except OSError:
    return False
  return True
