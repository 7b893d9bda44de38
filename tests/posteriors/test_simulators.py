"""Posteriors of the simulators, against likelihoods times priors."""

import numpy as np
import pytest
import scipy.stats

from ma_keras import posteriors


@pytest.mark.parametrize('simulator', [posteriors.GaussianLinear(), posteriors.TwoMoons()])
def test_draws_of_the_posterior_reproduce_the_joint_distribution(simulator, rng):
  """Parameters and draws given a simulation of theirs are alike, so that ranks are uniform."""
  observed, parameters = simulator.pairs(600, rng)
  ranks = [
    np.sum(simulator.posterior(o, 19, rng) < p, axis=0) for o, p in zip(observed, parameters)
  ]
  calibration = posteriors.Calibration(np.stack(ranks), 19)
  assert calibration.passes(level=1e-3, bins=20)


def test_two_moons_observations_of_posterior_draws_are_crescents(rng):
  observed = np.array([-0.1, 0.2])
  a, b = posteriors.TwoMoons().posterior(observed, 2000, rng).T
  crescent = observed + np.stack([np.abs(a + b), a - b], axis=1) / np.sqrt(2.0)
  radius = np.hypot(crescent[:, 0] - 0.25, crescent[:, 1])
  assert np.mean(radius) == pytest.approx(0.1, abs=1e-3)
  assert np.std(radius) == pytest.approx(0.01, rel=0.1) and np.all(crescent[:, 0] >= 0.25 - 1e-12)
  assert np.mean(a + b > 0) == pytest.approx(0.5, abs=0.05)


def test_the_likelihood_of_slcp_is_that_of_four_normal_points(rng):
  simulator = posteriors.SimpleLikelihood()
  parameters = simulator.prior(5, rng)
  observed = simulator.simulate(parameters, rng)[0]
  for row, value in zip(parameters, simulator.log_likelihood(parameters, observed)):
    one, two, correlation = row[2] ** 2, row[3] ** 2, np.tanh(row[4])
    covariance = [[one**2, one * two * correlation], [one * two * correlation, two**2]]
    normal = scipy.stats.multivariate_normal(row[:2], covariance)
    assert value == pytest.approx(np.sum(normal.logpdf(observed.reshape(4, 2))), rel=1e-9)


@pytest.mark.slow
def test_chains_of_slcp_are_weighted_draws_of_the_prior(rng):
  """Means and deviations by importance sampling of an observation that says little."""
  simulator = posteriors.SimpleLikelihood()
  observed = simulator.simulate(np.array([[0.5, -0.5, 1.5, -1.4, 0.3]]), rng)[0]
  prior = simulator.prior(400_000, rng)
  log_weights = simulator.log_likelihood(prior, observed)
  weights = np.exp(log_weights - np.max(log_weights))
  weights /= np.sum(weights)
  effective = 1.0 / np.sum(weights**2)
  mean = weights @ prior
  deviation = np.sqrt(weights @ (prior - mean) ** 2)
  chains = simulator.posterior(observed, 2000, rng)
  error = deviation * np.sqrt(1.0 / effective + 1.0 / 2000)
  assert effective > 200 and np.all(np.abs(np.mean(chains, axis=0) - mean) < 4 * error)
  np.testing.assert_allclose(np.std(chains, axis=0), deviation, rtol=4 / np.sqrt(2 * effective))
