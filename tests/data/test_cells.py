"""The kind of a column is that of most of its cells; a tie is text."""

import pytest

from ma_keras.data import cells


@pytest.mark.parametrize(
  'column, kind',
  [
    (['1', '-2.5e3', 'inf'], 'number'),
    (['1', '2', 'x'], 'number'),
    (['1', 'x'], 'text'),
    (['1', 'true'], 'text'),
    (['true', 'FALSE', '1'], 'truth'),
    (['true', 'x'], 'text'),
    (['2020-01-01', '2020-01-02', 'x'], 'dates'),
    (['2020-01-01', 'x'], 'text'),
    (['NA', '', '?', 'x'], 'text'),
    (['NA', '', '1'], 'number'),
    (['NA', ''], 'number'),
    ([], 'number'),
  ],
)
def test_the_kind_of_most_cells(column, kind):
  assert cells.kind(column, '.') == kind


def test_a_decimal_mark_is_one_of_two():
  assert cells.is_number('1,5', ',') and not cells.is_number('1,5', '.')
  assert cells.is_number('1.5', '.') and not cells.is_number('1.5', ',')


def test_thirty_characters_of_a_cell_are_quoted():
  assert cells.shown(f' {"x" * 30}\n') == repr('x' * 30)
  assert cells.shown('x' * 31) == repr('x' * 30 + '...')
