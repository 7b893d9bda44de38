"""Settings, start and baselines of the density app for a table."""

import contextlib
import dataclasses
import io
import pathlib
import types

import numpy as np
import pytest
from absl import flags

from ma_keras import data, fitting, training
from ma_keras.data import columns
from tests.integration import apps

ROWS = np.random.default_rng(0).normal(size=(600, 2)) * [10.0, 0.1]


def density_table(folder, *arguments):
  """The module, its flags parsed, the data of a table, and a run."""
  from ma_keras.apps import density  # noqa: F401
  from ma_keras.apps import density_table as module

  flags.FLAGS(['density', *arguments])
  return module, data.split('table', ROWS), training.RunDirectory(pathlib.Path(folder))


def check_settings(folder):
  """By the size of the table, in T = 2; a training of as many steps as suit it."""
  module, points, _ = density_table(folder)
  assert module.is_table(points)
  assert not module.is_table(data.split('images', np.zeros((30, 4, 4, 1), int), levels=17))
  assert not module.is_table(data.split('vectors', np.zeros((30, 4), int), levels=17))
  expected = fitting.Settings.for_table(len(points.train), 2)
  found = module.settings(points)
  assert found['num_steps'] * found['step_size'] == pytest.approx(expected.time)
  for name in ('hidden_units', 'basis_size', 'num_steps', 'batch_size', 'patience'):
    assert found[name] == getattr(expected, name), name
  flags.FLAGS.batch_size = expected.batch_size
  steps = flags.FLAGS.epochs * module.steps_per_epoch(points)
  once = len(points.train) // expected.batch_size
  assert abs(steps - expected.steps) <= flags.FLAGS.epochs * once / 2
  assert module.steps_per_epoch(points) % once == 0
  assert module.warmup_steps(points) == steps // 20


def check_given(folder):
  """What was given stays: steps that share T, epochs of every row once."""
  module, points, _ = density_table(folder, '--num_steps=8', '--epochs=3', '--batch_size=100')
  found = module.settings(points)
  assert found['num_steps'] == 8 and found['step_size'] == pytest.approx(0.25)
  assert module.steps_per_epoch(points) == len(points.train) // 100
  assert module.warmup_steps(points) == 3 * (len(points.train) // 100) // 20
  flags.FLAGS.batch_size = 10_000  # More than there are.
  assert module.steps_per_epoch(points) == 1


def trained_model(base, shift):
  """Whoever asks for ln p gets that of Normal(shift, 1) in the space of the maps."""
  from ma_keras import MongeAmpereBijector, potentials

  bijector = MongeAmpereBijector(potentials.OneHiddenLayer(2, 4, seed=0), 2, 0.1)
  bijector.potential.amplitude.assign(np.zeros(4))
  maps = base.maps.copy(mean=base.maps.parameters['mean'] + shift)
  return types.SimpleNamespace(preprocessing=maps, bijector=bijector, base=None)


def check_compared(folder):
  """The flow at rest is its start, as good as a Gaussian; shifted it is worse beyond chance."""
  module, points, run = density_table(folder)
  surveyed = columns.survey(ROWS)
  begun = module.start(points, surveyed, run)
  text, doubt = module.compared(points, trained_model(begun, 0.0), 2)
  assert 'than a Gaussian' in text and not doubt
  text, doubt = module.compared(points, trained_model(begun, 5.0), 2)
  assert 'worse than a Gaussian' in text and 'worse than a Gaussian with full' in doubt


def check_start(folder):
  """The start of a run is made once."""
  from ma_keras import MongeAmpereBijector, potentials

  module, points, run = density_table(folder, '--base=normal')
  surveyed = module.surveyed(points)
  assert [column.count for column in surveyed] == [600, 600]
  begun = module.start(points, surveyed, run)
  bijector = MongeAmpereBijector(potentials.OneHiddenLayer(2, 4, seed=0), 2, 0.1)
  module.keep(begun, bijector, run)
  content = run.start.read_bytes()
  other = module.start(data.split('other', 7 * ROWS), surveyed, run)
  np.testing.assert_array_equal(other.maps.inverse(ROWS), begun.maps.inverse(ROWS))
  module.keep(other, bijector, run)
  assert run.start.read_bytes() == content
  potential = potentials.OneHiddenLayer(2, 4, seed=0) + potentials.Separable(2, 3, seed=1)
  module.begin_as_identity(potential)
  still = MongeAmpereBijector(potential, 2, 0.1)
  np.testing.assert_array_equal(still.forward(np.float32(ROWS)), np.float32(ROWS))


def check_report(folder):
  """Columns that are not taken as they are are printed, and what is in doubt; files have all."""
  module, _, run = density_table(folder)
  rng = np.random.default_rng(1)
  x = rng.normal(size=500)
  rows = np.stack([x, rng.integers(0, 9, 500), 2 * x], axis=1)
  points = dataclasses.replace(data.split('mixed', rows), columns=('length', 'count', 'twice'))
  printed = io.StringIO()
  with contextlib.redirect_stdout(printed):
    module.report(points, columns.survey(rows, points.columns), run)
  mapped, *doubts = printed.getvalue().splitlines()
  assert mapped.startswith('Columns mapped: count real, cells of 1, ') and ';' not in mapped
  assert doubts[0].startswith('In doubt: length and twice: correlation 1.000000')
  for name in ('length', 'count', 'twice'):
    assert all(name in (run.root / f'columns.{end}').read_text() for end in ('txt', 'json'))


def check_all(folder):
  for check in (check_report, check_settings, check_compared, check_start, check_given):
    check(folder)


def test_the_flow_of_a_table(tmp_path):
  apps.passes(check_all, tmp_path)
