"""Linear relations are found where they hold, and not where an outlier makes them."""

import numpy as np
import pytest

from ma_keras.data import columns


def test_pairs_have_their_correlation(rng):
  x, noise = rng.normal(size=(2, 2000))
  rows = np.stack([x, 5 - 3 * x, x + 0.1 * noise, noise], axis=1)
  pairs = columns.collinear(rows, 'abcd')
  assert [pair[:2] for pair in pairs] == [('a', 'b'), ('a', 'c'), ('b', 'c')]
  assert pairs[0][2] == pytest.approx(-1.0)
  assert pairs[1][2] == pytest.approx(np.corrcoef(x, x + 0.1 * noise)[0, 1], abs=1e-3)
  assert columns.collinear(rows, 'abcd', limit=0.9999) == pairs[:1]


def test_no_correlation_exceeds_one(rng):
  """Multiples of one column, whose products round to either side of 1."""
  for _ in range(20):
    x = rng.normal(size=(50, 1))
    pairs = columns.collinear(x * [1.0, 3.0, -1 / 7])
    assert len(pairs) == 3 and all(abs(pair[2]) <= 1 for pair in pairs)


def test_one_row_far_out_makes_no_pair(rng):
  rows = rng.normal(size=(1200, 2))
  rows[17] = 1e6, -1e6
  assert columns.collinear(rows) == [] == columns.dependent(rows)


def test_shares_of_a_whole_and_a_copy_are_two_groups(rng):
  shares = rng.dirichlet([1, 2, 3], 500)
  other = rng.normal(size=500)
  rows = np.column_stack([other, shares, rng.normal(size=500), 7 * other])
  assert columns.dependent(rows, ['x', 'a', 'b', 'c', 'free', 'y']) == [
    ('x', 'y'),
    ('a', 'b', 'c'),
  ]


def test_large_means_hide_no_relation(rng):
  x, y = rng.normal(size=(2, 500))
  rows = np.stack([1e9 + x, 1e-6 * y, x + y], axis=1)
  assert columns.dependent(rows) == [('0', '1', '2')]


def test_independent_columns_constants_and_too_few_rows(rng):
  assert columns.dependent(rng.normal(size=(300, 20))) == []
  assert columns.collinear(rng.standard_cauchy((300, 20))) == []
  assert columns.dependent(np.column_stack([np.ones(50), rng.normal(size=50)])) == []
  assert columns.dependent(rng.normal(size=(5, 9))) == []
  assert columns.collinear(np.full((1, 2), np.nan)) == []
