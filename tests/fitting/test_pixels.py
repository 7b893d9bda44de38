"""Independent pixels as a baseline: entropies of known histograms, values that were never seen."""

import numpy as np
import pytest

from ma_keras import data, fitting
from ma_keras.apps import density_report
from ma_keras.data.context_columns import ContextColumn


def two_pixels(rng, n):
  """One of four uniform values, one with 1.75 bits."""
  second = rng.choice(4, size=n, p=[0.5, 0.25, 0.125, 0.125])
  return np.stack([rng.integers(4, size=n), second], axis=1).astype(np.uint8)


def test_bits_tend_to_the_mean_entropy_of_the_pixels(rng):
  bits = fitting.independent_pixel_bits(two_pixels(rng, 10_000), two_pixels(rng, 10_000), levels=4)
  assert bits == pytest.approx((2.0 + 1.75) / 2, abs=0.02)


def test_few_images_of_many_levels_are_taken_by_all_their_pixels(rng):
  """600 images of 65,536 levels, whose values are normal around one mean: h = 10.28 bits."""
  train, test = (
    np.clip(rng.normal(30_000, 300, size=(n, 50)), 0, 65_535).astype(np.uint16) for n in (600, 100)
  )
  exact = 0.5 * np.log2(2 * np.pi * np.e * 300**2)
  assert fitting.independent_pixel_bits(train, test, 65_536) == pytest.approx(exact, abs=0.8)


def test_it_is_never_worse_than_uniform_values(rng):
  train, test = (rng.integers(256, size=(n, 2), dtype=np.uint8) for n in (3, 300))
  assert fitting.independent_pixel_bits(train, test, 256) == 8.0


@pytest.mark.parametrize(
  'train, test',
  [([[0, 4]], [[0, 0]]), ([[0, 1]], [[-1, 0]]), ([[0.5, 1]], [[0, 1]]), ([[0, 1]], [[0]])],
)
def test_what_is_no_pixel_is_refused(train, test):
  with pytest.raises(ValueError, match='must h'):
    fitting.independent_pixel_bits(np.array(train), np.array(test), 4)


def test_a_model_is_said_to_be_better_or_worse_than_pixels_of_its_training_images(rng):
  """The label before the two pixels is no pixel."""
  rows = np.insert(two_pixels(rng, 3000), 0, rng.integers(3, size=3000), axis=1)
  label = (ContextColumn('label', ('a', 'b', 'c'), 0.0, 1.0),)
  points = data.Dataset('images', rows[1000:], rows[:0], rows[:1000], (2,), 4, contexts=label)
  bits = fitting.independent_pixel_bits(rows[1000:, 1:], rows[:1000, 1:], levels=4)
  better, worse = (
    density_report.compared_with_pixels(points, points.test, 4, bits + gain)
    for gain in (-0.5, 0.25)
  )
  assert better == f'0.50 bits better than independent pixels ({bits:.2f})'
  assert worse == f'0.25 bits worse than independent pixels ({bits:.2f})'
