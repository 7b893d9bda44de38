"""Information of Gaussians in closed form: I = -ln det R / 2, also of any monotone maps of them."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import information, potentials

COUNT = 4000
CORRELATIONS = np.array([[1.0, 0.6, 0.0], [0.6, 1.0, -0.3], [0.0, -0.3, 1.0]])
TRUTH = -0.5 * np.linalg.slogdet(CORRELATIONS)[1]


def normal(rng, count=COUNT, correlations=CORRELATIONS):
  return rng.normal(size=(count, len(correlations))) @ np.linalg.cholesky(correlations).T


def within(estimate, truth, sigmas=3.5):
  return abs(estimate.nats - truth) < sigmas * estimate.error < 0.2


@pytest.mark.slow
def test_total_correlation_of_an_exact_flow_is_that_of_its_covariance(rng):
  """x = exp(A) z has covariance exp(2 A), and exact log densities."""
  matrix = np.array([[0.4, 0.5, 0.0], [0.5, -0.2, 0.3], [0.0, 0.3, 0.1]])
  bijector = ma_keras.MongeAmpereBijector(potentials.Quadratic(matrix, tf.float64), 20, 0.05)
  flow = ma_keras.standard_normal_flow(bijector)
  values, vectors = np.linalg.eigh(matrix)
  covariance = vectors * np.exp(2 * values) @ vectors.T
  truth = 0.5 * (np.sum(np.log(np.diag(covariance))) - 2 * np.trace(matrix))
  x = normal(rng, correlations=covariance)
  found = information.total_correlation(flow.log_prob(x), x)
  assert within(found, truth) and truth > 0.2
  assert within(information.correlation_bound(x), truth)
  assert within(information.correlation_bound(bijector.inverse(x)), 0.0)


def test_mutual_information_of_a_conditional_flow_is_that_of_its_channel(rng):
  """y = z + v c, c ~ Normal(0, 1): I = ln(1 + v^2) / 2, and y ~ Normal(0, 1 + v^2)."""
  potential = potentials.Quadratic([[0.0]], tf.float64, context_kernel=[[1.5]])
  flow = ma_keras.conditional_flow(ma_keras.MongeAmpereBijector(potential, 1, 1.0, 'euler'))
  c = rng.normal(size=(COUNT, 1))
  y = 1.5 * c + rng.normal(size=(COUNT, 1))
  variance = 1 + 1.5**2
  marginal = -0.5 * (y[:, 0] ** 2 / variance + np.log(2 * np.pi * variance))
  found = information.mutual_information(flow.log_prob(y, context=c), marginal)
  assert within(found, 0.5 * np.log(variance))


def test_marginals_are_those_of_the_normal_and_the_neighbours_those_of_a_loop(rng):
  x = normal(rng)
  found = information.marginal_log_probs(x)
  truth = -0.5 * (x**2 + np.log(2 * np.pi))
  assert abs(np.mean(found - truth)) < 0.02 and np.std(found - truth) < 0.45
  few = rng.normal(size=(9, 1))
  gaps = np.sort(np.abs(few - few.T), axis=-1)[:, 3]
  from_gaps = information.marginal_log_probs(few, 3)[:, 0] + np.log(2 * gaps)
  np.testing.assert_allclose(from_gaps, from_gaps[0])


def test_correlations_of_monotone_maps_prove_the_same(rng):
  x = normal(rng)
  mapped = np.stack([np.exp(x[:, 0]), x[:, 1] ** 3, np.arctan(x[:, 2])], axis=-1)
  bound = information.correlation_bound(mapped)
  assert within(bound, TRUTH)
  assert bound == pytest.approx(information.correlation_bound(x), rel=1e-9)
  found = information.pairwise(mapped)
  expected = -0.5 * np.log(1 - CORRELATIONS**2, where=CORRELATIONS < 1, out=np.zeros([3, 3]))
  np.testing.assert_allclose(found.nats, expected, atol=0.03)
  np.testing.assert_allclose(found.nats, found.nats.T, atol=1e-15)


def test_independent_coordinates_have_none_on_average_in_any_number(rng):
  """The bias of ln det R is taken off: of 20 coordinates and 60 points it is 3.6 nats."""
  found = [information.correlation_bound(rng.normal(size=(60, 20))).nats for _ in range(40)]
  assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(40) < 0.6
  pairs = information.pairwise(rng.normal(size=(200, 30)))
  entries = pairs.nats[np.triu_indices(30, 1)]
  assert abs(np.mean(entries)) < 5 * pairs.noise / np.sqrt(len(entries))
  assert np.std(entries) == pytest.approx(pairs.noise, rel=0.35)


def test_what_is_no_sample_is_refused(rng):
  x = normal(rng, 50)
  for call, message in (
    (lambda: information.marginal_log_probs(np.round(x)), 'equal numbers in column 0'),
    (lambda: information.marginal_log_probs(x[:5]), 'more rows than `neighbours`'),
    (lambda: information.total_correlation(np.zeros(3), x), 'those of the 50 points'),
    (lambda: information.mutual_information(np.zeros(3), np.zeros(4)), 'of the same points'),
    (lambda: information.mutual_information([0.0, np.nan], [0.0, 1.0]), 'holds NaN'),
    (lambda: information.correlation_bound(x[:4]), 'whose correlations are singular'),
    (lambda: information.pairwise(0 * x), 'does not vary in column 0'),
  ):
    with pytest.raises(ValueError, match=message):
      call()


def test_columns_that_are_functions_of_others_are_named(rng):
  x = rng.normal(size=(100, 2))
  with pytest.raises(ValueError, match=r'`x` has column [02] that is a function of others'):
    information.correlation_bound(np.concatenate([x, np.exp(x[:, :1])], axis=1))
