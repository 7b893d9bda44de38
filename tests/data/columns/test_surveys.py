"""A survey in blocks has the numbers of NumPy's own formulae, in float64."""

import json
import pathlib

import numpy as np
import pytest

from ma_keras.data import columns


def rows_of_three_kinds():
  """Seconds, a normal and whole numbers, [1000, 3]."""
  rng = np.random.default_rng(0)
  parts = 1.7e9 + rng.random(1000), rng.normal(size=1000), rng.integers(0, 9, 1000)
  return np.stack(parts, axis=1)


ROWS = rows_of_three_kinds()


def blocks(rows, size):
  return (rows[k : k + size] for k in range(0, len(rows), size))


@pytest.mark.parametrize('size', [1, 7, 1000])
def test_blocks_of_any_size_give_the_same_numbers(size):
  whole, parts = columns.survey(ROWS, 'abc'), columns.survey_blocks(blocks(ROWS, size), 'abc')
  for column, part, values in zip(whole, parts, ROWS.T):
    assert (part.name, part.count, part.missing, part.sampled) == (column.name, 1000, 0, 1000)
    assert (part.least, part.greatest) == (values.min(), values.max())
    assert part.median == np.median(values) and part.unique == np.unique(values).size
    assert part.deviation == pytest.approx(np.std(values.astype(np.longdouble)), rel=1e-9)
    assert part.mean == pytest.approx(np.mean(values.astype(np.longdouble)), rel=1e-14)
    mad = np.median(np.abs(values - np.median(values)))
    assert part.robust_deviation == pytest.approx(1.4826 * mad)
    assert (part.kind, part.step, part.whole) == (column.kind, column.step, column.whole)


def test_a_mean_that_is_huge_against_the_deviation(rng):
  values = 1e5 + 1e-3 * rng.normal(size=5000)
  (column,) = columns.survey_blocks(blocks(values[:, np.newaxis], 300))
  assert column.deviation == pytest.approx(np.std(values - 1e5), rel=1e-6)


def test_missing_values_are_counted_and_left_out():
  rows = ROWS.copy()
  rows[3, 1], rows[5, 1], rows[:, 2] = np.nan, np.inf, np.nan
  _, column, empty = columns.survey_blocks(blocks(rows, 4))
  present = np.delete(ROWS[:, 1], [3, 5])
  assert column.missing == 2 and column.sampled == 998 and column.exact
  assert column.mean == pytest.approx(present.mean()) and column.greatest == present.max()
  assert empty.missing == 1000 and empty.kind == 'constant' and np.isnan(empty.mean)
  assert empty.reason == 'has 0 values in 1000 rows: --ignore_columns=2'


def test_beyond_the_sample_range_and_moments_are_of_all_rows(rng):
  rows = rng.lognormal(0, 1, (20_000, 1))
  (column,) = columns.survey_blocks(blocks(rows, 999), sample=2000)
  assert column.sampled == 2000 and not column.exact and column.kind == 'positive'
  assert column.greatest == rows.max() and column.mean == pytest.approx(rows.mean())
  assert abs(np.log(column.median)) < 4 * 1.2533 / np.sqrt(2000)  # Error of a normal's median.


def test_the_sample_is_uniform_and_the_same_for_any_block():
  rows = np.arange(10_000.0)[:, np.newaxis]
  samples = []
  for size in (1000, 333):
    survey = columns.Survey(sample=500)
    for block in blocks(rows, size):
      survey.add(block)
    samples.append(survey.rows[:, 0])
  np.testing.assert_array_equal(*samples)
  assert np.all(np.diff(samples[0]) > 0)
  tenths = np.histogram(samples[0], 10, (0, 10_000))[0]
  assert np.sum((tenths - 50) ** 2 / 50) < 33.7  # Chi squared of 9 degrees, one in ten thousand.


