"""A table from its file to its scores, in one space: that of the data."""

import csv
import json
import re

import numpy as np
import pytest

import ma_keras
from tests.integration import apps

ENTROPY = 1.634  # Of N(10, 3) x N(-5, 0.1): ln(2 pi e) + ln 0.3, nats.
FLAGS = ['--hidden_units=8', '--num_steps=4', '--epochs=2', '--nofigures', '--nosaved_model']


def train(path, *flags):
  return apps.run_command(
    path, 'train', 'density', '--dataset_file=table.csv', '--run_dir=run', *FLAGS, *flags
  )


def nll(line):
  return float(re.search(r'NLL = (-?[\d.]+) ', line).group(1))


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  path, rng = tmp_path_factory.mktemp('table'), np.random.default_rng(0)
  x = np.stack([rng.normal(10, 3, 900), rng.normal(-5, 0.1, 900)], axis=1)
  np.savetxt(path / 'table.csv', x, delimiter=',', header='length,width', comments='')
  return path, train(path)


def test_training_reports_nats_of_the_data_beside_the_baselines(trained):
  _, done = trained
  assert done.returncode == 0, done.stderr
  assert '900 rows, 2 columns: length, width' in done.stdout
  last = done.stdout.splitlines()[-1]
  assert 'nats of the data' in last and 'than a Gaussian' in last and 'than a mixture of' in last
  assert abs(nll(last) - ENTROPY) < 0.25


@pytest.fixture(scope='module')
def scores(trained):
  """The lines of scores.csv without the first."""
  path, _ = trained
  done = apps.run_command(path, 'score', '--model=run/model.npz', '--input=table.csv')
  assert done.returncode == 0, done.stderr
  return list(csv.reader((path / 'scores.csv').open()))[1:]


def test_eval_and_score_say_the_same(trained, scores):
  path, done = trained
  evaluated = apps.run_command(path, 'eval', '--model=run/model.npz')
  assert evaluated.returncode == 0, evaluated.stderr
  assert nll(evaluated.stdout) == pytest.approx(nll(done.stdout), abs=0.011)
  assert len(scores) == 900
  assert abs(np.mean([float(row[1]) for row in scores]) + ENTROPY) < 0.15


def test_names_are_kept_and_columns_put_in_order(trained, scores):
  path, _ = trained
  assert ma_keras.load(path / 'run' / 'model.npz').columns == ('length', 'width')
  rows = np.loadtxt(path / 'table.csv', delimiter=',', skiprows=1)
  options = {'delimiter': ',', 'header': 'width,length', 'comments': ''}
  np.savetxt(path / 'other.csv', rows[:, ::-1], **options)
  flags = ('--input=other.csv', '--output=other_scores.csv')
  done = apps.run_command(path, 'score', '--model=run/model.npz', *flags)
  assert done.returncode == 0, done.stderr
  assert list(csv.reader((path / 'other_scores.csv').open()))[1:] == scores


def test_samples_have_the_names_of_the_columns(trained):
  path, _ = trained
  done = apps.run_command(path, 'sample', '--model=run/model.npz', '--n=300', '--output=x.csv')
  assert done.returncode == 0, done.stderr
  assert (path / 'x.csv').read_text().splitlines()[0] == 'length,width'
  x = np.loadtxt(path / 'x.csv', delimiter=',', skiprows=1)
  np.testing.assert_allclose(x.mean(axis=0), [10, -5], atol=0.8)


def test_the_warm_up_is_a_share_of_the_steps(trained):
  """600 training rows in batches of 256, two epochs: four steps."""
  lines = (trained[0] / 'run' / 'flags.txt').read_text().splitlines()
  assert '--batch_size=256' in lines and '--warmup_steps=0' in lines


def test_the_report_on_the_columns_is_kept(trained):
  path, _ = trained
  described = json.loads((path / 'run' / 'columns.json').read_text())['columns']
  assert [column['name'] for column in described] == ['length', 'width']
  assert 'width' in (path / 'run' / 'columns.txt').read_text()


def test_the_same_command_goes_on_from_the_same_start(trained):
  path, done = trained
  before = (path / 'run' / 'start.npz').read_bytes()
  again = train(path)
  assert again.returncode == 0, again.stderr
  assert again.stdout.splitlines()[-1] == done.stdout.splitlines()[-1]
  assert (path / 'run' / 'start.npz').read_bytes() == before
  changed = train(path, '--column_kind=length:heavy')
  assert changed.returncode == 1 and '--column_kind' in changed.stderr


def test_a_column_that_does_not_vary_is_named(tmp_path):
  x = np.stack([np.arange(50.0) ** 1.5, np.ones(50)], axis=1)
  np.savetxt(tmp_path / 'table.csv', x, delimiter=',', header='a,b', comments='')
  done = train(tmp_path)
  assert done.returncode == 1 and '--ignore_columns=b' in done.stderr
