"""Importance weights between two Gaussians, where everything is known."""

import numpy as np
import pytest

from ma_keras import samplers


def log_weights(n, ratio, seed):
  """ln w for p = Normal(0, 1) and exp(-E) = exp(-x^2/(2 ratio^2)): Z = sqrt(2 pi) ratio."""
  x = np.random.default_rng(seed).normal(size=n)
  return -(x**2) / (2 * ratio**2) + x**2 / 2 + np.log(2 * np.pi) / 2


def test_equal_densities_have_no_error():
  result = samplers.estimate(log_weights(100, 1.0, 0))
  assert result.negative_log_partition == pytest.approx(-np.log(2 * np.pi) / 2, abs=1e-12)
  assert result.standard_error == pytest.approx(0, abs=1e-12)
  assert result.effective_sample_size == pytest.approx(1, abs=1e-12)


def test_partition_function_is_covered_by_its_error_bar():
  exact = -np.log(np.sqrt(2 * np.pi) * 0.8)
  scores = [
    (r.negative_log_partition - exact) / r.standard_error
    for r in (samplers.estimate(log_weights(2000, 0.8, seed)) for seed in range(200))
  ]
  assert abs(np.mean(scores)) < 3 / np.sqrt(200)
  assert np.std(scores) == pytest.approx(1, abs=3 / np.sqrt(2 * 200))


def test_two_and_three_weights_by_hand():
  """Weights 1 and 3: mean 2, sum of squared deviations 2 over n - 1 = 1."""
  two = samplers.estimate(np.log([1.0, 3.0]))
  assert two.negative_log_partition == pytest.approx(-np.log(2))
  assert two.standard_error == pytest.approx(np.sqrt(2) / 2 / np.sqrt(2))
  three = samplers.estimate(np.log([1.0, 2.0, 3.0]))
  assert three.standard_error == pytest.approx(1 / 2 / np.sqrt(3))
  assert three.effective_sample_size == pytest.approx(2**2 / (14 / 3))
  assert three.largest_share == pytest.approx(0.5) and three.num_samples == 3


def test_two_of_three_weights_in_small_steps_by_hand():
  """Fine 1 and 3 beside coarse 1, 1 and 4: relative 1/2, 3/2 beside 1, 1; differences -+1/2."""
  both, change = samplers.two_level(np.log([1.0, 1.0, 4.0]), np.log([1.0, 3.0]))
  assert change == pytest.approx(-np.log(2))
  assert both.negative_log_partition == pytest.approx(-np.log(2) - np.log(2))
  coarse = np.sqrt(3) / 2 / np.sqrt(3)  # Deviations -1, -1, 2 from the mean 2.
  assert both.standard_error == pytest.approx(np.hypot(coarse, np.sqrt(0.5) / np.sqrt(2)))


def test_effective_sample_size_is_its_population_value():
  """E[w]^2 / E[w^2] by two Gaussian integrals."""
  r = 0.8
  first = r  # E_p[w] / sqrt(2 pi) with w = exp(-x^2/(2 r^2) + x^2/2).
  second = 1 / np.sqrt(2 / r**2 - 1)
  result = samplers.estimate(log_weights(400000, r, 1))
  assert result.effective_sample_size == pytest.approx(first**2 / second, rel=5e-3)


@pytest.mark.slow
def test_the_bias_is_upwards_and_half_the_squared_error():
  exact = -np.log(np.sqrt(2 * np.pi) * 0.8)
  found = [samplers.estimate(log_weights(20, 0.8, seed)) for seed in range(20000)]
  off = np.array([r.negative_log_partition - exact for r in found])
  predicted = np.mean([r.bias for r in found])
  assert predicted == pytest.approx(np.var(off) / 2, rel=0.1)
  assert np.mean(off) == pytest.approx(predicted, abs=3 * np.std(off) / np.sqrt(20000))


def test_few_effective_samples_and_a_ruling_one_are_doubted():
  assert samplers.estimate(np.zeros(100)).doubts() == ''
  assert '99 effective samples' in samplers.estimate(np.zeros(99)).doubts()
  ruled = np.zeros(10000)
  ruled[3] = np.log(2000.0)  # A sixth of all weight; (12000)^2/(2000^2 + 10^4) = 36 effective.
  found = samplers.estimate(ruled)
  assert found.largest_share == pytest.approx(2000 / 11999)
  assert '17 % of all weight' in found.doubts()


def test_shifting_the_energy_shifts_the_estimate_without_overflow():
  weights = log_weights(50, 0.8, 2)
  shifted = samplers.estimate(weights + 5000.0)
  plain = samplers.estimate(weights)
  assert shifted.negative_log_partition == pytest.approx(plain.negative_log_partition - 5000)
  assert shifted.standard_error == pytest.approx(plain.standard_error, rel=1e-9)


@pytest.mark.parametrize('bad', [[1.0], [0.0, np.nan], [0.0, np.inf]])
def test_bad_weights_are_rejected(bad):
  with pytest.raises(ValueError, match='log_weights'):
    samplers.estimate(np.array(bad))


def test_two_levels_of_weights_are_covered_by_their_error_bar():
  """Coarse weights of another target, 0.9 wide; fine ones of that 0.8 wide, for a tenth of them."""
  exact, scores = -np.log(np.sqrt(2 * np.pi) * 0.8), []
  for seed in range(200):
    coarse, fine = log_weights(2000, 0.9, seed), log_weights(2000, 0.8, seed)
    found, change = samplers.two_level(coarse, fine[:200])
    assert change == pytest.approx(np.log(0.9 / 0.8), abs=0.1)
    scores.append((found.negative_log_partition - exact) / found.standard_error)
  assert abs(np.mean(scores)) < 3 / np.sqrt(200)
  assert np.std(scores) == pytest.approx(1, abs=3 / np.sqrt(2 * 200))


def test_two_levels_of_equally_many_weights_are_the_fine_ones():
  coarse, fine = log_weights(500, 0.9, 0), log_weights(500, 0.8, 0)
  assert samplers.two_level(coarse, fine)[0] == samplers.estimate(fine)


def test_more_fine_weights_than_coarse_ones_are_refused():
  with pytest.raises(ValueError, match='at most the 3 of `coarse`, got 4'):
    samplers.two_level(np.zeros(3), np.zeros(4))
