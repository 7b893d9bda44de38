"""Files of points to train on, that hold none, too few, or something else."""

import numpy as np
import pytest

from ma_keras import data
from tests.robustness.row import Row

NAN = float('nan')
POINTS = np.random.default_rng(0).normal(size=(60, 3))
NOT_READ = (
  '`path` {} cannot be read: it is no {}, or is damaged. What is read: text tables (.csv, .tsv, '
  '.txt, also .gz, .bz2, .zst), Parquet, ...'
)


def text(name, content):
  with open(name, 'wb') as file:
    file.write(content)
  data.load_file(name)


def array(points):
  np.save('x.npy', points)
  data.load_file('x.npy')


def archive(**arrays):
  np.savez('x.npz', **arrays)
  data.load_file('x.npz')


def holed():
  points = POINTS.copy()
  points[[3, 17], 1] = NAN
  return points


def holed_csv():
  np.savetxt('points.csv', holed(), delimiter=',', header='a,b,c', comments='')
  data.load_file('points.csv')


def damaged_archive():
  np.savez_compressed('x.npz', train=POINTS)
  with open('x.npz', 'r+b') as file:
    content = bytearray(file.read())
    content[len(content) // 2] ^= 255
    file.seek(0)
    file.write(content)
  data.load_file('x.npz')


ROWS = [
  Row(
    'missing values or NaN in rows 3 and 17',
    holed_csv,
    ValueError,
    '`path` points.csv holds missing values, NaN or infinity in 2 rows, the first of them [3, 17]; '
    "column 'b' of row 3 (from 0, without header) is missing or NaN: mend them, or leave "
    'such rows out by --missing=drop.',
  ),
  Row(
    "the same in the array 'test' of a `.npz`",
    lambda: archive(train=POINTS, test=holed()),
    ValueError,
    "`path` x.npz, array 'test' holds missing values, NaN or infinity in 2 rows, ...",
  ),
  Row(
    'no file of that name',
    lambda: data.load_file('x.csv'),
    ValueError,
    "`path` x.csv cannot be read: [Errno 2] No such file or directory: 'x.csv'.",
  ),
  Row(
    'text named `.npy`',
    lambda: text('x.npy', b'no array'),
    ValueError,
    NOT_READ.format('x.npy', '.npy'),
  ),
  Row('a damaged `.npz`', damaged_archive, ValueError, '`path` x.npz cannot be read: ...'),
  Row(
    'what is no table: Excel, pickles, HDF5, ...',
    lambda suffix: text(f'x.{suffix}', b'\x89HDF\r\n\x1a\n\x00\x00'),
    ValueError,
    '`path` x.{} cannot be read: ...',
    ('xlsx', 'pkl', 'h5', 'zip', 'mat', 'parquet', 'npz', 'csv'),
  ),
  Row(
    'fewer points than two splits take',
    lambda count: array(POINTS[:count]),
    ValueError,
    "The data 'x' must be at least 18 points in rows, [n, ...], got an array of shape [{}, 3].",
    (17, 1),
  ),
  Row(
    'no rows',
    lambda: array(POINTS[:0]),
    ValueError,
    '`path` x.npy is empty, or every row was left out.',
  ),
  Row(
    'no columns',
    lambda: array(POINTS[:, :0]),
    ValueError,
    '`path` x.npy has no column left to take.',
  ),
  Row(
    'a vector, or one number',
    array,
    ValueError,
    '`path` x.npy cannot be read: it must hold numbers in rows, [n, N], and holds float64 [...].',
    (np.zeros(3), np.float64(3.0)),
  ),
  Row(
    'words, complex numbers, Python objects in a `.npy`',
    array,
    ValueError,
    '`path` x.npy cannot be read: it must hold numbers in rows, [n, N], and holds ...',
    (np.array([['a']] * 60), 1j * POINTS, POINTS.astype(object)),
  ),
  Row(
    'no test points',
    lambda: archive(train=POINTS, test=POINTS[:0]),
    ValueError,
    "`path` x.npz, array 'test' is empty, or every row was left out.",
  ),
  Row(
    'uint8 for training and floats for the test',
    lambda: archive(train=np.zeros([60, 3], np.uint8), test=POINTS),
    ValueError,
    '`path` x.npz must hold points of one shape and kind, got ... and ...',
  ),
  Row(
    'several arrays, none of them named `train`',
    lambda: archive(one=POINTS, two=POINTS),
    ValueError,
    "`path` x.npz ... arrays ['one', 'two']: choose one by --array...",
  ),
  Row(
    'columns that never change',
    lambda: data.for_dataset(data.split('x', np.ones([60, 3]))),
    ValueError,
    'The data must vary in every coordinate, but these columns do not: [0, 1, 2]. Remove them.',
  ),
  Row(
    'fewer training points than a batch takes, or a batch of none',
    lambda size: data.batches(POINTS, size, seed=0),
    ValueError,
    '`batch_size` must be at most the number of training points, 60, and positive, got {}.',
    (100, 0, -1),
  ),
  Row(
    "levels that are not the data's",
    lambda levels: data.split('x', np.full([60, 2], 20), levels=levels),
    ValueError,
    "The data 'x' must be integers in 0..16, got 20..20.",
    (17,),
  ),
  Row(
    'a data set that nobody prepared',
    lambda: data.load('no_such_set'),
    ValueError,
    "`dataset` 'no_such_set' is neither prepared at `data_dir` (the default) nor to be downloaded "
    '(...): pass --data_dir=FOLDER ..., --dataset_file=FILE.npy, or --dataset=digits.',
  ),
]


@pytest.mark.parametrize('row', ROWS, ids=str)
def test_a_data_file(row):
  row.check()
