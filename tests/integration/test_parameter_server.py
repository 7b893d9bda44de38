"""A chief, two workers and a parameter server on the loopback interface train the Ising model."""

import csv
import json
import os

import pytest

from tests.integration import apps
from tests.support import clusters

FLAGS = [
  *('--strategy=parameter_server', '--side=4', '--hidden_units=32', '--num_steps=4'),
  *('--batch_size=32', '--steps_per_epoch=20', '--epochs=2', '--eval_samples=64'),
  *('--learning_rate=0.03', '--warmup_steps=1', '--nosaved_model'),
  '--nofigures',
]
TASKS = ['chief', 'ps', 'worker', 'worker']


def test_two_workers_train_what_a_parameter_server_holds(tmp_path):
  """The chief ends, and so do those that served it; one core is enough for all of them."""
  app = apps.script('ising_main.py', *FLAGS, f'--run_dir={tmp_path}')
  processes = clusters.start([(task, *app) for task in TASKS])
  for process in processes if hasattr(os, 'sched_setaffinity') else []:
    os.sched_setaffinity(process.pid, {min(os.sched_getaffinity(0))})
  assert clusters.wait(processes) == [0, 0, 0, 0]
  with (tmp_path / 'metrics.csv').open() as file:
    losses = [float(row['free_energy_per_site']) for row in csv.DictReader(file)]
  assert len(losses) == 2 and losses[1] < losses[0] - 0.1
  result = json.loads((tmp_path / 'summary.json').read_text())
  assert result['exact_per_site'] == pytest.approx(-2.336045730622, abs=1e-11)
  error = result['statistical_error'] + result['integration_error']
  assert -5 * error < result['gap_per_site'] < 0.5
