"""A configuration checks its values, and knows which of them somebody chose."""

import dataclasses
import pathlib
import pickle

import pytest

from ma_keras.apps.configuration import option


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sides(option.Configuration):
  side: int = option.integer(8, 'Side.', lower=2, fixes_run=True)
  coupling: float = option.number(0.4, 'Coupling.', upper=1.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(Sides):
  path: str = option.text(option.REQUIRED, 'Path.', names_file=True)
  kind: str = option.choice('one', ('one', 'two'), 'Kind.', fixes_run=True, older='none')
  columns: tuple[str, ...] | None = option.names(None, 'Columns.')
  coupling: float = option.another_default(Sides, 'coupling', 0.5)


def test_values_out_of_bounds_are_named_with_the_option():
  for name, value, message in (
    ('side', 1, '`--side` got 1: 1 is not integer >= 2'),
    ('side', 2.5, '`--side` got 2.5: '),
    ('side', None, '`--side` got None: '),
    ('path', None, '`--path` got None: '),
    ('coupling', 1.5, '`--coupling` got 1.5: '),
    ('coupling', float('nan'), '`--coupling` must be finite, got nan'),
    ('coupling', float('-inf'), '`--coupling` must be finite, got -inf'),
    ('kind', 'three', "`--kind` got 'three': value should be one of <one|two>"),
  ):
    with pytest.raises(ValueError) as refusal:
      Config(**{'path': 'x', name: value})
    assert str(refusal.value).startswith(message) and str(refusal.value).count('\n') == 0
    with pytest.raises(ValueError, match=name):
      dataclasses.replace(Config(path='x'), **{name: value})


def test_options_without_a_default_must_be_given_and_none_of_another_name():
  with pytest.raises(TypeError, match='path'):
    Config()
  with pytest.raises(TypeError, match='sise'):
    Config(path='x', sise=4)


def test_whole_numbers_lists_and_paths_are_taken_for_what_they_mean():
  config = Config(path='x', coupling=1, columns=['a', 'b'])
  assert isinstance(config.coupling, float) and config.columns == ('a', 'b')
  assert Config(path='x', columns='a,b').columns == ('a', 'b')  # As on the command line.
  assert Config(path=pathlib.Path('a') / 'b').path == 'a/b'
  assert config == pickle.loads(pickle.dumps(config))
  with pytest.raises(dataclasses.FrozenInstanceError):
    config.side = 4


def test_numbers_are_read_from_texts_and_sequences():
  whole, real = option.Numbers(int), option.Numbers(float)
  assert whole.parse('0, 0,1') == whole.parse([0, 0, 1]) == whole.parse(('0', 0, 1)) == [0, 0, 1]
  assert real.parse('4,0.5') == real.parse((4, 0.5)) == [4.0, 0.5]
  for parser, wrong, kind in (
    (whole, '0,0.5', 'whole'),
    (whole, [True], 'whole'),
    (whole, '', 'whole'),
    (real, '1,,2', 'finite'),
    (real, 'nan', 'finite'),
    (real, [1.0, float('inf')], 'finite'),
  ):
    with pytest.raises(ValueError, match=f'{kind} numbers, separated by commas, are expected'):
      parser.parse(wrong)


def test_overrides_are_options_that_differ_from_their_defaults_and_those_that_are_named():
  assert Config(path='x').overrides == {'path'}
  config = Config(path='x', side=4, overrides=frozenset({'coupling'}))
  assert config.overrides == {'path', 'side', 'coupling'}
  assert dataclasses.replace(config, kind='two').overrides == {*config.overrides, 'kind'}
  assert config == Config(path='x', side=4)


def test_better_values_are_taken_where_nobody_chose():
  config = Config(path='x', side=4, overrides=frozenset({'kind'}))
  better = config.with_defaults(side=16, coupling=0.3, kind='two')
  assert (better.side, better.coupling, better.kind) == (4, 0.3, 'one')


def test_a_part_has_the_options_of_its_class_alone():
  part = Config(path='x', side=4, coupling=0.3).part(Sides)
  assert type(part) is Sides and part == Sides(side=4, coupling=0.3)
  assert part.overrides == {'side', 'coupling'}


def test_marks_stand_on_the_fields():
  assert option.fixing(Config) == ('side', 'kind')
  known = option.options(Config)
  assert list(known) == ['side', 'coupling', 'path', 'kind', 'columns']
  assert [name for name, one in known.items() if one.names_file] == ['path']
  assert (known['kind'].older, known['side'].older, known['coupling'].older) == ('none', 8, 0.5)
  assert known['coupling'].help == 'Coupling.' and Config(path='x').coupling == 0.5
