"""Tables give back the numbers that were written, a block at a time, and name what is wrong."""

import gzip
import os

import numpy as np
import pytest
import tensorflow as tf

from ma_keras import data
from ma_keras.data import selection, tables

X = np.random.default_rng(1).normal(size=(23, 3))


def read(path, **options):
  """All rows, and the table."""
  table = tables.open_table(path, **options)
  return np.concatenate(list(table.read(7))), table


def test_rows_are_float64_in_blocks_of_the_size_that_is_asked_for(tmp_path):
  np.savetxt(tmp_path / 'x.csv', X, fmt='%.17g', delimiter=',')
  blocks = list(tables.open_table(tmp_path / 'x.csv').read(5))
  assert [len(block) for block in blocks] == [5, 5, 5, 5, 3]
  assert blocks[0].dtype == np.float64
  np.testing.assert_array_equal(np.concatenate(blocks), X)


def test_a_line_says_what_was_understood(tmp_path):
  path = tmp_path / 'points.csv'
  text = 'length;width;name\r\n1,5;2;anna\r\n2,5;3;bob\r\n'
  path.write_bytes(b'\xef\xbb\xbf' + text.encode())
  rows, table = read(path, ignore_columns=['name'])
  np.testing.assert_array_equal(rows, [[1.5, 2], [2.5, 3]])
  assert table.understood == (
    "points.csv: UTF-8 with byte order mark, separator ';', decimal comma, with a header; 2 rows, "
    '2 columns: length, width; left out: name (text)'
  )


def test_labels_are_row_numbers_or_ids(tmp_path):
  path = tmp_path / 'x.csv'
  path.write_text('name,x\nanna,1\n007,\nb\u00f6rje,3\n', encoding='utf-8')
  table = tables.open_table(path, ids='name', missing='drop')
  assert [list(labels) for labels, _ in table.labelled(9)] == [['anna', 'b\u00f6rje']]
  assert table.drops() == '1 row with missing values left out: 007'
  table = tables.open_table(path, ignore_columns=['name'], missing='drop')
  assert [list(labels) for labels, _ in table.labelled(9)] == [[0, 2]]


@pytest.mark.parametrize('bad', ['', 'NA', 'nan', '?', '#DIV/0!', 'inf', '-Infinity'])
def test_missing_values_are_refused_by_row_and_column_or_dropped(tmp_path, bad):
  path = tmp_path / 'x.csv'
  path.write_text(f'a,b\n1,2\n3,{bad}\n5,6\n{bad},8\n')
  what = 'infinite' if 'inf' in bad.lower() else 'missing or NaN'
  message = rf"in 2 rows, the first of them \[1, 3\]; column 'b' of row 1 .* is {what}.*--missing"
  with pytest.raises(ValueError, match=message):
    read(path)
  rows, table = read(path, missing='drop')
  np.testing.assert_array_equal(rows, [[1, 2], [5, 6]])
  assert '2 rows with missing values left out: 1, 3' in table.understood


@pytest.mark.parametrize('suffix', ['csv', 'npy'])
def test_rows_with_nan_or_infinity_are_named(tmp_path, suffix):
  x = X.copy()
  x[3, 1], x[17, 0] = np.nan, np.inf
  if suffix == 'csv':
    np.savetxt(tmp_path / 'x.csv', x, delimiter=',')
  else:
    np.save(tmp_path / 'x.npy', x)
  named = r'in 2 rows, the first of them \[3, 17\]; column 1 of row 3'
  with pytest.raises(ValueError, match=named):
    read(tmp_path / f'x.{suffix}')


def test_a_table_of_dropped_rows_alone_is_refused(tmp_path):
  (tmp_path / 'x.csv').write_text('a,b\n1,\n,2\n')
  with pytest.raises(ValueError, match='every row was left out'):
    read(tmp_path / 'x.csv', missing='drop')


@pytest.mark.parametrize(
  'options, expected',
  [
    ({'columns': ['c', 'a']}, [[3, 1]]),
    ({'ignore_columns': ['b', 'name']}, [[1, 3]]),
    ({'model_columns': ['b', 'a']}, [[2, 1]]),
    ({'columns': ['a', 'b'], 'model_columns': ['b', 'a']}, [[2, 1]]),
    ({'columns': ['c', 'a'], 'model_columns': ['u', 'v']}, [[3, 1]]),
    ({'ids': 'name', 'event_size': 3}, [[1, 2, 3]]),
  ],
)
def test_columns_are_chosen_by_name(tmp_path, options, expected):
  (tmp_path / 'x.csv').write_text('a,b,name,c\n1,2,anna,3\n')
  np.testing.assert_array_equal(read(tmp_path / 'x.csv', **options)[0], expected)


