"""Folders of pictures are points of one shape and depth, or say which file is not."""

import numpy as np
import PIL.Image
import pytest

from ma_keras import data
from ma_keras.data import pictures, tables
from ma_keras.data.context_columns import ContextColumn


def write(file, array, mode=None):
  file.parent.mkdir(parents=True, exist_ok=True)
  picture = PIL.Image.fromarray(array)
  (picture if mode is None else picture.convert(mode)).save(file)


def folder(tmp_path, names, shape=(4, 6), dtype=np.uint8):
  rng, most = np.random.default_rng(0), np.iinfo(dtype).max
  arrays = [rng.integers(0, most, shape, dtype, endpoint=True) for _ in names]
  for name, array in zip(names, arrays):
    write(tmp_path / name, array)
  return np.stack(arrays).reshape(len(names), *shape, -1)


def rows(found):
  return np.concatenate(list(found.read(2)))


def test_sub_folders_in_the_order_of_paths_and_labels_are_relative(tmp_path):
  arrays = folder(tmp_path, ['b.png', 'one/a.png', 'one/b.PNG', 'two/deep/er.bmp'])
  found = pictures.open_pictures(tmp_path)
  assert found.labels == ('b.png', 'one/a.png', 'one/b.PNG', 'two/deep/er.bmp')
  assert found.shape == (4, 6, 1) and found.levels == 256 and len(found) == 4
  np.testing.assert_array_equal(rows(found), arrays)
  assert found.form == 'pictures 4 x 6, grey, 256 levels'


def test_a_single_file(tmp_path):
  arrays = folder(tmp_path, ['x.png'])
  found = pictures.open_pictures(tmp_path / 'x.png', (4, 6, 1))
  assert found.labels == ('x.png',)
  np.testing.assert_array_equal(rows(found), arrays)


def test_hidden_files_are_left_out_and_others_named(tmp_path):
  folder(tmp_path, ['a.png'])
  for name in ('.DS_Store', '._a.png', 'Thumbs.db', '.git/x.png', '__MACOSX/a.png'):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text('not a picture')
  for name in ('notes.txt', 'labels.csv'):
    (tmp_path / name).write_text('1,2\n')
  found = pictures.open_pictures(tmp_path)
  assert found.labels == ('a.png',)
  assert found.form.endswith('; left out: labels.csv, notes.txt')


@pytest.mark.parametrize('mode', ['L', 'LA', 'RGB', 'RGBA', 'P'])
def test_grey_in_any_mode_is_grey(tmp_path, mode, rng):
  """Case 15: grey stored as RGB is what a model of grey pictures takes."""
  array = rng.integers(0, 256, (28, 28), np.uint8)
  write(tmp_path / 'x.png', array, mode)
  for event_shape in (None, (28, 28, 1), (28, 28)):
    found = pictures.open_pictures(tmp_path, event_shape, 256)
    np.testing.assert_array_equal(rows(found), array[np.newaxis, ..., np.newaxis])
    assert ('taken as grey' in found.form) == (mode in ('RGB', 'RGBA', 'P'))


def test_black_and_white_of_one_bit(tmp_path):
  write(tmp_path / 'x.png', np.eye(4, dtype=bool))
  np.testing.assert_array_equal(rows(pictures.open_pictures(tmp_path))[0, ..., 0], 255 * np.eye(4))


def test_one_coloured_picture_makes_all_colours(tmp_path):
  array = folder(tmp_path, ['a.png'])
  colours = folder(tmp_path, ['b.png'], (4, 6, 3))
  found = pictures.open_pictures(tmp_path)
  assert found.form == 'pictures 4 x 6, RGB, 256 levels; 1 of mode L taken as RGB'
  np.testing.assert_array_equal(rows(found), [np.repeat(array[0], 3, -1), colours[0, ..., 0]])


def test_colours_are_no_grey(tmp_path):
  folder(tmp_path, ['x.png'], (28, 28, 3))
  with pytest.raises(ValueError, match=r"x\.png has colours, and the model takes grey: .*'L'"):
    rows(pictures.open_pictures(tmp_path, (28, 28, 1), 256))


def test_a_size_is_more_than_a_number_of_pixels(tmp_path):
  """Case 15: 14 x 56 is no 28 x 28."""
  folder(tmp_path, ['x.png'], (14, 56))
  with pytest.raises(ValueError, match=r'x\.png is 14 x 56, and the model takes 28 x 28 x 1\.'):
    pictures.open_pictures(tmp_path, (28, 28, 1), 256)
  with pytest.raises(ValueError, match=r'is a picture, and the model takes vectors of 784 numbers'):
    pictures.open_pictures(tmp_path, (784,), 256)


def test_sizes_that_differ_are_named(tmp_path):
  folder(tmp_path, ['a.png', 'b.png', 'c.png'])
  folder(tmp_path, ['d.png'], (6, 4))
  with pytest.raises(ValueError, match=r'several sizes, 3 4 x 6 \(a\.png\), 1 6 x 4 \(d\.png\)'):
    pictures.open_pictures(tmp_path)