@pytest.mark.parametrize(
  'values, expected',
  [
    (np.arange(50), True),
    (1 + np.random.default_rng(0).permutation(50), True),
    (1.7e9 + 3600 * np.arange(50), True),
    (-np.arange(50), True),
    (np.arange(50) / 2, False),
    (7 + np.random.default_rng(0).permutation(50), False),
    (np.arange(50) // 2, False),
  ],
)
def test_row_numbers_are_a_doubt_and_stay(values, expected):
  (column,) = columns.survey_blocks(blocks(np.asarray(values, float)[:, np.newaxis], 7))
  assert column.row_number == expected == any('row' in doubt for doubt in column.doubts)
  assert column.kind == 'real'


def test_a_tie_that_the_sample_missed_makes_no_row_numbers():
  """Numbers of rows rise from row to row; those that stand still once do not."""
  rows = 3.0 * np.arange(20_000)[:, np.newaxis]
  tied = rows.copy()
  tied[5001:] -= 3.0
  for values, expected in ((rows, True), (tied, False)):
    for sign in (1, -1):
      (column,) = columns.survey_blocks(blocks(sign * values, 999), sample=500)
      assert column.unique == 500 and column.row_number == expected


def test_constants_name_their_remedy():
  (column,) = columns.survey(np.full((30, 1), 0.1), ['share'])
  assert column.kind == 'constant' and column.deviation == 0.0 and column.mean == 0.1
  assert column.reason == 'does not vary: --ignore_columns=share'


@pytest.mark.parametrize('code', [-999.0, 9999.0])
def test_codes_of_missing_values_are_doubted(code, rng):
  values = rng.normal(20, 5, 600)
  values[::50] = code
  (column,) = columns.survey(values[:, np.newaxis])
  assert column.doubts == (
    f'{code:g} in 2.0% of the rows, far outside: a code for missing values?',
  )


def test_two_codes_and_counts(rng):
  values = rng.poisson(4, 400).astype(float)
  values[:8], values[8:20] = 999, 9999
  (column,) = columns.survey(values[:, np.newaxis])
  assert [doubt.split()[0] for doubt in column.doubts] == ['9999', '999']


def test_a_code_beside_two_values_is_doubted(rng):
  """A coin whose missing throws are 9."""
  values = rng.integers(0, 2, 400).astype(float)
  values[:8] = 9
  (column,) = columns.survey(values[:, np.newaxis])
  assert [doubt.split()[0] for doubt in column.doubts] == ['9']


def test_a_value_that_recurs_is_doubted(rng):
  values = np.where(rng.random(500) < 0.3, 0.0, rng.lognormal(9, 1, 500))
  (column,) = columns.survey(values[:, np.newaxis])
  assert column.step == 0 and 'no density has a value that recurs' in column.doubts[0]


@pytest.mark.parametrize('draw', ['normal', 'standard_cauchy', 'exponential', 'random'])
def test_healthy_columns_are_not_doubted(draw):
  for seed in range(20):
    (column,) = columns.survey(getattr(np.random.default_rng(seed), draw)(size=(300, 1)))
    assert column.doubts == ()


def test_what_is_no_table_is_refused():
  with pytest.raises(ValueError, match=r'rows of numbers, \[b, N\], got \[3\]'):
    columns.survey(np.zeros(3))
  with pytest.raises(ValueError, match='2 columns, for 3 names'):
    columns.survey(np.zeros((3, 2)), 'abc')
  with pytest.raises(ValueError, match='no rows'):
    columns.survey_blocks([])


def test_the_package_imports_no_tensorflow():
  folder = pathlib.Path(columns.__file__).parent
  assert not [path for path in folder.glob('*.py') if 'tensorflow' in path.read_text()]


def test_the_report_has_every_column_and_every_doubt():
  rows = np.column_stack([ROWS, 2 * ROWS[:, 1], np.ones(1000), np.arange(1000.0)])
  rows[7, 1] = np.nan
  names = ['time', 'x', 'count', 'twice', 'one', 'id']
  found = columns.survey(rows, names)
  pairs, groups = columns.collinear(rows, names), columns.dependent(rows, names)
  text = columns.report(found, pairs, groups)
  lines = text.splitlines()
  assert lines[0] == '1000 rows'
  assert [line.split()[0] for line in lines[2:8]] == names
  for phrase in (
    'real, cells of 1, ',
    'x: 1 of 1000 values are missing.',
    'one: does not vary: --ignore_columns=one.',
    'id: looks like numbers of rows',
    'x and twice: correlation 1.000000',
    'x, twice: a linear relation holds',
  ):
    assert phrase in text, phrase
  described = json.loads(columns.as_json(found, pairs, groups))
  assert [column['name'] for column in described['columns']] == names
  assert described['dependent'] == [['x', 'twice']]
  for one, column in zip(described['columns'], found, strict=True):
    assert one['mean'] == column.mean and one['unique'] == column.unique
  assert columns.report(()).splitlines()[0] == '0 rows'


def test_numbers_that_there_are_not_are_null_in_json():
  (column,) = json.loads(columns.as_json(columns.survey(np.full((3, 1), np.nan))))['columns']
  assert column['mean'] is None and column['least'] is None and column['missing'] == 3


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('seed', range(40))
def test_whatever_float64_holds_is_surveyed(seed):
  """Infinite squares, differences beyond 1.8e308, denormal steps: numbers that are finite."""
  rng = np.random.default_rng(seed)
  pool = [0, 1, -1, np.nan, np.inf, -np.inf, 1e300, -1.7e308, 1.7e308, 1e-310, 1e5, 2.0**60, 0.1]
  rows = rng.choice(rng.choice(pool, rng.integers(2, 9)), (40, 3))
  rows = np.where(rng.random((40, 3)) < 0.3, 10.0 ** rng.uniform(-300, 300, (40, 3)), rows)
  found = columns.survey_blocks(blocks(rows, 7))
  columns.as_json(found, columns.collinear(rows), columns.dependent(rows))
  for column in found:
    assert column.kind == 'constant' or 0 < column.robust_deviation < np.inf
    assert column.kind == 'constant' or 0 < column.deviation < np.inf
    assert column.kind == 'constant' or column.least <= column.mean <= column.greatest