@pytest.mark.parametrize(
  'options, message',
  [
    ({}, r"'name' holds text, 'anna' in row 0: .*--ignore_columns=name"),
    ({'columns': ['a', 'q']}, "no column 'q' of --columns"),
    ({'ignore_columns': ['nam']}, "'nam' of --ignore_columns: did you mean 'name'"),
    ({'ids': 'id'}, "no column 'id' of --id_column"),
    ({'model_columns': ['a', 'q']}, "no column 'q', which the model was trained on"),
    ({'columns': ['a', 'b'], 'model_columns': ['a', 'c']}, "no column 'c', which the model"),
    ({'columns': ['a'], 'event_size': 2}, '1 numbers in a row, and the model takes 2'),
    ({'ignore_columns': ['a', 'b', 'c', 'name']}, 'no column left'),
  ],
)
def test_columns_that_are_not_there_or_not_numbers_are_named(tmp_path, options, message):
  (tmp_path / 'x.csv').write_text('a,b,name,c\n1,2,anna,3\n')
  with pytest.raises(ValueError, match=message) as refusal:
    read(tmp_path / 'x.csv', **options)
  assert '\n' not in str(refusal.value)


def test_columns_without_names_go_by_number_and_by_the_position_of_the_model(tmp_path):
  (tmp_path / 'x.csv').write_text('anna,1,2\nbob,3,4\n')
  rows, table = read(tmp_path / 'x.csv', ignore_columns=['0'], model_columns=['u', 'v'])
  np.testing.assert_array_equal(rows, [[1, 2], [3, 4]])
  assert table.names is None and 'by position for u, v of the model' in table.understood


def test_names_that_stand_twice_are_refused_unless_left_out(tmp_path):
  (tmp_path / 'x.csv').write_text('a,a,b\n1,2,3\n')
  for model_columns in (None, ['a', 'b'], ['b', 'a']):
    with pytest.raises(ValueError, match="several columns 'a'"):
      read(tmp_path / 'x.csv', model_columns=model_columns)
  np.testing.assert_array_equal(read(tmp_path / 'x.csv', ignore_columns=['a'])[0], [[3]])


@pytest.mark.parametrize('suffix', ['xlsx', 'pkl', 'h5', 'zip', 'mat', 'parquet', 'npz', 'csv'])
def test_what_is_not_read_gets_a_list_of_what_is(tmp_path, suffix):
  """Field case 11: errors spoke of pickles."""
  path = tmp_path / f'x.{suffix}'
  path.write_bytes(b'\x89HDF\r\n\x1a\n\x00\x00')
  with pytest.raises(ValueError, match=r'text tables .* Parquet') as refusal:
    tables.open_table(path)
  assert 'pickle' not in str(refusal.value) and '\n' not in str(refusal.value)


def test_upper_case_and_packed_names_are_read(tmp_path):
  """Field case 11."""
  (tmp_path / 'T.CSV').write_text('1,2\n3,4\n')
  (tmp_path / 't.csv.gz').write_bytes(gzip.compress(b'1,2\n3,4\n'))
  np.save(tmp_path / 'T.npy', [[1.0, 2], [3, 4]])
  os.rename(tmp_path / 'T.npy', tmp_path / 'T.NPY')
  for name in ('T.CSV', 't.csv.gz', 'T.NPY'):
    np.testing.assert_array_equal(read(tmp_path / name)[0], [[1, 2], [3, 4]])


@pytest.mark.parametrize(
  'name, content, message',
  [
    ('x.npy', b'text', 'no .npy'),
    ('x.csv', b'\xff\xfe1', 'cannot be read'),
    ('x.csv.gz', gzip.compress(b'1,2\n' * 10**5)[:-200], 'cannot be read: Truncated'),
    ('x.parquet', b'PAR1' + bytes(100), 'cannot be read'),
    ('x.npz', b'PK\x03\x04' + bytes(100), 'cannot be read'),
    ('x.feather', b'ARROW1' + bytes(100), 'cannot be read'),
  ],
)
def test_what_is_damaged_is_refused(tmp_path, name, content, message):
  (tmp_path / name).write_bytes(content)
  with pytest.raises(ValueError, match=message):
    read(tmp_path / name)


def test_a_missing_file_and_an_empty_folder_are_refused(tmp_path):
  with pytest.raises(ValueError, match='cannot be read'):
    tables.open_table(tmp_path / 'x.csv')
  with pytest.raises(ValueError, match='no picture'):
    tables.open_table(tmp_path)


