"""A chief, two workers and a parameter server on the loopback interface train the Ising model."""

import contextlib
import csv
import json
import os
import socket
import subprocess

import pytest

from tests.integration import apps

FLAGS = [
  *('--strategy=parameter_server', '--side=4', '--hidden_units=32', '--num_steps=4'),
  *('--batch_size=32', '--steps_per_epoch=20', '--epochs=2', '--eval_samples=64'),
  *('--learning_rate=0.03', '--warmup_steps=1'),
]
TASKS = [('ps', 0), ('worker', 0), ('worker', 1), ('chief', 0)]


def free_addresses(number):
  with contextlib.ExitStack() as stack:
    sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
    for opened in sockets:
      opened.bind(('localhost', 0))
    return [f'localhost:{opened.getsockname()[1]}' for opened in sockets]


def start(cluster, task, path):
  task = {'cluster': cluster, 'task': {'type': task[0], 'index': task[1]}}
  return subprocess.Popen(
    apps.command('ising_main.py', *FLAGS, f'--run_dir={path}'),
    env={**os.environ, 'TF_CONFIG': json.dumps(task)},
    cwd=apps.ROOT,
  )


def test_two_workers_train_what_a_parameter_server_holds(tmp_path):
  ps, first, second, chief = free_addresses(len(TASKS))
  cluster = {'chief': [chief], 'worker': [first, second], 'ps': [ps]}
  processes = [start(cluster, task, tmp_path) for task in TASKS]
  try:  # The chief ends, and so do those that served it.
    assert processes[-1].wait(timeout=300) == 0
    assert [process.wait(timeout=60) for process in processes[:-1]] == [0, 0, 0]
  finally:
    for process in processes:
      process.kill()
  with (tmp_path / 'metrics.csv').open() as file:
    losses = [float(row['free_energy_per_site']) for row in csv.DictReader(file)]
  assert len(losses) == 2 and losses[1] < losses[0] - 0.1
  result = json.loads((tmp_path / 'summary.json').read_text())
  assert result['exact_per_site'] == pytest.approx(-2.336045730622, abs=1e-11)
  error = result['statistical_error'] + result['integration_error']
  assert -5 * error < result['gap_per_site'] < 0.5
