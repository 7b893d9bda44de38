"""Shifted images are images, as often moved one way as another, and contexts stay beside them."""

import numpy as np
import pytest

from ma_keras import data

SHAPE = (4, 3, 2)


def test_every_shift_is_as_likely_and_repeats_the_edge():
  image = np.arange(24, dtype=np.uint8).reshape(SHAPE)
  rows = np.tile(np.concatenate([[7], image.ravel()]).astype(np.uint8), (9000, 1))
  moved = data.shifted(rows, SHAPE, 1, np.random.default_rng(0))
  assert moved.dtype == np.uint8 and moved.shape == rows.shape and np.all(moved[:, 0] == 7)
  expected = {
    image[np.clip(np.arange(4) + down, 0, 3)][:, np.clip(np.arange(3) + right, 0, 2)].tobytes()
    for down in (-1, 0, 1)
    for right in (-1, 0, 1)
  }
  drawn, counts = np.unique(moved[:, 1:], axis=0, return_counts=True)
  assert {one.tobytes() for one in drawn} == expected
  assert np.sum((counts - 1000) ** 2 / 1000) < 26  # Chi-square of 8 degrees: 1 in 1000.


def test_batches_change_by_their_number_and_the_seed_alone():
  rows = np.random.default_rng(0).integers(0, 255, (20, 24)).astype(np.uint8)

  def change(batch, generator):
    return data.shifted(batch, SHAPE, 1, generator)

  def taken(first, seed=3, **options):
    stream = data.batches(rows, 5, seed, first, **options)
    return [x.numpy() for _, x in stream.take(3)]

  whole, later = taken(0, change=change), taken(2, change=change)
  np.testing.assert_array_equal(later[0], whole[2])
  plain = taken(0)
  assert np.any(plain[0] != whole[0]) and np.any(taken(0, 4, change=change)[0] != whole[0])


def test_what_is_no_image_or_no_shift_of_it_is_refused():
  rows, rng = np.zeros([2, 9]), np.random.default_rng(0)
  for shape in ((3, 3), (3, 4, 1)):
    with pytest.raises(ValueError, match=r'`rows` must be images of `image_shape` \(H, W, C\)'):
      data.shifted(rows, shape, 1, rng)
  for pixels in (-1, 0.5, 4, None):
    with pytest.raises(ValueError, match='`pixels` must be a whole number from 0 to 3, got'):
      data.shifted(rows, (3, 3, 1), pixels, rng)
  np.testing.assert_array_equal(data.shifted(rows, (3, 3, 1), 1.0, rng), rows)
