"""Where data come from, and what is said when they do not."""

import sys
import types

import numpy as np
import PIL.Image
import pytest

from ma_keras import data


def test_the_digits_of_scikit_learn():
  found = data.load('digits')
  assert found.event_shape == (8, 8, 1) and found.levels == 17
  assert (len(found.train), len(found.validation), len(found.test)) == (1199, 299, 299)
  assert found.train.max() == 16


def test_without_scikit_learn_one_line_says_what_to_install(monkeypatch):
  monkeypatch.setitem(sys.modules, 'sklearn', None)
  with pytest.raises(ValueError, match='pip install'):
    data.load('digits')


@pytest.mark.slow
def test_an_unknown_data_set_ends_in_one_line():
  with pytest.raises(ValueError, match='--dataset=digits') as caught:
    data.load('no_such_data_set')
  assert '\n' not in str(caught.value) and '`data_dir` (the default)' in str(caught.value)
  with pytest.raises(ValueError, match='`data_dir` /no/such/folder'):
    data.load('no_such_data_set', '/no/such/folder')


def test_vectors_from_a_file(tmp_path):
  points = np.random.default_rng(0).normal(size=(60, 3))
  np.save(tmp_path / 'points.npy', points)
  found = data.load_file(tmp_path / 'points.npy')
  assert found.levels is None and found.event_shape == (3,) and found.name == 'points'
  assert found.train.dtype == np.float64 and len(found.test) == 10


def test_pixels_with_a_test_split_from_a_file(tmp_path):
  train = np.random.default_rng(0).integers(0, 256, (60, 4, 4, 1), np.uint8)
  np.savez(tmp_path / 'images.npz', train=train, test=train[:7])
  found = data.load_file(tmp_path / 'images.npz')
  assert found.levels == 256 and len(found.train) == 50
  np.testing.assert_array_equal(found.test, train[:7].reshape(7, -1))


@pytest.mark.slow
def test_images_of_tensorflow_datasets(tmp_path):
  """A prepared data set is found where --data_dir says, and only there."""
  import tensorflow_datasets as tfds

  tfds.testing.DummyMnist(data_dir=str(tmp_path)).download_and_prepare()
  found = data.load('dummy_mnist', str(tmp_path))
  assert found.event_shape == (28, 28, 1) and found.levels == 256
  assert found.train.dtype == np.uint8
  assert len(found.train) + len(found.validation) == 20 and len(found.test) == 20
  labelled = data.load('dummy_mnist', str(tmp_path), labelled=True)
  labels, pixels = labelled.parts(labelled.test)
  np.testing.assert_array_equal(pixels, found.test)
  assert labels.shape == (20, 1) and labelled.contexts[0].categories == tuple('0123456789')


def test_data_sets_without_images_are_refused(tmp_path):
  import tensorflow_datasets as tfds

  tfds.testing.DummyDataset(data_dir=str(tmp_path)).download_and_prepare()
  with pytest.raises(ValueError, match='must have images of one size'):
    data.load('dummy_dataset', str(tmp_path))


class Opened:
  """Creates a file when it is unpickled, as a pickle of somebody else's may do anything."""

  def __init__(self, path):
    self.path = path

  def __reduce__(self):
    return open, (str(self.path), 'w')


@pytest.mark.parametrize('name', ['points.npy', 'points.npz'])
def test_no_code_within_a_file_is_run(tmp_path, name):
  objects = np.array([Opened(tmp_path / 'opened')] * 60)
  if name.endswith('npz'):
    np.savez(tmp_path / name, train=objects)
  else:
    np.save(tmp_path / name, objects, allow_pickle=True)
  with pytest.raises(ValueError, match='cannot be read'):
    data.load_file(tmp_path / name)
  assert not (tmp_path / 'opened').exists()


def test_files_and_names_are_split_by_seed_zero_if_none_is_given(tmp_path):
  np.save(tmp_path / 'points.npy', np.arange(120.0).reshape(60, 2))
  load = lambda *seed: data.load_file(tmp_path / 'points.npy', *seed)  # noqa: E731
  np.testing.assert_array_equal(load().test, load(0).test)
  assert not np.array_equal(load().test, load(1).test)
  np.testing.assert_array_equal(data.load('digits').test, data.load('digits', seed=0).test)


