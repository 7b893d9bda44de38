"""Two Gaussians of different width, all of whose weights are known in closed form."""

import numpy as np
import pytest

from ma_keras import samplers
from ma_keras.samplers.agreement import quantile_distance

WIDTH = 0.8  # Of the target, in units of the model's.
LOG_PARTITION = samplers.Expectation(0.5 * np.log(2 * np.pi * WIDTH**2), 0.0)
KL_FORWARD = 0.5 * (WIDTH**2 - 1) - np.log(WIDTH)
KL_REVERSE = 0.5 * (WIDTH**-2 - 1) + np.log(WIDTH)
# E_q w^2/(E_q w)^2 = integral p^2/q = 1/(s sqrt(2 - s^2)).
ESS = WIDTH * np.sqrt(2 - WIDTH**2)


def energy(x):
  return 0.5 * x**2 / WIDTH**2


def log_weights(x):
  return -energy(x) + 0.5 * x**2 + 0.5 * np.log(2 * np.pi)


def test_all_measures_of_two_gaussians(rng):
  x, y = rng.normal(size=20_000), WIDTH * rng.normal(size=(200, 100))
  result = samplers.agreement(log_weights(x), energy(x), log_weights(y), energy(y), LOG_PARTITION)
  assert result.reverse_ess == pytest.approx(ESS, abs=0.01)
  for estimate, exact in (
    (result.forward_ess, ESS),
    (result.forward_kl, KL_FORWARD),
    (result.reverse_kl, KL_REVERSE),
  ):
    assert estimate.error < 0.01 and abs(estimate.value - exact) < 4 * estimate.error
  # E is s^-2 chi^2/2 and chi^2/2: W2 = (s^-2 - 1) sqrt(3)/2, sqrt(3) the root of E chi^4.
  assert result.energy_distance == pytest.approx((WIDTH**-2 - 1) * np.sqrt(3) / 2, rel=0.05)
  assert (result.num_samples, result.num_target_samples) == (20_000, 20_000)
  assert not result.doubts()


def test_one_sample_that_rules_the_forward_ess_is_a_doubt(rng):
  """The model gives next to no mass to a single sample of the target."""
  x, y = rng.normal(size=1000), rng.normal(size=(20, 100))
  weights = np.zeros((20, 100))
  weights[3, 7] = 12.0
  result = samplers.agreement(
    np.zeros(1000), energy(x), weights, energy(y), samplers.Expectation(0.0, 0.0)
  )
  assert result.forward_ess.value < 0.05 < result.forward_ess.error
  assert 'is ruled by a few of 2000 samples of the target' in result.doubts()


def test_a_missed_mode_is_seen_forward_alone(rng):
  """Half of the target is where the model, perfect in the other half, never comes."""
  x, y = rng.normal(size=5000), rng.normal(size=(50, 100))
  y[:, ::2] += 12.0
  energy = lambda x: -np.logaddexp(-0.5 * x**2, -0.5 * (x - 12.0) ** 2)  # noqa: E731
  weights = lambda x: -energy(x) + 0.5 * x**2  # noqa: E731
  result = samplers.agreement(
    weights(x), energy(x), weights(y), energy(y), samplers.Expectation(np.log(2.0), 0.0)
  )
  assert result.reverse_ess > 0.99 and result.reverse_kl.value == pytest.approx(np.log(2), abs=0.01)
  assert result.forward_ess.value < 1e-6 and result.forward_kl.value > 10.0


def test_errors_of_ln_z_are_those_of_kl(rng):
  x, y = rng.normal(size=1000), WIDTH * rng.normal(size=(10, 100))
  result = samplers.agreement(
    log_weights(x), energy(x), log_weights(y), energy(y), samplers.Expectation(0.0, 0.5)
  )
  assert result.forward_kl.error >= 0.5 and result.reverse_kl.error >= 0.5


@pytest.mark.parametrize('sizes', [(7, 7), (6, 4), (1, 5)])
def test_quantile_distances_are_those_of_samples_repeated_to_one_size(rng, sizes):
  """Repeating numbers does not change a distribution; equal sizes are matched in order."""
  x, y = (rng.normal(size=n) for n in sizes)
  common = np.lcm(*sizes)
  repeated = [np.repeat(np.sort(z), common // z.size) for z in (x, y)]
  expected = np.sqrt(np.mean((repeated[0] - repeated[1]) ** 2))
  assert quantile_distance(x, y) == pytest.approx(expected, rel=1e-12)
  assert quantile_distance(x + 3.0, x) == pytest.approx(3.0)


@pytest.mark.parametrize('bad', [np.zeros(4), np.zeros([4, 1]), np.full([4, 2], np.nan)])
def test_weights_that_are_no_chains_are_refused(bad):
  with pytest.raises(ValueError, match='two chains at least, all finite'):
    samplers.forward_effective_sample_size(bad)


def test_empty_and_infinite_energies_are_refused():
  with pytest.raises(ValueError, match='`second` must hold finite numbers'):
    quantile_distance(np.zeros(3), np.array([np.inf]))
  with pytest.raises(ValueError, match='`first`'):
    quantile_distance(np.zeros(0), np.zeros(3))
