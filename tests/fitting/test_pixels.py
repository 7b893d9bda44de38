"""Independent pixels as a baseline: entropies of known histograms, values that were never seen."""

import numpy as np
import pytest

from ma_keras import fitting


def test_bits_tend_to_the_mean_entropy_of_the_pixels(rng):
  train, test = (
    np.stack([rng.integers(4, size=n), rng.choice(4, size=n, p=[0.5, 0.25, 0.125, 0.125])], axis=1)
    for n in (10_000, 10_000)
  )
  bits = fitting.independent_pixel_bits(train, test, levels=4)
  assert bits == pytest.approx((2.0 + 1.75) / 2, abs=0.02)


def test_a_value_that_no_training_image_has_is_rare_but_possible():
  train = np.zeros([9, 1], np.uint8)
  assert fitting.independent_pixel_bits(train, [[255]], 256) == pytest.approx(np.log2(137 / 0.5))
  assert fitting.independent_pixel_bits(train, [[0]], 256) == pytest.approx(np.log2(137 / 9.5))
