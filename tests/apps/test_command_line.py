"""A command's help is one page in which every flag stands once; an error is one line."""

import re
import sys
import types

import pytest
from absl import flags

from ma_keras.apps import command, command_line


@pytest.fixture
def own():
  """The flags of a command."""
  values = flags.FlagValues()
  flags.DEFINE_string('input', None, '100 % of the points.', flag_values=values)
  flags.DEFINE_string('output', 'scores.csv', 'Where they go.', flag_values=values)
  flags.DEFINE_bool('figures', True, 'Draw.', flag_values=values)
  flags.DEFINE_bool('antithetic', False, 'Pairs.', flag_values=values)
  flags.DEFINE_enum('integrator', 'rk4', ['heun', 'rk4'], 'Method.', flag_values=values)
  flags.DEFINE_list('unheard', ['1', '2'], 'No topic has it.', flag_values=values)
  return [values[name] for name in values]


def test_every_command_has_first_flags():
  assert set(command_line.FIRST) == {module for module, _ in command.COMMANDS.values()}


def test_every_flag_stands_in_one_group_and_the_first_ones_lead(own):
  groups = command_line.grouped('score', own)
  listed = [flag.name for members in groups.values() for flag in members]
  assert sorted(listed) == sorted(flag.name for flag in own)
  assert listed[:2] == ['input', 'output']
  assert [flag.name for flag in groups['Further']] == ['unheard']


def test_the_page_shows_every_flag_as_a_flagfile_has_it(own, monkeypatch):
  monkeypatch.setattr(sys, 'argv', ['ma-keras score'])
  page = command_line.page(types.ModuleType('ma_keras.apps.score', 'Log densities.'), own)
  assert page.startswith('usage: ma-keras score [--flags]\n\nLog densities.\n')
  listed = re.findall(r'^  (--\S+)', page, re.MULTILINE)
  assert sorted(listed) == [
    '--figures',
    '--input=',
    '--integrator=rk4',
    '--noantithetic',
    '--output=scores.csv',
    '--unheard=1,2',
  ]
  assert '100 % of the points.' in page and '<heun|rk4>: Method.' in page
  assert max(len(line) for line in page.splitlines()) <= 100


@pytest.mark.parametrize(
  'written, nearest',
  [
    ('inptu', '; did you mean --input?'),
    ('nofigure', '; did you mean --nofigures?'),
    ('flagfiel', '; did you mean --flagfile?'),
    ('zzz', '.'),
  ],
)
def test_a_wrong_flag_gets_the_nearest_of_the_command(own, written, nearest):
  assert command_line.nearest(written, own) == nearest


@pytest.mark.parametrize(
  'line, asked',
  [('--help', True), ('--n=3 -help', True), ('--helpful', False), ('-- --help', False)],
)
def test_help_is_a_flag_of_its_own_before_a_double_dash(line, asked, monkeypatch):
  monkeypatch.setattr(sys, 'argv', ['ma-keras score', *line.split()])
  assert command_line.asks_for('help') == asked
