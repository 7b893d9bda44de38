"""Which arguments are numbers."""

import numpy as np
import pytest

from ma_keras.arguments import is_distribution, is_finite, is_whole

NAN, INF = float('nan'), float('inf')


@pytest.mark.parametrize('value', [1, 3.0, np.int64(2), np.float32(7), np.array(4), 10**400])
def test_whole_numbers(value):
  assert is_whole(value)


@pytest.mark.parametrize('value', [0, -1, 2.5, NAN, INF, True, '3', None, [3], 1j, np.ones(2)])
def test_what_is_no_positive_whole_number(value):
  assert not is_whole(value)


def test_the_least_one_is_allowed():
  assert is_whole(0, 0) and is_whole(2, 2) and not is_whole(1, 2)


@pytest.mark.parametrize('value', [0, -1.5, np.float32(2), np.int8(3)])
def test_finite_numbers(value):
  assert is_finite(value)


@pytest.mark.parametrize('value', [NAN, INF, -INF, True, '3', None, [3.0], 1j, 10**400])
def test_what_is_no_finite_number(value):
  assert not is_finite(value)


@pytest.mark.parametrize('value', [[0.25, 0.75], np.array([0.5, 0.5], np.float32)])
def test_probabilities(value):
  assert is_distribution(value, 2)


@pytest.mark.parametrize(
  'value', [[0.5, 0.6], [1.0, 0.0], [1.5, -0.5], [1.0], [[0.5, 0.5]], ['a', 'b'], [NAN, 1], [1j, 1]]
)
def test_what_are_no_two_probabilities(value):
  assert not is_distribution(value, 2)
