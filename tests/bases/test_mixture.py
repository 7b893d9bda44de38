"""Where flows start."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from ma_keras import bases, distributions
from tests.support.bijectors import generic

WEIGHTS, MEANS = np.array([0.2, 0.8]), np.random.default_rng(2).normal(size=(2, 3))
SCALE = np.tril(np.random.default_rng(3).normal(size=(2, 3, 3)), -1) + np.diag([0.5, 1.0, 2.0])
X = np.random.default_rng(4).normal(size=(5, 3))


def mixture():
  return bases.Mixture(WEIGHTS, MEANS, SCALE, tf.float64)


@pytest.mark.slow
def test_a_mixture_is_the_weighted_sum_of_its_normals():
  density = sum(
    weight * stats.multivariate_normal(mean, scale @ scale.T).pdf(X)
    for weight, mean, scale in zip(WEIGHTS, MEANS, SCALE)
  )
  np.testing.assert_allclose(mixture().log_prob(X), np.log(density), rtol=1e-12)
  assert mixture().batch_shape == [] and mixture().event_shape == [3]
  np.testing.assert_array_equal(mixture().copy(name='other').log_prob(X), mixture().log_prob(X))


@pytest.mark.slow
def test_a_flow_starts_from_it(eagerly):
  """ln p(x) = ln p0(z) + ln|det dz/dx|."""
  bijector = generic()
  flow = distributions.flow_from(mixture(), bijector)
  x = tf.constant(X)
  expected = mixture().log_prob(bijector.inverse(x)) + bijector.inverse_log_det_jacobian(x, 1)
  np.testing.assert_allclose(flow.log_prob(x), expected, rtol=1e-12)
  assert flow.sample(4, seed=1).shape == [4, 3]


def test_what_does_not_fit_is_refused():
  with pytest.raises(ValueError, match=r'do not fit, got shapes \[\[2\], \[3\], \[2, 3, 3\]\]'):
    bases.Mixture(WEIGHTS, MEANS[0], SCALE)
  with pytest.raises(ValueError, match='must be positive'):
    bases.Mixture(WEIGHTS, MEANS, -SCALE)
  with pytest.raises(ValueError, match=r'`base` must have events \[3\] of float64'):
    distributions.flow_from(bases.StandardNormal(2, tf.float64), generic())


def test_no_components_and_flat_ones_are_refused():
  with pytest.raises(ValueError, match='must be positive'):
    bases.Mixture(np.ones(0), np.zeros([0, 2]), np.zeros([0, 2, 2]))
  flat = np.array([np.eye(2), np.diag([1.0, 0.0])])
  with pytest.raises(ValueError, match='must be positive'):
    bases.Mixture(np.ones(2), np.zeros([2, 2]), flat)