def test_bits_and_levels(tmp_path):
  shorts = folder(tmp_path / 'deep', ['x.png'], dtype=np.uint16)
  found = pictures.open_pictures(tmp_path / 'deep')
  assert found.levels == 65536 and rows(found).dtype == np.uint16
  np.testing.assert_array_equal(rows(found), shorts)
  with pytest.raises(ValueError, match=r'x\.png has 16 bits, and pixels of 256 levels have 8'):
    rows(pictures.open_pictures(tmp_path / 'deep', (4, 6, 1), 256))
  folder(tmp_path / 'flat', ['x.png'])
  with pytest.raises(ValueError, match=r'x\.png has 8 bits, and pixels of 4096 levels have 16'):
    rows(pictures.open_pictures(tmp_path / 'flat', (4, 6, 1), 4096))
  with pytest.raises(ValueError, match=r'has pixels up to \d+, and 17 levels are 0 to 16'):
    rows(pictures.open_pictures(tmp_path / 'flat', (4, 6, 1), 17))
  write(tmp_path / 'dark' / 'x.png', np.full((4, 6), 16, np.uint8))
  assert rows(pictures.open_pictures(tmp_path / 'dark', (4, 6, 1), 17)).max() == 16


def test_one_file_of_sixteen_bits_among_others_is_named(tmp_path):
  folder(tmp_path, ['a.png'])
  folder(tmp_path, ['b.png'], dtype=np.uint16)
  with pytest.raises(ValueError, match=r'b\.png has 16 bits'):
    rows(pictures.open_pictures(tmp_path))


def test_folders_without_pictures_and_damaged_files(tmp_path):
  assert not pictures.is_pictures(tmp_path)
  with pytest.raises(ValueError, match=r'holds no picture: \.png'):
    pictures.open_pictures(tmp_path)
  (tmp_path / 'x.png').write_text('not a picture')
  assert pictures.is_pictures(tmp_path) and pictures.is_pictures(tmp_path / 'x.png')
  with pytest.raises(ValueError, match=r'x\.png is no picture .* or is damaged'):
    pictures.open_pictures(tmp_path)


@pytest.mark.parametrize('dtype, levels', [(np.uint8, 256), (np.uint16, 65536)])
def test_a_folder_is_a_data_set(tmp_path, dtype, levels):
  arrays = folder(tmp_path / 'x', [f'{k:02}.png' for k in range(24)], dtype=dtype)
  found = data.load_file(tmp_path / 'x', seed=3)
  assert found.is_image and found.event_shape == (4, 6, 1) and found.levels == levels
  points = np.concatenate([found.train, found.validation, found.test])
  assert points.dtype == dtype
  np.testing.assert_array_equal(
    np.unique(points, axis=0), np.unique(arrays.reshape(24, 24), axis=0)
  )
  assert data.for_dataset(found).config()['levels'] == levels


def test_a_folder_is_of_the_kind_it_holds_more_of(tmp_path):
  folder(tmp_path, ['a.png', 'b.png'])
  assert pictures.is_pictures(tmp_path, 1) and not pictures.is_pictures(tmp_path, 2)


def test_links_in_a_circle_end(tmp_path):
  folder(tmp_path, ['a.png'])
  (tmp_path / 'loop').symlink_to(tmp_path)
  assert pictures.open_pictures(tmp_path).labels == ('a.png',)


@pytest.mark.parametrize('prefix', ['', 'label='])
def test_folders_are_classes_of_the_pictures_in_them(tmp_path, prefix):
  names = [f'{prefix}cat/{k}.png' for k in range(10, 26)]
  names += [f'{prefix}dog/a.png', f'{prefix}dog/more/c.png']
  pixels = folder(tmp_path, names).reshape(18, -1)
  table = tables.open_table(tmp_path, context_columns=['label'])
  assert table.contexts == (ContextColumn('label', ('cat', 'dog'), 0.0, 1.0),)
  labels, rows = next(table.labelled(20))
  assert list(labels) == names and table.event_shape == (4, 6, 1)
  np.testing.assert_array_equal(rows, np.insert(pixels, 0, [0] * 16 + [1, 1], axis=1))
  plain = tables.open_table(tmp_path)
  np.testing.assert_array_equal(next(plain.read(20)), rows[:, 1:])
  assert 'label' not in plain.understood
  points = data.load_file(tmp_path, context_columns=['label'])
  assert points.is_image and points.levels == 256 and points.contexts == table.contexts


def test_labels_of_tables_beside_a_picture_are_those_of_the_tables(tmp_path):
  folder(tmp_path, ['plot.png'])
  for name in ('a.csv', 'b.csv'):
    (tmp_path / name).write_text('x,label\n' + '1.5,cat\n2.5,dog\n' * 4)
  (column,) = tables.open_table(tmp_path, context_columns=['label']).contexts
  assert column.categories == ('cat', 'dog')


def test_pictures_without_a_class_are_said_so(tmp_path):
  folder(tmp_path, ['cat/a.png', 'b.png'])
  with pytest.raises(ValueError, match=r'has no classes: put every picture into the folder of its'):
    tables.open_table(tmp_path, context_columns=['label'])
  folder(tmp_path / 'splits', ['train/3/a.png', 'test/5/b.png'])
  with pytest.raises(ValueError, match=r'has no classes: put every picture into the folder of its'):
    tables.open_table(tmp_path / 'splits', context_columns=['label'])
  with pytest.raises(ValueError, match=r"no column 'kind' of --context_columns"):
    tables.open_table(tmp_path, context_columns=['kind'])
