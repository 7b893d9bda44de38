"""--column_kind is understood by name or number, and refused where a column cannot hold it."""

import numpy as np
import pytest

from ma_keras.data import columns

NAMES = ['age', 'share', 'price', 'one']
ROWS = np.column_stack(
  [
    np.random.default_rng(0).integers(18, 90, 200),
    np.random.default_rng(1).beta(2, 5, 200),
    np.random.default_rng(2).lognormal(0, 1, 200),
    np.ones(200),
  ]
)


def test_names_and_numbers():
  kinds = columns.kinds_from_flag('age:integer, share:unit,2:integer+positive', NAMES)
  assert kinds == {'age': 'integer', 'share': 'unit', 'price': 'integer+positive'}
  assert columns.kinds_from_flag('0:real,12:heavy') == {'0': 'real', '12': 'heavy'}
  for text in ('"a,b":real,c:d:unit', 'c:d:unit, "a,b":real'):
    kinds = columns.kinds_from_flag(text, ['a,b', 'c:d'])
    assert kinds == {'a,b': 'real', 'c:d': 'unit'}
  assert columns.kinds_from_flag('') == {}


@pytest.mark.parametrize(
  'text, message',
  [
    ('weight:real', "names 'weight', and the columns are age, share, price, one"),
    ('4:real', "names '4', and the columns are age"),
    ('age:log', 'a kind of real, heavy, positive, unit, integer, .* got .age:log'),
    ('age', 'must be NAME:KIND'),
    ('age:unit+positive', 'must be NAME:KIND'),
    ('age:constant', 'must be NAME:KIND'),
  ],
)
def test_what_is_unknown_lists_what_there_is(text, message):
  with pytest.raises(ValueError, match=message):
    columns.kinds_from_flag(text, NAMES)


def test_names_of_a_table_without_names():
  with pytest.raises(ValueError, match='numbers from 0'):
    columns.kinds_from_flag('age:real')


def test_kinds_take_the_place_of_the_suggestion():
  found = columns.survey(ROWS, NAMES)
  chosen = columns.with_kinds(found, {'age': 'real', 'share': 'unit', 'price': 'heavy'})
  assert [(c.kind, c.step) for c in found[:3]] == [('real', 1.0), ('real', 0.0), ('positive', 0.0)]
  assert [(c.kind, c.step) for c in chosen[:3]] == [('real', 0.0), ('unit', 0.0), ('heavy', 0.0)]
  assert {c.reason for c in chosen[:3]} == {'chosen by --column_kind'}
  (age, *_) = columns.with_kinds(found, {'age': 'integer+positive'})
  assert (age.kind, age.step) == ('positive', 1.0)
  (age, *_) = columns.with_kinds(found, {'age': 'positive'})
  assert (age.kind, age.step) == ('positive', 1.0)


@pytest.mark.parametrize(
  'kinds, message',
  [
    ({'share': 'integer'}, 'share:integer, but its values are not all whole numbers'),
    ({'age': 'unit'}, r'lie in \[18, 89\], not in \[0, 1\]'),
    ({'one': 'real'}, 'do not vary'),
    ({'weight': 'real'}, "'weight', and the columns are age"),
  ],
)
def test_kinds_that_a_column_cannot_hold(kinds, message):
  with pytest.raises(ValueError, match=message):
    columns.with_kinds(columns.survey(ROWS, NAMES), kinds)


def test_zeros_are_positive_as_counts_alone():
  counts = np.random.default_rng(0).poisson(2, (100, 1)).astype(float)
  surveyed = columns.survey(np.concatenate([counts, counts + np.pi * (counts > 0)], axis=1))
  assert columns.with_kinds(surveyed, {'0': 'integer+positive'})[0].kind == 'positive'
  real = columns.with_kinds(surveyed, {'0': 'real'})
  with pytest.raises(ValueError, match='begin at 0, not above 0'):
    columns.with_kinds(real, {'0': 'positive'})
