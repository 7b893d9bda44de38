"""Frames of any library are their numbers and names, without an import of that library."""

import sys

import numpy as np
import pyarrow as pa
import pytest

from ma_keras.data import frames, tables

COLUMNS = {'a': [1, 2, 3], 'b': [0.5, 1.5, 2.5], 'c': [True, False, True]}
ROWS = [[1, 0.5, 1], [2, 1.5, 0], [3, 2.5, 1]]


def frame(library):
  """The columns as a table of a library, where it is installed."""
  if library == 'dict':
    return COLUMNS
  if library == 'pyarrow':
    return pa.table(COLUMNS)
  if library == 'record batch':
    return pa.RecordBatch.from_pydict(COLUMNS)
  if library == 'records':
    return np.array([tuple(row) for row in ROWS], [('a', 'i4'), ('b', 'f8'), ('c', '?')])
  if library == 'index':
    pandas = pytest.importorskip('pandas')
    return pandas.DataFrame(COLUMNS, index=pandas.Index([4, 5, 6], name='id'))
  if library == 'nullable':
    return pytest.importorskip('pandas').DataFrame(COLUMNS).convert_dtypes()
  return pytest.importorskip(library).DataFrame(COLUMNS)


@pytest.mark.parametrize(
  'library',
  ['dict', 'pyarrow', 'record batch', 'records', 'pandas', 'index', 'nullable', 'polars'],
)
def test_frames(library):
  rows, names = tables.from_frame(frame(library))
  np.testing.assert_array_equal(rows, ROWS)
  assert rows.dtype == np.float64 and names == ('a', 'b', 'c')


def test_arrays_and_lists_have_no_names():
  for values in (np.array(ROWS), ROWS, np.array(ROWS, np.float32)):
    rows, names = frames.from_frame(values)
    np.testing.assert_array_equal(rows, ROWS)
    assert rows.dtype == np.float64 and names is None


def test_numbers_that_pandas_gives_for_names_are_none():
  pandas = pytest.importorskip('pandas')
  rows, names = frames.from_frame(pandas.DataFrame(np.eye(2)))
  np.testing.assert_array_equal(rows, np.eye(2))
  assert names is None


@pytest.mark.parametrize(
  'values, message',
  [
    ({'a': ['x', 'y'], 'b': [1, 2]}, "'a' holds text"),
    ({'a': [1.0, np.nan]}, "in 1 rows, first in row 1, column 'a'"),
    (np.array([[1.0, np.inf]]), 'first in row 0, column'),
    ([['a', 'b']], 'holds no numbers'),
    ('points.csv', 'holds no numbers'),
    ({'a': [2**53 + 1]}, "column 'a' holds whole numbers beyond"),
    ({'a': [1, 2], 'b': [1]}, 'cannot be read as a table'),
  ],
)
def test_what_is_no_table_of_numbers_is_refused(values, message):
  with pytest.raises(ValueError, match=message) as refusal:
    frames.from_frame(values)
  assert '\n' not in str(refusal.value)


def test_missing_values_can_be_kept():
  rows, _ = frames.from_frame({'a': [1.0, None]}, missing='keep')
  np.testing.assert_array_equal(rows, [[1], [np.nan]])


def test_no_frame_library_is_needed(monkeypatch):
  for library in ('pandas', 'polars'):
    monkeypatch.setitem(sys.modules, library, None)
  for values in (COLUMNS, pa.table(COLUMNS)):
    np.testing.assert_array_equal(frames.from_frame(values)[0], ROWS)
