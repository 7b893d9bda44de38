"""Levels are whole numbers below their number, or the first that is not is named."""

import numpy as np
import pytest

from ma_keras.data.quantised import quantised

ROWS = np.random.default_rng(0).integers(0, 12, (30, 4))


@pytest.mark.parametrize('kind', [np.int64, np.float64, np.float32, np.uint8])
@pytest.mark.parametrize('levels, dtype', [(12, np.uint8), (256, np.uint8), (257, np.uint16)])
def test_whole_numbers_of_any_type(kind, levels, dtype):
  found = quantised(ROWS.astype(kind), levels, 'x.csv')
  assert found.dtype == dtype
  np.testing.assert_array_equal(found, ROWS)
  np.testing.assert_array_equal(
    quantised(ROWS.reshape(30, 2, 2), levels, 'x'), ROWS.reshape(30, 2, 2)
  )


@pytest.mark.parametrize('value', [-1.0, 12.0, 3.5, np.nan, np.inf, 1e30])
def test_the_first_that_is_no_level_is_named(value):
  rows = ROWS.astype(float)
  rows[7, 2] = rows[9, 0] = value
  message = rf'x\.csv has {value:g} in row 107 \(from 0\), column c, and 2 such .* 0 to 11'
  with pytest.raises(ValueError, match=message.replace('+', r'\+')):
    quantised(rows, 12, 'x.csv', 'abcd', start=100)


@pytest.mark.parametrize('levels', [1, 65537])
def test_as_many_levels_as_there_can_be(levels):
  with pytest.raises(ValueError, match=f'within 2 to 65536, got {levels}'):
    quantised(ROWS, levels, 'x')
