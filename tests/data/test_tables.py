"""Tables give back the numbers that were written, a block at a time, and name what is wrong."""

import errno
import os
import resource

import numpy as np
import pytest
import tensorflow as tf

from ma_keras import data
from ma_keras.data import tables

X = np.random.default_rng(1).normal(size=(23, 3)).astype(np.float32)


@pytest.mark.parametrize('suffix', ['csv', 'npy'])
@pytest.mark.parametrize('size', [1, 5, 23, 100])
def test_what_is_written_in_blocks_is_read_in_blocks(tmp_path, suffix, size):
  path = tmp_path / f'x.{suffix}'
  with tables.writing(path, 23, (3,), ['a', 'b', 'c']) as write:
    for k in range(0, 23, size):
      write(X[k : k + size])
  table = tables.open_table(path)
  assert len(table) == 23 and not table.check(3)
  blocks = list(table.blocks(size, 3))
  assert max(map(len, blocks)) <= size
  np.testing.assert_array_equal(np.concatenate(blocks).astype(np.float32), X)


def test_labels_stand_before_the_numbers(tmp_path):
  path = tmp_path / 'x.csv'
  with tables.writing(path, 2, (), ['row', 'log_prob'], range(2)) as write:
    write(np.array([-1.5]))
    write(np.array([2.25]))
  assert path.read_text().split() == ['row,log_prob', '0,-1.5', '1,2.25']


def test_a_csv_may_have_a_header_and_empty_lines(tmp_path):
  path = tmp_path / 'x.csv'
  path.write_text('x,y\n1,2\n\n3,4\n')
  table = tables.open_table(path)
  assert len(table) == 2 and table.check(2)
  np.testing.assert_array_equal(next(table.read(9)), [[1, 2], [3, 4]])


def test_pictures_are_rows_in_the_order_of_their_names(tmp_path):
  pixels = np.random.default_rng(2).integers(0, 256, (3, 4, 5, 1), np.uint8)
  for k, name in enumerate(['b', 'c', 'a']):
    (tmp_path / f'{name}.png').write_bytes(tf.io.encode_png(pixels[k]).numpy())
  table = tables.open_table(tmp_path)
  assert table.labels == ['a.png', 'b.png', 'c.png'] and table.check(20)
  np.testing.assert_array_equal(next(table.read(3)), pixels[[2, 0, 1]])
  (tmp_path / 'd.png').write_bytes(tf.io.encode_png(pixels[0, :3]).numpy())
  with pytest.raises(ValueError, match=r'd\.png is \[3, 5, 1\]'):
    table = tables.open_table(tmp_path)
    table.check(20)


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
  path = tmp_path / 'x.csv'
  path.write_text('old')
  with pytest.raises(KeyboardInterrupt), tables.writing(path, 9, (3,), ['a', 'b', 'c']) as write:
    write(X[:4])
    raise KeyboardInterrupt
  assert path.read_text() == 'old'


@pytest.mark.parametrize('suffix', ['csv', 'npy'])
def test_rows_with_nan_or_infinity_are_named(tmp_path, suffix):
  x = X.copy()
  x[3, 1], x[17, 0] = np.nan, np.inf
  path = tmp_path / f'x.{suffix}'
  with tables.writing(path, 23, (3,), ['a', 'b', 'c']) as write:
    write(x)
  with pytest.raises(ValueError, match=r'in 2 rows, the first of them \[3, 17\]'):
    tables.open_table(path).check(3)


@pytest.mark.parametrize(
  'text, message',
  [
    ('', 'empty'),
    ('x,y\n', 'empty'),
    ('1,2\n3\n', '1 cells in row 1'),
    ('1,2\n3,four\n', "row 1 .*'four'"),
    ('1,2,3\n', '3 numbers in a row, and the model takes 2'),
  ],
)
def test_what_is_wrong_with_a_csv_is_said(tmp_path, text, message):
  path = tmp_path / 'x.csv'
  path.write_text(text)
  with pytest.raises(ValueError, match=message):
    tables.open_table(path).check(2)