def test_a_table_that_becomes_shorter_while_it_is_read_is_met(tmp_path):
  x = np.random.default_rng(0).normal(size=(50_000, 3))
  np.save(tmp_path / 'x.npy', x)
  blocks = tables.open_table(tmp_path / 'x.npy').read(5)
  next(blocks)
  os.truncate(tmp_path / 'x.npy', 1_100_000)  # SIGBUS where the file is mapped.
  with pytest.raises(ValueError, match='became shorter'):
    list(blocks)


def test_a_folder_of_tables_is_one_in_the_natural_order_of_names(tmp_path):
  for k in (10, 2, 1):
    (tmp_path / f'part-{k}.csv').write_text(f'a,b\n{k},0\n' if k != 2 else 'b,a\n0,2\n')
  (tmp_path / '_SUCCESS').write_text('')
  (tmp_path / '.part-3.csv').write_text('a,b\n3,0\n')
  (tmp_path / 'notes.md').write_text('words')
  rows, table = read(tmp_path)
  np.testing.assert_array_equal(rows, [[1, 0], [2, 0], [10, 0]])
  assert table.names == ('a', 'b') and '3 files' in table.understood
  (tmp_path / 'part-11.csv').write_text('a,c\n3,0\n')
  with pytest.raises(ValueError, match=r'part-1\.csv and part-11\.csv: all must be alike'):
    read(tmp_path)


def test_pictures_are_rows_in_the_order_of_their_names(tmp_path):
  pixels = np.random.default_rng(2).integers(0, 256, (3, 4, 5, 1), np.uint8)
  for k, name in enumerate(['b', 'c', 'a']):
    (tmp_path / f'{name}.png').write_bytes(tf.io.encode_png(pixels[k]).numpy())
  table = tables.open_table(tmp_path, event_size=20)
  assert table.event_shape == (4, 5, 1)
  (labels, rows), *_ = table.labelled(3)
  assert list(labels) == ['a.png', 'b.png', 'c.png']
  np.testing.assert_array_equal(rows, pixels[[2, 0, 1]].reshape(3, 20))
  (tmp_path / 'd.png').write_bytes(tf.io.encode_png(pixels[0, :3]).numpy())
  with pytest.raises(ValueError, match=r'several sizes, 3 4 x 5 .*, 1 3 x 5 \(d\.png\)'):
    read(tmp_path)


@pytest.mark.parametrize('shape', [(14, 56), (14, 56, 1), (28, 28, 3)])
def test_arrays_of_another_shape_than_the_pictures_of_a_model_are_refused(tmp_path, shape):
  """Field case 15: 14 x 56 pixels are as many as 28 x 28."""
  np.save(tmp_path / 'x.npy', np.zeros((2, *shape), np.uint8))
  with pytest.raises(ValueError, match='and the model takes'):
    tables.open_table(tmp_path / 'x.npy', event_size=784, event_shape=(28, 28, 1))
  np.save(tmp_path / 'y.npy', np.zeros((2, 28, 28), np.uint8))
  np.save(tmp_path / 'z.npy', np.zeros((2, 784), np.uint8))
  for name in ('y.npy', 'z.npy'):
    tables.open_table(tmp_path / name, event_size=784, event_shape=(28, 28, 1))


def test_levels_are_checked_by_row_and_column(tmp_path):
  (tmp_path / 'x.csv').write_text('a,b\n0,3\n1,16\n2.5,0\n')
  with pytest.raises(ValueError, match=r'has 16 in row 1 .*, column b'):
    read(tmp_path / 'x.csv', levels=16)
  with pytest.raises(ValueError, match=r'has 2\.5 in row 2 .*, column a'):
    read(tmp_path / 'x.csv', levels=17)


def test_a_csv_is_a_data_set(tmp_path):
  np.savetxt(tmp_path / 'x.csv', X, delimiter=',', header='a,b,c', comments='')
  points = data.load_file(tmp_path / 'x.csv')
  assert points.levels is None and points.event_shape == (3,) and points.columns == ('a', 'b', 'c')
  rows = np.concatenate([points.train, points.validation, points.test])
  np.testing.assert_allclose(np.sort(rows[:, 0]), np.sort(X[:, 0]), rtol=1e-6)


def test_eight_names_are_listed_and_more_are_counted():
  names = list('abcdefghi')
  assert selection.listed(names[:8]) == 'a, b, c, d, e, f, g, h'
  assert selection.listed(names) == 'a, b, c, d, e, f, g, h, ... (9 in all)'
