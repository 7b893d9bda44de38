"""Settings, start and baselines of the density app for a table."""

import dataclasses
import types

import numpy as np
import pytest

from ma_keras import MongeAmpereBijector, data, fitting, potentials, training
from ma_keras.apps import density_table
from ma_keras.apps.configuration import DensityConfig
from ma_keras.data import columns

ROWS = np.random.default_rng(0).normal(size=(600, 2)) * [10.0, 0.1]


def table():
  return data.split('table', ROWS)


def test_settings_follow_the_size_of_the_table():
  """By the size of the table, in T = 2; a training of as many steps as suit it."""
  points, config = table(), DensityConfig()
  assert density_table.is_table(points)
  assert not density_table.is_table(data.split('images', np.zeros((30, 4, 4, 1), int), levels=17))
  assert not density_table.is_table(data.split('vectors', np.zeros((30, 4), int), levels=17))
  expected = fitting.Settings.for_table(len(points.train), 2)
  settings = density_table.settings(points, config)
  assert settings['num_steps'] * settings['step_size'] == pytest.approx(expected.time)
  for name in ('hidden_units', 'basis_size', 'num_steps', 'batch_size', 'patience'):
    assert settings[name] == getattr(expected, name), name
  config = config.with_defaults(**settings)
  assert config.batch_size == expected.batch_size
  steps = config.epochs * density_table.steps_per_epoch(points, config)
  once = len(points.train) // expected.batch_size
  assert abs(steps - expected.steps) <= config.epochs * once / 2
  assert density_table.steps_per_epoch(points, config) % once == 0
  assert density_table.warmup_steps(points, config) == steps // 20


def test_options_that_were_given_stay():
  """Steps that share T, epochs of every row once."""
  points, config = table(), DensityConfig(num_steps=8, epochs=3, batch_size=100)
  settings = density_table.settings(points, config)
  assert settings['num_steps'] == 8 and settings['step_size'] == pytest.approx(0.25)
  assert settings['tries'] == 1
  once = len(points.train) // 100
  assert density_table.steps_per_epoch(points, config) == once
  assert density_table.warmup_steps(points, config) == 3 * once // 20
  chosen = config.with_defaults(**settings)
  assert (chosen.num_steps, chosen.epochs, chosen.batch_size) == (8, 3, 100)
  more = dataclasses.replace(config, batch_size=10_000)  # More than there are.
  assert density_table.steps_per_epoch(points, more) == 1


def test_patience_is_as_many_steps_in_epochs_of_ones_own():
  points = table()
  usual = fitting.Settings.for_table(len(points.train), points.event_size)
  for epochs in ({}, {'epochs': 300}):
    config = DensityConfig(steps_per_epoch=2 * usual.steps_per_epoch, **epochs)
    settings = density_table.settings(points, config)
    assert settings['patience'] == usual.patience / 2 and settings['tries'] == 1
    steps = config.epochs * 2 * usual.steps_per_epoch
    assert density_table.warmup_steps(points, config) == steps // 20


def trained_model(base, shift):
  """Whoever asks for ln p gets that of Normal(shift, 1) in the space of the maps."""
  bijector = MongeAmpereBijector(potentials.OneHiddenLayer(2, 4, seed=0), 2, 0.1)
  bijector.potential.amplitude.assign(np.zeros(4))
  maps = base.maps.copy(mean=base.maps.parameters['mean'] + shift)
  return types.SimpleNamespace(preprocessing=maps, bijector=bijector, base=None)


@pytest.mark.slow
def test_the_flow_at_rest_is_as_good_as_a_gaussian_and_shifted_it_is_worse(tmp_path):
  """The flow at rest is its start; shifted it is worse beyond chance."""
  points, run, config = table(), training.RunDirectory(tmp_path), DensityConfig()
  surveyed = columns.survey(ROWS)
  begun = density_table.start(config, points, surveyed, run)
  text, doubt = density_table.compared(config, points, trained_model(begun, 0.0), 2)
  assert 'than a Gaussian' in text and not doubt
  text, doubt = density_table.compared(config, points, trained_model(begun, 5.0), 2)
  assert 'worse than a Gaussian' in text and 'worse than a Gaussian with full' in doubt


@pytest.mark.slow
def test_the_start_of_a_run_is_made_once(tmp_path):
  points, run, config = table(), training.RunDirectory(tmp_path), DensityConfig(base='normal')
  surveyed = density_table.surveyed(points, '')
  assert [column.count for column in surveyed] == [600, 600]
  begun = density_table.start(config, points, surveyed, run)
  bijector = MongeAmpereBijector(potentials.OneHiddenLayer(2, 4, seed=0), 2, 0.1)
  density_table.keep(begun, bijector, run)
  content = run.start.read_bytes()
  other = density_table.start(config, data.split('other', 7 * ROWS), surveyed, run)
  np.testing.assert_array_equal(other.maps.inverse(ROWS), begun.maps.inverse(ROWS))
  density_table.keep(other, bijector, run)
  assert run.start.read_bytes() == content
  potential = potentials.OneHiddenLayer(2, 4, seed=0) + potentials.Separable(2, 3, seed=1)
  density_table.begin_as_identity(potential)
  still = MongeAmpereBijector(potential, 2, 0.1)
  np.testing.assert_array_equal(still.forward(np.float32(ROWS)), np.float32(ROWS))


def test_columns_that_are_not_taken_as_they_are_are_printed_and_what_is_in_doubt(tmp_path, capsys):
  """The files have all."""
  run = training.RunDirectory(tmp_path)
  rng = np.random.default_rng(1)
  x = rng.normal(size=500)
  rows = np.stack([x, rng.integers(0, 9, 500), 2 * x], axis=1)
  points = dataclasses.replace(data.split('mixed', rows), columns=('length', 'count', 'twice'))
  density_table.report(points, columns.survey(rows, points.columns), run)
  mapped, *doubts = capsys.readouterr().out.splitlines()
  assert mapped.startswith('Columns mapped: count real, cells of 1, ') and ';' not in mapped
  assert doubts[0].startswith('In doubt: length and twice: correlation 1.000000')
  for name in ('length', 'count', 'twice'):
    assert all(name in (run.root / f'columns.{end}').read_text() for end in ('txt', 'json'))
