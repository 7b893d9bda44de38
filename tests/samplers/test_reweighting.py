"""Weighted means and functions of them, where the answer is known."""

import numpy as np
import pytest

from ma_keras import samplers


def gaussian(n, seed, ratio=0.8):
  """x ~ Normal(0, 1) with the weights of Normal(0, ratio^2)."""
  x = np.random.default_rng(seed).normal(size=n)
  return x, -(x**2) / (2 * ratio**2) + x**2 / 2


def test_the_variance_of_the_target_is_covered_by_its_error():
  """<x^2> - <x>^2 = 0.64, a function of two means: scores have unit variance."""
  scores = []
  for seed in range(200):
    x, log_weights = gaussian(2000, seed)
    moments = np.stack([x, x**2], axis=-1)
    found = samplers.expectation(moments, log_weights, lambda m: m[1] - m[0] ** 2)
    scores.append((found.value - 0.64) / found.error)
  assert abs(np.mean(scores)) < 3.5 / np.sqrt(200)
  assert np.std(scores) == pytest.approx(1, abs=3.5 / np.sqrt(2 * 200))


def test_equal_weights_have_the_textbook_error():
  x, _ = gaussian(1000, 0)
  found = samplers.expectation(x, blocks=1000)
  assert found.value == pytest.approx(x.mean(), rel=1e-12)
  assert found.error == pytest.approx(x.std(ddof=1) / np.sqrt(1000), rel=1e-10)


def test_a_common_factor_of_the_weights_does_not_matter():
  x, log_weights = gaussian(1000, 0)
  one, other = (samplers.expectation(x, log_weights + c) for c in (0.0, 900.0))
  assert (one.value, one.error) == pytest.approx((other.value, other.error), rel=1e-10)


@pytest.mark.parametrize(
  'arguments, message',
  [
    ({'log_weights': np.zeros(3)}, 'log_weights'),
    ({'blocks': 11}, 'blocks'),
    ({'blocks': 1}, 'blocks'),
    ({'log_weights': np.full(10, np.nan)}, 'finite'),
  ],
)
def test_errors_name_the_argument(arguments, message):
  with pytest.raises(ValueError, match=message):
    samplers.expectation(np.ones(10), **{'blocks': 5, **arguments})
