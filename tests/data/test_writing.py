"""What is written in blocks is whole or absent, and reads back."""

import errno
import resource
import shutil

import numpy as np
import pytest

from ma_keras.data import tables
from ma_keras.data.writing import writing

X = np.random.default_rng(1).normal(size=(23, 3)).astype(np.float32)


@pytest.mark.parametrize('suffix', ['csv', 'npy', 'CSV'])
@pytest.mark.parametrize('known', [True, False])
@pytest.mark.parametrize('size', [1, 5, 23, 100])
def test_what_is_written_in_blocks_is_read_in_blocks(tmp_path, suffix, known, size):
  path = tmp_path / f'x.{suffix}'
  with writing(path, 23 if known else None, (3,), ['a', 'b', 'c']) as write:
    for k in range(0, 23, size):
      write(X[k : k + size])
  blocks = list(tables.open_table(path).read(size))
  assert max(map(len, blocks)) <= size
  np.testing.assert_array_equal(np.concatenate(blocks).astype(np.float32), X)


def test_labels_stand_before_the_numbers(tmp_path):
  path = tmp_path / 'x.csv'
  with writing(path, 2, (), ['row', 'log_prob']) as write:
    write(np.array([-1.5]), ['a'])
    write(np.array([2.25]), [7])
  assert path.read_text().split() == ['row,log_prob', 'a,-1.5', '7,2.25']


def test_numbers_have_the_precision_that_is_asked_for(tmp_path):
  with writing(tmp_path / 'x.npy', None, (), ['t'], np.float64) as write:
    write(np.array([1.7e9 + 0.125]))
  np.testing.assert_array_equal(np.load(tmp_path / 'x.npy'), [1.7e9 + 0.125])
  with writing(tmp_path / 'x.csv', None, (), ['t']) as write:
    write(np.array([1.7e9 + 0.125]))
  assert (tmp_path / 'x.csv').read_text().split() == ['t', '1700000000.125']


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
  path = tmp_path / 'x.csv'
  path.write_text('old')
  with pytest.raises(KeyboardInterrupt), writing(path, 9, (3,), ['a', 'b', 'c']) as write:
    write(X[:4])
    raise KeyboardInterrupt
  assert path.read_text() == 'old'


@pytest.mark.parametrize('name, message', [('x.txt', '.csv or .npy'), ('no/x.csv', 'no folder')])
def test_where_nothing_can_be_written_is_said_before_the_work(tmp_path, name, message):
  with pytest.raises(ValueError, match=message), writing(tmp_path / name, 1, (), ['a']):
    pass


def test_more_than_the_disk_can_take_is_refused_before_the_first_row(tmp_path):
  for name in ('x.npy', 'x.csv'):
    write = writing(tmp_path / name, 10**15, (2,), ['a', 'b'])
    with pytest.raises(OSError, match='bytes are needed and') as refusal, write:
      pass
    assert refusal.value.errno == errno.ENOSPC
  assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('rows, free', [(20_000, 100_000), (10**12, 7 * 10**12)])
def test_case_26_samples_that_a_small_disk_cannot_hold(tmp_path, monkeypatch, rows, free):
  """20,000 rows of two float32 are 160 kB, 1e12 are 8 TB: no map, no hole, no file."""
  usage = shutil.disk_usage(tmp_path)._replace(free=free)
  monkeypatch.setattr(shutil, 'disk_usage', lambda _: usage)
  write = writing(tmp_path / 'x.npy', rows, (2,), ['a', 'b'])
  with pytest.raises(OSError, match=f'{8 * rows} bytes are needed and {free} are free'), write:
    pass
  assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('suffix', ['csv', 'npy'])
def test_a_disk_that_is_full_on_the_way_leaves_the_old_file_and_nothing_beside(tmp_path, suffix):
  path = tmp_path / f'x.{suffix}'
  path.write_text('old')
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
  try:
    with pytest.raises(OSError), writing(path, 2300, (3,), ['a', 'b', 'c']) as write:
      for _ in range(100):
        write(X)
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
  assert path.read_text() == 'old' and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize('suffix', ['csv', 'npy'])
@pytest.mark.parametrize('rows', [5, 46])
def test_another_number_of_rows_than_was_said_is_no_file(tmp_path, suffix, rows):
  """A header that counts rows which are not in the file would be a lie."""
  whole = writing(tmp_path / f'x.{suffix}', 23, (3,), ['a', 'b', 'c'])
  with pytest.raises(ValueError, match=f'{rows} rows came'), whole as write:
    write(np.resize(X, (rows, 3)))
  assert list(tmp_path.iterdir()) == []
