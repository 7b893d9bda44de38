"""Rows beyond a size go to a file that is whole or absent, and are the same rows."""

import itertools

import numpy as np
import pytest

from ma_keras import data
from ma_keras.data import arrays, disk_rows, gathering, tables

X = np.random.default_rng(0).normal(size=(40_000, 3))


@pytest.fixture
def table(tmp_path):
  np.save(tmp_path / 'x.npy', X)
  return tables.open_table(tmp_path / 'x.npy')


def gathered(table, folder, key='key'):
  return gathering.gather(table, lambda: key, folder, most_bytes=20_000 * 24)


def test_below_the_size_they_are_in_memory(table, tmp_path):
  points = gathering.gather(table, folder=tmp_path / 'run')
  np.testing.assert_array_equal(points, X)
  assert not (tmp_path / 'run').exists()


def test_beyond_it_they_are_read_where_they_are_asked_for(table, tmp_path):
  points = gathered(table, tmp_path / 'run')
  assert (
    isinstance(points, disk_rows.DiskRows) and points.shape == X.shape and len(points) == len(X)
  )
  some = np.random.default_rng(1).integers(0, len(X), 50)
  np.testing.assert_array_equal(points[some], X[some])
  np.testing.assert_array_equal(points[5:9], X[5:9])
  np.testing.assert_array_equal(points[7], X[7])
  np.testing.assert_array_equal(points.of(some)[:7], X[some[:7]])
  np.testing.assert_array_equal(np.asarray(points.of(some)), X[some])
  np.testing.assert_array_equal(np.asarray(points.of(some).whole()), X)
  np.testing.assert_array_equal(points[::-1], X[::-1])
  np.testing.assert_array_equal(points[some.reshape(5, 10)], X[some.reshape(5, 10)])
  np.testing.assert_array_equal(points[:0], X[:0])
  np.testing.assert_array_equal(np.concatenate(list(points.blocks(999))), X)


def test_the_file_is_used_again_by_its_key_and_replaced_by_another(table, tmp_path):
  gathered(table, tmp_path / 'run')
  (kept,) = (tmp_path / 'run').iterdir()
  before = kept.stat().st_mtime_ns
  gathered(tables.open_table(tmp_path / 'x.npy'), tmp_path / 'run')
  assert kept.stat().st_mtime_ns == before
  np.save(tmp_path / 'x.npy', -X)
  points = gathered(tables.open_table(tmp_path / 'x.npy'), tmp_path / 'run', 'other')
  np.testing.assert_array_equal(points[:3], -X[:3])
  assert [path.name for path in (tmp_path / 'run').iterdir()] == ['rows-other.npy']


def test_an_error_on_the_way_leaves_no_file(tmp_path, monkeypatch):
  monkeypatch.setattr(arrays, 'BLOCK_BYTES', 1 << 16)
  x = X.copy()
  x[-1, 0] = np.nan
  np.save(tmp_path / 'x.npy', x)
  with pytest.raises(ValueError, match='row 39999'):
    gathered(tables.open_table(tmp_path / 'x.npy'), tmp_path / 'run')
  assert list((tmp_path / 'run').iterdir()) == []


def test_a_file_that_becomes_shorter_is_an_error(table, tmp_path):
  points = gathered(table, tmp_path / 'run')
  with points.path.open('r+b') as file:
    file.truncate(1000)
  with pytest.raises(ValueError, match='became shorter'):
    points[len(points) - 1]


def test_a_data_set_on_disk_has_the_splits_and_batches_of_one_in_memory(tmp_path, monkeypatch):
  np.save(tmp_path / 'x.npy', X)
  memory = data.load_file(tmp_path / 'x.npy', 3)
  monkeypatch.setattr(gathering, 'MOST_BYTES', 20_000 * 24)
  disk = data.load_file(tmp_path / 'x.npy', 3, tmp_path / 'run')
  assert isinstance(disk.train, disk_rows.DiskRows)
  for name in ('train', 'validation', 'test'):
    one, two = getattr(memory, name), getattr(disk, name)[:]
    np.testing.assert_array_equal(one, two.astype(one.dtype))
  batches = [data.batches(points.train, 100, 1) for points in (memory, disk)]
  for (_, one), (_, two) in itertools.islice(zip(*batches), 3):
    np.testing.assert_array_equal(one, two.numpy().astype(one.numpy().dtype))


def test_another_content_or_another_way_to_read_it_has_another_file(tmp_path, monkeypatch):
  monkeypatch.setattr(gathering, 'MOST_BYTES', 0)
  np.savetxt(tmp_path / 'x.csv', X[:60], delimiter=',', header='a,b,c', comments='')
  names = set()
  for options in ({}, {}, {'columns': ['a', 'b']}):
    data.load_file(tmp_path / 'x.csv', 0, tmp_path / 'run', **options)
    names |= {path.name for path in (tmp_path / 'run').iterdir()}
  assert len(names) == 2


def test_held_out_points_are_not_more_than_any_likelihood_needs(monkeypatch):
  monkeypatch.setattr(data.dataset, 'MOST_HELD_OUT', 50)
  points = data.split('x', X)
  assert (len(points.validation), len(points.test)) == (50, 50)
  assert len(points.train) == len(X) - 100


def test_levels_stay_whole_on_disk_and_keep_the_shape_of_pictures(tmp_path, monkeypatch):
  monkeypatch.setattr(gathering, 'MOST_BYTES', 0)
  pixels = np.random.default_rng(0).integers(0, 256, (60, 4, 5), np.uint8)
  np.save(tmp_path / 'x.npy', pixels)
  points = data.load_file(tmp_path / 'x.npy', 0, tmp_path / 'run')
  assert points.event_shape == (4, 5, 1) and points.levels == 256
  assert points.train.dtype == np.uint8 and data.dequantised(points.test[:3], 0).shape == (3, 20)
  rows = np.concatenate([points.train[:], points.validation[:], points.test[:]])
  np.testing.assert_array_equal(np.sort(rows, axis=None), np.sort(pixels, axis=None))
