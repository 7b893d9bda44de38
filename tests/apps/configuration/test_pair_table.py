"""Numbers of pairs of kinds in a flag."""

import pytest

from ma_keras.apps.configuration import pair_table


def test_a_table_is_symmetric_and_one_where_nothing_is_said():
  assert pair_table.parse('0-1:1.5, 2-1:0.25') == {(0, 1): 1.5, (1, 2): 0.25}
  expected = ((1.0, 1.5, 1.0), (1.5, 1.0, 0.25), (1.0, 0.25, 1.0))
  assert pair_table.table('0-1:1.5, 2-1:0.25', 3) == expected


@pytest.mark.parametrize(
  'text',
  ['', '01:1', '0-1', '0-1:', '0-1:x', '0-1:0', '0-1:-1', '0-1:inf', '0-1:nan', '0-1:1,1-0:2'],
)
def test_other_texts_are_refused(text):
  with pytest.raises(ValueError, match=r'is no pair of kinds .* write 0-1:1\.5,1-1:0\.5'):
    pair_table.parse(text)


def test_kinds_that_nobody_has_are_refused():
  with pytest.raises(ValueError, match=r'there is no kind 2 among --species: name 0 to 1'):
    pair_table.table('0-2:1.5', 2)
