"""Keys in names of folders are the columns that pyarrow's own data sets make of them."""

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest

from ma_keras.data import tables


def table_with_keys():
  rng = np.random.default_rng(0)
  return pa.table(
    {
      'x': rng.normal(size=40),
      'year': rng.integers(2020, 2023, 40),
      'share': rng.choice([0.5, -1.25], 40),
      'region': rng.choice(['eu', 'a=b/c'], 40).tolist(),
      'y': rng.normal(size=40),
    }
  )


TABLE = table_with_keys()


def written(folder, *names):
  """The table in folders by these columns."""
  pyarrow.parquet.write_to_dataset(TABLE, folder, partition_cols=list(names))
  return folder


def test_numbers_are_columns_as_pyarrow_has_them(tmp_path):
  folder = written(tmp_path, 'year', 'share')
  table = tables.open_table(folder, ignore_columns=['region'])
  assert table.names == ('x', 'y', 'year', 'share')
  expected = pa.dataset.dataset(folder, partitioning='hive').to_table().sort_by('x')
  rows = np.concatenate(list(table.read(7)))
  for k, name in enumerate(table.names):
    numbers = expected[name].cast(pa.float64())  # It takes fractions in names for text.
    np.testing.assert_array_equal(rows[np.argsort(rows[:, 0]), k], numbers.to_numpy())


def test_text_is_left_out_with_a_word_and_may_label_rows(tmp_path):
  folder = written(tmp_path, 'region', 'year')
  table = tables.open_table(folder)
  assert table.names == ('x', 'share', 'y', 'year')
  assert 'left out: region (text in names of folders)' in table.understood
  labelled = tables.open_table(folder, columns=['year', 'x'], ids='region')
  pairs = [
    (rows[1], label) for ids, block in labelled.labelled(9) for label, rows in zip(ids, block)
  ]
  assert sorted(pairs) == sorted(zip(TABLE['x'].to_pylist(), TABLE['region'].to_pylist()))


def test_a_key_alone_and_a_missing_one(tmp_path):
  folder = written(tmp_path, 'year')
  rows = np.concatenate(list(tables.open_table(folder, columns=['year']).read(9)))
  assert sorted(rows[:, 0]) == sorted(TABLE['year'].to_pylist())
  (folder / 'year=2020').rename(folder / 'year=__HIVE_DEFAULT_PARTITION__')
  table = tables.open_table(folder, ignore_columns=['region'])
  with pytest.raises(ValueError, match=r"'year' of row .* is missing"):
    list(table.read(9))


def test_other_keys_are_refused_and_columns_of_the_files_stand(tmp_path):
  for name in ('year=1', 'month=2'):
    (tmp_path / name).mkdir()
    pa.parquet.write_table(pa.table({'a': [5.0]}), tmp_path / name / 'x.parquet')
  with pytest.raises(ValueError, match=r"other keys, \['month'\] and \['year'\] of x.parquet"):
    tables.open_table(tmp_path)
  (tmp_path / 'month=2').rename(tmp_path / 'a=2')
  (tmp_path / 'year=1').rename(tmp_path / 'a=3')
  table = tables.open_table(tmp_path)
  assert table.names == ('a',) and next(table.read(9)).tolist() == [[5.0], [5.0]]


def test_files_without_names_say_that_keys_are_left_out(tmp_path, rng):
  (tmp_path / 'year=1').mkdir()
  np.savetxt(tmp_path / 'year=1' / 'x.csv', rng.normal(size=(5, 2)), delimiter=',')
  table = tables.open_table(tmp_path)
  assert table.event_size == 2
  assert 'keys of folders left out, as columns have no names: year' in table.understood
