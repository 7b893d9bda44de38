"""A row of weight 2 stands twice, wherever it stands."""

import numpy as np
import pytest

from ma_keras.fitting.weights import repeated

ROWS = np.random.default_rng(1).normal(size=(7, 3))


def test_weights_are_copies_in_any_order():
  weights = np.array([0, 1, 2, 3, 1, 0, 2])
  order = np.random.default_rng(2).permutation(7)
  expected = repeated(np.repeat(ROWS, weights, axis=0), None)
  np.testing.assert_array_equal(repeated(ROWS, weights.astype(float)), expected)
  np.testing.assert_array_equal(repeated(ROWS[order], weights[order].astype(float)), expected)


def test_zero_has_one_sign():
  """-0 equals 0: which of them a row holds makes no difference, to the bit."""
  rows = np.array([[1.0, -0.0], [0.0, 2.0], [-0.0, 2.0], [1.0, 0.0], [0.0, -0.0]])
  expected = repeated(rows[::-1], None)
  assert repeated(rows, None).tobytes() == expected.tobytes()
  assert not np.any(np.signbit(expected))


def test_other_weights_are_rounded_to_a_quarter_of_their_mean():
  weights = np.random.default_rng(3).uniform(size=7)
  copies = [np.sum(np.all(repeated(ROWS, weights) == row, axis=1)) for row in ROWS]
  np.testing.assert_allclose(copies, 4 * weights / weights.mean(), atol=1.0)
  np.testing.assert_array_equal(repeated(ROWS, 1e9 * weights), repeated(ROWS, weights))


@pytest.mark.parametrize('weights', [np.zeros(7), -np.ones(7)])
def test_weights_that_are_none_are_refused(weights):
  with pytest.raises(ValueError, match='`sample_weight` must not be negative'):
    repeated(ROWS, weights)
