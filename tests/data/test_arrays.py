"""NumPy's files are rows in blocks, whatever the order of their bytes."""

import numpy as np
import pytest

from ma_keras.data import arrays, tables

X = np.random.default_rng(1).normal(size=(23, 3))


def read(path, **options):
  return np.concatenate(list(tables.open_table(path, **options).read(5)))


@pytest.mark.parametrize(
  'x',
  [
    X,
    np.asfortranarray(X),
    X.astype('>f8'),
    X.astype(np.float32),
    (10 * X).astype(np.int16),
    X > 0,
    X.reshape(23, 3, 1),
    X[:1],
  ],
  ids=['C', 'F', 'big', 'float32', 'int16', 'bool', 'events', 'one row'],
)
def test_arrays_of_any_layout(tmp_path, monkeypatch, x):
  monkeypatch.setattr(arrays, 'BLOCK_BYTES', 100)
  np.save(tmp_path / 'x.npy', x)
  np.savez(tmp_path / 'x.npz', points=x)
  np.savez_compressed(tmp_path / 'y.npz', x, other=X)
  expected = x.reshape(len(x), -1).astype(np.float64)
  np.testing.assert_array_equal(read(tmp_path / 'x.npy'), expected)
  np.testing.assert_array_equal(read(tmp_path / 'x.npz'), expected)
  np.testing.assert_array_equal(read(tmp_path / 'y.npz', array='arr_0'), expected)


def test_which_of_several_arrays_is_asked(tmp_path):
  np.savez(tmp_path / 'x.npz', one=X, two=X)
  with pytest.raises(ValueError, match=r"\['one', 'two'\]: choose one by --array"):
    tables.open_table(tmp_path / 'x.npz')
  with pytest.raises(ValueError, match=r"no array 'three', only \['one', 'two'\]"):
    tables.open_table(tmp_path / 'x.npz', array='three')


def test_an_array_is_chosen_of_files_that_hold_several_alone(tmp_path):
  np.save(tmp_path / 'x.npy', X)
  (tmp_path / 'x.csv').write_text('one,two\n1,2\n')
  for path in (tmp_path / 'x.npy', tmp_path / 'x.csv', tmp_path):
    with pytest.raises(
      ValueError, match=r'is no \.npz, of which --array=one would choose an array'
    ):
      tables.open_table(path, array='one')


def test_arrays_of_one_axis_and_fields_are_columns_by_name(tmp_path):
  np.savez(tmp_path / 'x.npz', a=np.arange(3), b=np.arange(3) / 2)
  table = tables.open_table(tmp_path / 'x.npz', columns=['b', 'a'])
  np.testing.assert_array_equal(next(table.read(9)), [[0, 0], [0.5, 1], [1, 2]])
  np.savez(tmp_path / 'y.npz', a=np.arange(3), b=np.arange(3) / 2, name=['x', 'y', 'z'])
  ((labels, rows),) = tables.open_table(tmp_path / 'y.npz', ids='name').labelled(9)
  np.testing.assert_array_equal(rows, [[0, 0], [1, 0.5], [2, 1]])
  assert list(labels) == ['x', 'y', 'z']
  fields = np.array([(1, 0.5, 'x'), (2, 1.5, 'y')], [('a', 'i4'), ('b', 'f8'), ('c', 'U1')])
  np.save(tmp_path / 'x.npy', fields)
  ((labels, rows),) = tables.open_table(tmp_path / 'x.npy', ids='c').labelled(9)
  np.testing.assert_array_equal(rows, [[1, 0.5], [2, 1.5]])
  assert list(labels) == ['x', 'y']


@pytest.mark.parametrize(
  'x, message',
  [
    (np.array([['a']]), r'numbers in rows, \[n, N\], and holds <U1'),
    (np.array([[None]]), 'holds Python objects'),
    (np.array([[1j]]), 'complex'),
    (np.arange(3.0), r'float64 \[3\]'),
    (np.array([[2**60]]), 'whole numbers of 2.53 and beyond'),
    (np.array([[1], [-(2**53) - 1]]), 'whole numbers of 2.53 and beyond'),
    (np.array([[2**63]], np.uint64), 'whole numbers of 2.53 and beyond'),
  ],
  ids=['text', 'objects', 'complex', 'vector', 'large', 'odd beyond 2^53', 'unsigned'],
)
def test_arrays_of_anything_else_are_refused(tmp_path, x, message):
  np.save(tmp_path / 'x.npy', x)
  with pytest.raises(ValueError, match=message) as refusal:
    read(tmp_path / 'x.npy')
  assert 'pickle' not in str(refusal.value)


def test_whole_numbers_below_2_to_the_53_are_exact(tmp_path):
  x = np.array([[2**53 - 1, 1 - 2**53]])
  np.save(tmp_path / 'x.npy', x)
  np.testing.assert_array_equal(read(tmp_path / 'x.npy').astype(np.int64), x)
