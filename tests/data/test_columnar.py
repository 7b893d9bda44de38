"""Parquet, Feather and Arrow files are the columns that were written."""

import datetime
import decimal

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet
import pytest

from ma_keras.data import tables

COLUMNS = {
  'whole': pa.array([1, 2, 2**53], pa.int64()),
  'half': pa.array(np.array([0.5, 1, 2], np.float16)),
  'exact': pa.array([decimal.Decimal('1.25'), decimal.Decimal('-2'), decimal.Decimal('0')]),
  'flag': pa.array([True, False, True]),
  'grade': pa.array([3.0, 4.0, 3.0]).dictionary_encode(),
  'name': pa.array(['anna', 'bob', '\u00e5sa']),
  'day': pa.array([datetime.date(2020, 1, k) for k in (1, 2, 3)]),
}
NUMBERS = [[1, 0.5, 1.25, 1, 3], [2, 1, -2, 0, 4], [2**53, 2, 0, 1, 3]]


def arrow_file(table, path):
  with pa.ipc.new_file(path, table.schema) as file:
    file.write_table(table, max_chunksize=2)


WRITE = {
  'x.parquet': lambda table, path: pa.parquet.write_table(table, path, row_group_size=2),
  'X.PQ': pa.parquet.write_table,
  'x.feather': pa.feather.write_feather,
  'x.arrow': arrow_file,
}


@pytest.mark.parametrize('name', WRITE)
def test_numbers_of_any_type_are_float64_and_others_are_named(tmp_path, name):
  path = str(tmp_path / name)
  WRITE[name](pa.table(COLUMNS), path)
  with pytest.raises(ValueError, match=r"'name' holds text, 'day' holds dates: .*=name,day"):
    tables.open_table(path)
  table = tables.open_table(path, ids='name', ignore_columns=['day'])
  ((labels, rows),) = table.labelled(9)
  np.testing.assert_array_equal(rows, NUMBERS)
  assert list(labels) == ['anna', 'bob', '\u00e5sa']
  assert table.names == ('whole', 'half', 'exact', 'flag', 'grade')


def test_whole_numbers_that_double_precision_would_change_are_refused(tmp_path):
  pa.parquet.write_table(pa.table({'id': [2**53 + 1]}), tmp_path / 'x.parquet')
  with pytest.raises(ValueError, match="column 'id' holds whole numbers beyond"):
    list(tables.open_table(tmp_path / 'x.parquet').read(9))


def test_nulls_are_missing_values(tmp_path):
  pa.parquet.write_table(pa.table({'a': [1, None], 'b': [1.0, 2.0]}), tmp_path / 'x.parquet')
  with pytest.raises(ValueError, match="column 'a' of row 1"):
    list(tables.open_table(tmp_path / 'x.parquet').read(9))
  rows = next(tables.open_table(tmp_path / 'x.parquet', missing='drop').read(9))
  np.testing.assert_array_equal(rows, [[1, 1]])


def test_the_index_of_a_frame_is_no_column(tmp_path):
  metadata = {'pandas': '{"index_columns": ["__index_level_0__"]}'}
  table = pa.table({'a': [1.0], '__index_level_0__': [7]}).replace_schema_metadata(metadata)
  pa.parquet.write_table(table, tmp_path / 'x.parquet')
  table = tables.open_table(tmp_path / 'x.parquet')
  assert table.names == ('a',) and '__index_level_0__ (index)' in table.understood


def test_a_folder_of_parquet_files(tmp_path):
  for k in range(3):
    (tmp_path / f'year={k}').mkdir()
    pa.parquet.write_table(pa.table({'a': [k, k]}), tmp_path / f'year={k}' / 'part-0.parquet')
  table = tables.open_table(tmp_path)
  rows = next(table.read(9))
  np.testing.assert_array_equal(rows[:, 0], [0, 0, 1, 1, 2, 2])
  assert table.num_rows == 6 and table.names == ('a', 'year')
  np.testing.assert_array_equal(rows[:, 1], rows[:, 0])


@pytest.mark.slow
@pytest.mark.parametrize('group', [50_000, 1_000_000])
def test_parquet_is_read_in_memory_that_does_not_grow_with_the_file(tmp_path, group):
  """64 MB of numbers, in one group of rows or in twenty, within a few blocks of 4 MB."""
  table = pa.table(
    {name: np.random.default_rng(k).normal(size=1_000_000) for k, name in enumerate('abcdefgh')}
  )
  pa.parquet.write_table(
    table, tmp_path / 'x.parquet', row_group_size=group, compression='none', use_dictionary=False
  )
  expected = float(np.sum(table['h'].to_numpy()))
  del table
  before, peak, total = pa.total_allocated_bytes(), 0, 0.0
  for block in tables.open_table(tmp_path / 'x.parquet').read(1000):
    peak = max(peak, pa.total_allocated_bytes() - before)
    total += float(np.sum(block[:, 7]))
  assert abs(total - expected) < 1e-6
  assert peak < 24e6
