"""A flag that is gone is answered with the one that says the same today."""

import pathlib

import pytest

from ma_keras.apps.configuration import (
  CONFIGURATIONS,
  DensityConfig,
  IsingConfig,
  command_flags,
  penalty,
)
from ma_keras.apps.configuration.option import options
from ma_keras.apps.configuration.removed import REMOVED, today
from tests.support.configurations import parsed

RESULTS = pathlib.Path(__file__).parents[3] / 'docs' / 'results'


@pytest.mark.parametrize(
  'line, line_today',
  [
    ('--stiffness_weight=0.3', '--penalty=stiffness:0.3'),
    ('--stiffness_weight=1e-2', '--penalty=stiffness:0.01'),
    ('--stiffness_weight=0.0', '--penalty='),
    ('--penalty=kinetic:1', '--penalty=kinetic:1'),
    ('--nofigures', '--nofigures'),
    ('', ''),
  ],
)
def test_lines_of_older_flagfiles_are_written_as_today(line, line_today):
  assert today(line) == line_today


@pytest.mark.parametrize('text', ['', 'x', '0.3'])
def test_the_remedy_can_be_typed(text):
  weights = penalty.parse(REMOVED['stiffness_weight'](text).removeprefix('--penalty='))
  assert weights == {'stiffness': 0.3}


def test_no_app_has_a_flag_that_is_gone():
  for config_class in CONFIGURATIONS.values():
    assert not REMOVED.keys() & options(config_class).keys()


@pytest.mark.parametrize('run', ['ising_l16_best', 'ising_l8_lattice', 'mnist_best', 'mnist_quick'])
def test_published_runs_can_be_told_as_they_were(run):
  """Every line that a run of an older version wrote is one of the configuration it makes today."""
  before = [today(line) for line in (RESULTS / run / 'flags.txt').read_text().splitlines()]
  config = parsed(DensityConfig if run.startswith('mnist') else IsingConfig, *before)
  assert set(before) <= set(command_flags.lines(config).values())