@pytest.mark.parametrize(
  'shape, splits',
  [((28, None, 1), ('train', 'test')), ((28, 28, 1), ('train', 'validation'))],
  ids=['sizes that vary', 'no test split'],
)
def test_images_of_many_sizes_and_without_test_split_are_refused(monkeypatch, shape, splits):
  """Before anything is downloaded: what is to come is known from the builder alone."""
  import tensorflow_datasets as tfds

  features = {'image': types.SimpleNamespace(shape=shape)}
  counts = {split: types.SimpleNamespace(num_examples=10) for split in splits}
  info = types.SimpleNamespace(features=features, splits=counts)
  monkeypatch.setattr(tfds, 'builder', lambda *_, **__: types.SimpleNamespace(info=info))
  with pytest.raises(ValueError, match='images of one size and the splits train and test'):
    data.load('somebody')


LEVELS = np.random.default_rng(0).integers(0, 12, (60, 6))


@pytest.mark.parametrize('kind', [np.int64, np.float32, np.uint16])
def test_levels_of_arrays(tmp_path, kind):
  np.save(tmp_path / 'x.npy', LEVELS.astype(kind))
  found = data.load_file(tmp_path / 'x.npy', levels=12)
  assert found.levels == 12 and found.event_shape == (6,) and found.train.dtype == np.uint8
  points = np.concatenate([found.train, found.validation, found.test])
  np.testing.assert_array_equal(np.sort(points.sum(axis=1)), np.sort(LEVELS.sum(axis=1)))
  assert data.load_file(tmp_path / 'x.npy').levels is None


def test_levels_of_text_and_the_first_number_that_is_none(tmp_path):
  np.savetxt(tmp_path / 'x.csv', LEVELS, '%d', ',', header='a,b,c,d,e,f', comments='')
  assert data.load_file(tmp_path / 'x.csv', levels=12).levels == 12
  with pytest.raises(ValueError, match=r'x\.csv has 11 in row \d+ .*, column [a-f], and \d+ such'):
    data.load_file(tmp_path / 'x.csv', levels=11)


@pytest.mark.parametrize('shape', [(2, 3), (2, 3, 1), (1, 2, 3)])
@pytest.mark.parametrize('dtype, levels', [(np.uint8, None), (np.int64, 12), (np.int64, 1000)])
def test_arrays_of_levels_are_pictures(tmp_path, shape, dtype, levels):
  np.save(tmp_path / 'x.npy', LEVELS.reshape(60, *shape).astype(dtype))
  found = data.load_file(tmp_path / 'x.npy', levels=levels)
  assert found.is_image and found.event_shape == (*shape, 1)[:3]
  assert found.levels == (levels or 256)
  assert found.train.dtype == (np.uint16 if found.levels > 256 else np.uint8)


def test_levels_that_do_not_fit_into_memory_as_real_numbers(tmp_path, monkeypatch):
  monkeypatch.setattr('ma_keras.data.gathering.MOST_BYTES', 200)
  np.save(tmp_path / 'x.npy', LEVELS.reshape(60, 2, 3).astype(np.uint8))
  found = data.load_file(tmp_path / 'x.npy')
  assert found.train.dtype == np.uint8 and found.event_shape == (2, 3, 1)
  np.save(tmp_path / 'y.npy', np.where(np.arange(60)[:, None] == 41, 0.5, LEVELS))
  with pytest.raises(ValueError, match=r'y\.npy has 0\.5 in row 41 '):
    data.load_file(tmp_path / 'y.npy', levels=12)


@pytest.mark.parametrize('mode', ['L', 'RGB'])
def test_a_folder_of_pictures_with_a_table_of_labels(tmp_path, mode):
  arrays = np.random.default_rng(0).integers(0, 256, (30, 4, 6), np.uint8)
  for k, array in enumerate(arrays):
    (tmp_path / str(k % 3)).mkdir(exist_ok=True)
    PIL.Image.fromarray(array).convert(mode).save(tmp_path / str(k % 3) / f'{k}.png')
  (tmp_path / 'labels.csv').write_text('1,2\n')
  lines = []
  found = data.load_file(tmp_path, told=lines.append)
  assert found.is_image and found.event_shape == (4, 6, 1) and found.levels == 256
  remark = {'L': '', 'RGB': '30 of mode RGB taken as grey; '}[mode]
  assert lines == [
    f'{tmp_path.name}: pictures 4 x 6, grey, 256 levels; {remark}left out: labels.csv; '
    '30 rows, 24 columns'
  ]