@pytest.mark.parametrize(
  'name, content, message',
  [
    ('x.npy', b'text', 'no .npy'),
    ('x.txt', b'1,2', 'must be a .csv'),
    ('x.csv', b'\xff\xfe1', 'cannot be read'),
  ],
)
def test_what_is_no_table_is_refused(tmp_path, name, content, message):
  (tmp_path / name).write_bytes(content)
  with pytest.raises(ValueError, match=message):
    tables.open_table(tmp_path / name)


def test_a_missing_file_and_an_empty_folder_are_refused(tmp_path):
  with pytest.raises(ValueError, match='cannot be read'):
    tables.open_table(tmp_path / 'x.csv')
  with pytest.raises(ValueError, match='no picture'):
    tables.open_table(tmp_path)


@pytest.mark.parametrize('name, message', [('x.txt', '.csv or .npy'), ('no/x.csv', 'no folder')])
def test_where_nothing_can_be_written_is_said_before_the_work(tmp_path, name, message):
  with pytest.raises(ValueError, match=message), tables.writing(tmp_path / name, 1, (), ['a']):
    pass


def test_more_than_the_disk_can_take_is_refused_before_the_first_row(tmp_path):
  for name in ('x.npy', 'x.csv'):
    writing = tables.writing(tmp_path / name, 10**15, (2,), ['a', 'b'])
    with pytest.raises(OSError, match='bytes are needed and') as refusal, writing:
      pass
    assert refusal.value.errno == errno.ENOSPC
  assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('suffix', ['csv', 'npy'])
def test_a_disk_that_is_full_on_the_way_leaves_the_old_file_and_nothing_beside(tmp_path, suffix):
  path = tmp_path / f'x.{suffix}'
  path.write_text('old')
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
  try:
    with pytest.raises(OSError), tables.writing(path, 2300, (3,), ['a', 'b', 'c']) as write:
      for _ in range(100):
        write(X)
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
  assert path.read_text() == 'old' and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize('suffix', ['csv', 'npy'])
@pytest.mark.parametrize('rows', [5, 46])
def test_another_number_of_rows_than_was_said_is_no_file(tmp_path, suffix, rows):
  """A header that counts rows which are not in the file would be a lie."""
  writing = tables.writing(tmp_path / f'x.{suffix}', 23, (3,), ['a', 'b', 'c'])
  with pytest.raises(ValueError, match=f'{rows} rows came'), writing as write:
    write(np.resize(X, (rows, 3)))
  assert list(tmp_path.iterdir()) == []


def test_a_table_that_changes_while_it_is_read_is_met(tmp_path):
  np.save(tmp_path / 'x.npy', X)
  blocks = tables.open_table(tmp_path / 'x.npy').read(5)
  next(blocks)
  os.truncate(tmp_path / 'x.npy', 200)  # SIGBUS where the file is mapped.
  with pytest.raises(ValueError, match='became shorter'):
    list(blocks)
  (tmp_path / 'x.csv').write_text('1,2\n3,4\n')
  table = tables.open_table(tmp_path / 'x.csv')
  with (tmp_path / 'x.csv').open('a') as file:
    file.write('5,6\n')
  np.testing.assert_array_equal(np.concatenate(list(table.read(1))), [[1, 2], [3, 4]])


def test_columns_first_is_read_too(tmp_path):
  np.save(tmp_path / 'x.npy', np.asfortranarray(X))
  np.testing.assert_array_equal(
    np.concatenate(list(tables.open_table(tmp_path / 'x.npy').read(5))), X
  )


def test_a_csv_is_a_data_set(tmp_path):
  np.savetxt(tmp_path / 'x.csv', X, delimiter=',', header='a,b,c', comments='')
  found = data.load_file(tmp_path / 'x.csv')
  assert found.levels is None and found.event_shape == (3,)
  rows = np.concatenate([found.train, found.validation, found.test])
  np.testing.assert_allclose(np.sort(rows[:, 0]), np.sort(X[:, 0]), rtol=1e-6)
