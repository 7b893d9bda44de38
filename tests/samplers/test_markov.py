"""Chains through a flow sample the target, not the flow; a perfect flow makes them independent."""

import functools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras import samplers
from ma_keras.potentials import Quadratic

N, CHAINS = 2, 200
COVARIANCE = np.array([[1.5, 0.6], [0.6, 0.8]])
PRECISION = tf.constant(np.linalg.inv(COVARIANCE), tf.float32)


def energy(x):
  return 0.5 * tf.einsum('...i,ij,...j->...', x, PRECISION, x)


def flow(quality):
  """The Gaussian of covariance COVARIANCE^quality, by phi = x.A x/2, A = quality ln(C)/2."""
  values, vectors = np.linalg.eigh(COVARIANCE)
  matrix = (vectors * (quality * np.log(values) / 2)) @ vectors.T
  return ma_keras.MongeAmpereBijector(Quadratic(matrix), 4, 0.25)


@functools.cache
def kernels(quality):
  bijector = flow(quality)
  distribution = ma_keras.standard_normal_flow(bijector)
  return {
    'independence': samplers.independence_metropolis(distribution, energy),
    'latent hmc': samplers.latent_hmc(bijector, energy, 0.4, 4),
  }


@functools.cache
def sampler(name, quality, steps):
  """seed -> states [steps, CHAINS, N], traced once."""
  kernel = kernels(quality)[name]

  @tf.function(autograph=False)
  def sample(seed):
    return tfp.mcmc.sample_chain(
      steps, tf.ones([CHAINS, N]), None, kernel, 30, trace_fn=None, seed=seed
    )

  return sample


def run(name, quality, steps, seed=1):
  return sampler(name, quality, steps)(tf.constant([seed, 2])).numpy().astype(np.float64)


@pytest.mark.slow
@pytest.mark.parametrize(
  'name, quality', [('independence', 0.5), ('independence', 1.0), ('latent hmc', 0.5)]
)
def test_the_covariance_is_the_targets(name, quality):
  """Each entry within 4.5 errors over independent chains, good flow or bad."""
  x = run(name, quality, 200)
  per_chain = np.einsum('tci,tcj->cij', x, x) / len(x)
  error = per_chain.std(axis=0, ddof=1) / np.sqrt(CHAINS)
  assert np.all(np.abs(per_chain.mean(axis=0) - COVARIANCE) < 4.5 * error)
  assert np.all(error < 0.03)


@pytest.mark.slow
def test_chains_of_any_leading_shape_are_drawn_for_one_by_one():
  kernel = kernels(0.5)['independence']
  state = tf.ones([2, 3, N])
  moved, _ = kernel.one_step(state, kernel.bootstrap_results(state), seed=(1, 2))
  assert moved.shape == (2, 3, N)
  assert len(np.unique(moved)) > N


def test_proposals_alone_are_not_calibrated():
  """TFP warns of a kernel that is not, unless Metropolis and Hastings see to it."""
  kernel = kernels(0.5)['independence']
  assert kernel.is_calibrated and not kernel.inner_kernel.is_calibrated


@pytest.mark.slow
def test_a_perfect_flow_makes_every_proposal_count():
  x = run('independence', 1.0, 200)
  assert np.mean(np.all(x[1:] == x[:-1], axis=-1)) < 0.01
  assert samplers.integrated_autocorrelation_time(x[..., 0]) == pytest.approx(1, abs=0.1)


def test_the_autocorrelation_time_of_an_autoregression():
  """x' = r x + noise has tau = (1 + r)/(1 - r)."""
  rng, r = np.random.default_rng(0), 0.8
  x = np.zeros([4000, 50])
  for t in range(1, len(x)):
    x[t] = r * x[t - 1] + rng.normal(size=50)
  found = samplers.integrated_autocorrelation_time(x[100:])
  assert found == pytest.approx((1 + r) / (1 - r), rel=0.05)


@pytest.mark.slow
def test_equal_seeds_give_equal_chains():
  one, again, other = (run('independence', 0.5, 200, seed) for seed in (1, 1, 2))
  np.testing.assert_array_equal(one, again)
  assert np.any(one != other)


@pytest.mark.parametrize('arguments', [(0.0, 3), (0.1, 0), (float('nan'), 1)])
def test_errors_name_the_argument(arguments):
  with pytest.raises(ValueError, match='step_size'):
    samplers.latent_hmc(flow(1.0), energy, *arguments)
