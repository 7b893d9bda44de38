"""A command's help is one page in which every flag stands once; an error is one line."""

import re
import sys
import types

import pytest
from absl import flags

from ma_keras.apps import command, command_line
from ma_keras.apps.configuration import IsingConfig, command_flags


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


def ended(words, monkeypatch, capsys):
  """The one line with which `ma-keras train ising` ends."""
  monkeypatch.setattr(sys, 'argv', ['ma-keras train ising', *words])
  values = flags.FlagValues()
  own = command_flags.define(IsingConfig, values)
  monkeypatch.setattr(flags, 'FLAGS', values)
  with pytest.raises(SystemExit) as ending:
    argv = command_line.parse(sys.argv, own)
    command_line.configured(IsingConfig, argv)
  assert ending.value.code == 1
  (line,) = capsys.readouterr().err.splitlines()
  return line


SEE = '`ma-keras train ising --help` lists the flags.'


@pytest.mark.parametrize(
  'word, line',
  [
    ('--sise=4', f'no flag --sise; did you mean --side? {SEE}'),
    (
      '--stiffness_weight=0.25',
      '--stiffness_weight is gone: write --penalty=stiffness:0.25 instead.',
    ),
    ('--stiffness_weight=0', '--stiffness_weight is gone: write --penalty= instead.'),
    ('--stiffness_weight', '--stiffness_weight is gone: write --penalty=stiffness:0.3 instead.'),
    ('fly', "unknown arguments ['fly']: flags start with --; --help lists them."),
    ('--coupling=nan', '`--coupling` must be finite, got nan.'),
    ('--side=1', f'flag --side=1: 1 is not integer >= 2. {SEE}'),
    (
      '--penalty=heat:1',
      "flag --penalty=heat:1: 'heat:1' is none of ['hamilton_jacobi', 'kinetic', 'stiffness'] with "
      'a weight that is not negative, or stands twice: write stiffness:0.3,kinetic:0.01. ' + SEE,
    ),
  ],
)
def test_a_wrong_command_line_ends_in_one_line(word, line, monkeypatch, capsys):
  assert ended([word], monkeypatch, capsys) == f'ma-keras train ising: {line}'


def test_flags_of_an_older_flagfile_are_named_with_the_remedy(tmp_path, monkeypatch, capsys):
  (tmp_path / 'old.flags').write_text('--side=4\n--stiffness_weight=0.1\n')
  line = ended([f'--flagfile={tmp_path / "old.flags"}'], monkeypatch, capsys)
  assert line.endswith('--stiffness_weight is gone: write --penalty=stiffness:0.1 instead.')


def test_the_remedy_is_one_of_the_command(own):
  """No other command is told of --penalty."""
  assert command_line.unknown('stiffness_weight', '0.1', own).startswith(
    'no flag --stiffness_weight'
  )
