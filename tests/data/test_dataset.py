"""Splits: disjoint, complete, the same every time."""

import numpy as np
import pytest

from ma_keras import data


def numbered(count, size=2):
  return np.arange(count * size, dtype=np.float32).reshape(count, size)


def as_set(points):
  return {tuple(row) for row in points}


def test_the_splits_share_no_point_and_lose_none():
  points = numbered(60)
  found = data.split('numbers', points)
  parts = [as_set(part) for part in (found.train, found.validation, found.test)]
  assert [len(part) for part in parts] == [40, 10, 10]
  assert set.union(*parts) == as_set(points)


def test_given_test_points_stay_what_they_are():
  test = -numbered(5) - 1
  found = data.split('numbers', numbered(60), test)
  assert (len(found.train), len(found.validation)) == (50, 10)
  np.testing.assert_array_equal(found.test, test)
  assert as_set(found.train) | as_set(found.validation) == as_set(numbered(60))


def test_the_split_depends_on_its_seed_alone():
  one, same, other = (data.split('numbers', numbered(60), seed=seed) for seed in (0, 0, 1))
  np.testing.assert_array_equal(one.train, same.train)
  assert as_set(one.validation) != as_set(other.validation)


def test_images_are_flattened_and_their_shape_kept():
  images = np.zeros([60, 4, 3, 1], np.uint8)
  found = data.split('images', images, levels=256)
  assert found.train.shape == (40, 12) and found.train.dtype == np.uint8
  assert (found.event_shape, found.event_size, found.is_image) == ((4, 3, 1), 12, True)


def test_rows_with_nan_are_named():
  points = numbered(60)
  points[[7, 9], 1] = np.nan
  with pytest.raises(ValueError, match=r'2 rows, the first of them \[7, 9\]: remove'):
    data.split('numbers', points)


def test_values_beyond_the_levels_are_refused():
  with pytest.raises(ValueError, match=r'0\.\.16, got 0\.\.20'):
    data.split('digits', np.full([60, 2], 20) * np.eye(60, 2, dtype=int), levels=17)


@pytest.mark.parametrize('shape', [(60,), (3, 2), (60, 0)])
def test_too_little_is_refused(shape):
  with pytest.raises(ValueError, match='at least 18 points'):
    data.split('nothing', np.zeros(shape))


def test_infinite_values_are_named():
  points = numbered(60).astype(np.float64)
  points[5, 0] = np.inf
  with pytest.raises(ValueError, match=r'NaN or infinity in 1 rows, the first of them \[5\]'):
    data.split('numbers', points)


def test_an_empty_test_set_is_refused():
  with pytest.raises(ValueError, match='no test points: leave `test` out'):
    data.split('numbers', numbered(60), numbered(0))


def test_eighteen_points_are_enough_and_seventeen_are_not():
  found = data.split('numbers', numbered(18))
  assert [len(part) for part in (found.train, found.validation, found.test)] == [12, 3, 3]
  with pytest.raises(ValueError, match='at least 18 points'):
    data.split('numbers', numbered(17))


MASKED = np.ma.masked_equal(numbered(60), 3.0)


@pytest.mark.parametrize(
  'points, message',
  [
    ([[0.5]] * 59 + [[3.7]], 'integers in 0..255, got 0.5..3.7 with fractions'),
    ([[1.0]] * 59 + [[np.nan]], 'integers in 0..255, got nan..nan with fractions'),
    ([[1 + 2j]] * 60, 'must be real numbers, got complex128'),
    ([['a']] * 60, 'must be real numbers, got <U1'),
    (MASKED, 'have masked values'),
  ],
)
def test_what_would_lose_digits_as_levels_is_refused(points, message):
  with pytest.raises(ValueError, match=message):
    data.split('levels', points, levels=256)


def test_many_levels_keep_theirs():
  points = np.full([60, 1], 70_000)
  assert np.all(data.split('levels', points, levels=100_000).train == 70_000)


def test_lists_are_tables_and_test_points_have_their_size():
  found = data.split('lists', numbered(60).tolist())
  np.testing.assert_array_equal(found.train, data.split('arrays', numbered(60)).train)
  with pytest.raises(ValueError, match=r'have the shape of the others, \[2\], got \[3\]'):
    data.split('sizes', numbered(60), np.zeros([5, 3]))
