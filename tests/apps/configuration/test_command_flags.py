"""Flags are the options of a configuration, and a flagfile of its lines makes an equal one."""

import dataclasses

import pytest
from absl import flags

from ma_keras.apps.configuration import CONFIGURATIONS, command_flags, option
from tests.support.configurations import parsed


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(option.Configuration):
  input: str = option.text(option.REQUIRED, 'Input.')
  label: str = option.text('', 'Label.', check=lambda text: text.index('-') if text else None)
  count: int | None = option.integer(None, 'Count.', lower=1)
  rate: float = option.number(0.1, 'Rate.')
  figures: bool = option.switch(True, 'Figures.')
  kind: str = option.choice('one', ('one', 'two'), 'Kind.')
  columns: tuple[str, ...] | None = option.names(None, 'Columns.')
  skipped: tuple[str, ...] = option.names(('id',), 'Skipped.')


def test_flags_have_names_defaults_and_helps_of_the_options():
  values = flags.FlagValues()
  own = command_flags.define(Config, values)
  assert [flag.name for flag in own] == [field.name for field in dataclasses.fields(Config)][1:]
  defaults = {flag.name: flag.default for flag in own}
  assert defaults == {
    'input': None,
    'label': '',
    'count': None,
    'rate': 0.1,
    'figures': True,
    'kind': 'one',
    'columns': None,
    'skipped': ['id'],
  }
  assert values['rate'].help == 'Rate.' and values['kind'].help == '<one|two>: Kind.'
  assert values['figures'].boolean


def test_flags_of_two_apps_have_one_name_one_after_the_other():
  values = flags.FlagValues()
  for name in ('ising', 'density', 'evaluate', 'ising'):
    with command_flags.defined(CONFIGURATIONS[name], values) as own:
      assert sorted(values) == sorted(flag.name for flag in own)
      values(['command', '--num_steps=7', '--model=x'][: 3 if name == 'evaluate' else 2])
      assert values.num_steps == 7
    assert not list(values)


def test_parsed_flags_are_the_configuration():
  words = ('--count=3', '--rate=2', '--nofigures', '--kind=two', '--columns=a,b', '--label=x-y')
  expected = Config(
    input='x', count=3, rate=2.0, figures=False, kind='two', columns=('a', 'b'), label='x-y'
  )
  assert parsed(Config, '--input=x', *words) == expected
  assert parsed(Config, '--input=x') == Config(input='x')


def test_a_default_that_was_typed_was_given():
  assert parsed(Config, '--input=x', '--rate=0.1').overrides == {'input', 'rate'}


@pytest.mark.parametrize(
  'word', ['--count=0', '--kind=three', '--rate=fast', '--label=xy', '--figures=perhaps']
)
def test_values_out_of_bounds_are_refused_by_the_flag(word):
  with pytest.raises(flags.IllegalFlagValueError):
    parsed(Config, '--input=x', word)


def test_a_required_flag_must_be_given():
  with pytest.raises(flags.IllegalFlagValueError, match='--input must have a value'):
    parsed(Config)


def test_values_that_no_bound_refuses_are_refused_by_the_configuration():
  with pytest.raises(ValueError, match='`--rate` must be finite, got nan'):
    parsed(Config, '--input=x', '--rate=nan')


def test_lines_of_a_flagfile_make_the_configuration_again(tmp_path):
  config = Config(
    input='a b', count=3, rate=1 / 3, figures=False, columns=('a', 'b,c'), skipped=(), label='-'
  )
  lines = command_flags.lines(config)
  assert lines['figures'] == '--nofigures' and lines['columns'] == '--columns=a,"b,c"'
  assert list(command_flags.lines(Config(input='x'))) == [
    *('input', 'label', 'rate', 'figures', 'kind', 'skipped'),
  ]
  (tmp_path / 'flags.txt').write_text('\n'.join(lines.values()))
  assert parsed(Config, f'--flagfile={tmp_path / "flags.txt"}') == config


@pytest.mark.parametrize('name', CONFIGURATIONS)
def test_every_app_takes_the_lines_of_its_own_defaults(name, tmp_path):
  """Their values pass their own bounds."""
  config_class = CONFIGURATIONS[name]
  fields = {field.name: field for field in dataclasses.fields(config_class)}
  required = [name for name, field in fields.items() if field.default is option.REQUIRED]
  config = config_class(**dict.fromkeys(required, 'x'))
  path = tmp_path / 'flags.txt'
  path.write_text('\n'.join(command_flags.lines(config).values()))
  assert parsed(config_class, f'--flagfile={path}') == config
