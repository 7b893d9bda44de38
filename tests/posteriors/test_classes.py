"""Bayes' rule of a mixture of Gaussians, whose posterior, accuracy and evidence are known."""

import math
import warnings

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras import distributions, posteriors, potentials

MEANS = np.array([[1.0, 0.0, -1.0], [-0.5, 0.8, 0.0]])
PRIOR = np.array([0.3, 0.7])


@pytest.fixture(scope='module')
def flow():
  """p(x | c) = Normal(MEANS[k], I) under the unit vector c of class k: x = z + V'c, exactly."""
  potential = potentials.Quadratic(np.zeros([3, 3]), tf.float64, context_kernel=MEANS)
  return ma_keras.conditional_flow(ma_keras.MongeAmpereBijector(potential, 1, 1.0, 'euler'))


@pytest.fixture(scope='module')
def drawn():
  rng = np.random.default_rng(7)
  labels = rng.choice(2, 5000, p=PRIOR)
  return MEANS[labels] + rng.normal(size=(5000, 3)), labels


@pytest.fixture(scope='module')
def classified(flow, drawn):
  return posteriors.classify(flow, drawn[0], np.eye(2), PRIOR, batch_size=1999)


@pytest.mark.slow
def test_posterior_and_evidence_are_those_of_the_mixture(classified, drawn):
  squares = np.sum((drawn[0][:, np.newaxis] - MEANS) ** 2, axis=-1)
  joint = -squares / 2 - 1.5 * np.log(2 * np.pi) + np.log(PRIOR)
  evidence = np.log(np.sum(np.exp(joint), axis=-1))
  np.testing.assert_allclose(classified.log_evidence, evidence, rtol=1e-9)
  np.testing.assert_allclose(classified.log_posterior, joint - evidence[:, None], atol=1e-9)
  np.testing.assert_allclose(classified.novelty(np.zeros(5000)), -evidence, rtol=1e-9)


def test_accuracy_is_that_of_the_best_rule_and_confidence_is_right(classified, drawn):
  """Of two Gaussians at distance d, weights P: sum_k P_k Phi(d/2 + ln(P_k / P_other) / d)."""
  d, odds = np.linalg.norm(MEANS[0] - MEANS[1]), np.log(PRIOR / PRIOR[::-1])
  phi = [0.5 * math.erfc(-(d / 2 + value / d) / math.sqrt(2)) for value in odds]
  accuracy, error = classified.accuracy(drawn[1])
  assert abs(accuracy - PRIOR @ phi) < 3 * error < 0.02
  assert classified.calibration_error(drawn[1]) < 0.02
  assert abs(np.log(classified.calibrated(drawn[1]).temperature)) < 0.15


def test_overconfident_posteriors_are_mended_by_one_temperature(classified, drawn):
  """Likelihoods to the power of 3 have thrice the temperature, and the same posterior then."""
  sharp = posteriors.Classification(3 * classified.log_likelihoods, classified.log_prior)
  mended, right = sharp.calibrated(drawn[1]), classified.calibrated(drawn[1])
  assert mended.temperature == pytest.approx(3 * right.temperature, rel=1e-6)
  assert sharp.calibration_error(drawn[1]) > 3 * mended.calibration_error(drawn[1])
  assert mended.cross_entropy(drawn[1]) < sharp.cross_entropy(drawn[1])


def test_a_point_under_no_class_has_no_posterior_and_the_evidence_minus_infinity():
  likelihoods = np.array([[0.0, -1.0], [-np.inf, -np.inf]])
  partly = posteriors.Classification(likelihoods, np.log(PRIOR))
  assert np.isfinite(partly.log_evidence[0]) and partly.log_evidence[1] == -np.inf
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    assert np.all(np.isnan(partly.log_posterior) == [[False, False], [True, True]])
    assert partly.cross_entropy(np.array([0, 1])) == np.inf
  with pytest.raises(ValueError, match='density of point 1 is zero in all classes'):
    partly.calibration_error(np.array([0, 1]))


def test_what_is_no_class_is_refused(flow, classified, drawn):
  x = drawn[0][:3]
  for options, message in (
    ({'contexts': np.ones([1, 2])}, 'two or more classes'),
    ({'contexts': np.eye(2), 'prior': [0.5, 0.6]}, 'positive numbers of sum 1'),
    ({'contexts': np.eye(2), 'prior': ['a', 'b']}, 'positive numbers of sum 1'),
    ({'contexts': np.eye(2), 'batch_size': 0}, '`batch_size` positive'),
  ):
    with pytest.raises(ValueError, match=message):
      posteriors.classify(flow, x, **options)
  with pytest.raises(ValueError, match='of point 1 under class 0 is not a number'):
    posteriors.classify(flow, np.where(np.eye(3)[[0, 1, 2]] * [0, 1, 0] > 0, np.nan, x), np.eye(2))
  for wrong in (x[:0], x[0], x[:, :2], x[..., np.newaxis]):
    with pytest.raises(ValueError, match=r'`x` must be points \[n, 3\], at least one, got shape'):
      posteriors.classify(flow, wrong, np.eye(2))
  with pytest.raises(TypeError, match='must be a ConditionalFlow'):
    posteriors.classify(flow.given(np.eye(2)[0]), x, np.eye(2))
  for background in (np.zeros(4999), np.zeros([5000, 1])):
    with pytest.raises(ValueError, match='`background` must be 5000 log densities'):
      classified.novelty(background)
  with pytest.raises(ValueError, match='must be 5000 whole numbers'):
    classified.accuracy(drawn[1][:3])
  with pytest.raises(ValueError, match=r'in 0\.\.1, the places of `contexts`, got 1\.\.2'):
    classified.accuracy(drawn[1] + 1)


def test_a_class_that_cannot_have_made_a_point_takes_no_part_in_its_temperature():
  likelihoods = np.array([[0.0, -np.inf], [-3.0, -1.0], [-1.0, -3.0], [-1.0, -2.5]])
  found = posteriors.Classification(likelihoods, np.log([0.5, 0.5]))
  likely = posteriors.Classification(np.maximum(likelihoods, -1e9), found.log_prior)
  labels = np.array([0, 1, 0, 1])
  expected = likely.calibrated(labels).temperature
  assert found.calibrated(labels).temperature == pytest.approx(expected, rel=1e-4)
  with pytest.raises(ValueError, match='whose density at point 0 is zero'):
    found.calibrated(np.array([1, 1, 0, 1]))
  nowhere = posteriors.Classification(np.full([1, 2], -np.inf), found.log_prior)
  assert nowhere.classes == -1 and nowhere.accuracy(np.array([0]))[0] == 0.0


def test_points_of_double_precision_are_classified_by_a_flow_of_single():
  """As of every table's model, whose columns are mapped in double precision."""
  potential = potentials.OneHiddenLayer(2, 3, context_size=1, seed=0)
  flow = ma_keras.MongeAmpereBijector(potential, 2, 0.5)
  base = distributions.flow_from(None, flow).distribution
  maps = ma_keras.data.Standardised([1.0, 2.0], [2.0, 0.5])
  density = distributions.ConditionalFlow(base, tfp.bijectors.Chain([maps, flow]))
  x, contexts = np.array([[1.0, 2.0], [3.0, 1.0]]), np.array([[0.0], [1.0]], np.float32)
  found = posteriors.classify(density, x, contexts)
  expected = [density.log_prob(x, context=context) for context in contexts]
  np.testing.assert_allclose(found.log_likelihoods, np.stack(expected, axis=-1), rtol=1e-6)


def test_draws_of_noise_are_averaged_in_the_logarithm(classified, drawn):
  """Noise of ln p(x | k) of deviation 2 misleads one draw, and thirty hardly."""
  noise = np.random.default_rng(5).normal(size=(30, *classified.log_likelihoods.shape))
  each = [
    posteriors.Classification(classified.log_likelihoods + 2 * part, classified.log_prior)
    for part in noise
  ]
  together = posteriors.over_draws(each)
  expected = classified.log_likelihoods + 2 * noise.mean(axis=0)
  np.testing.assert_allclose(together.log_likelihoods, expected, rtol=1e-12)
  best = classified.accuracy(drawn[1])[0]
  assert each[0].accuracy(drawn[1])[0] < best - 0.05 < best - 0.01 < together.accuracy(drawn[1])[0]
  alone = posteriors.over_draws(classified)
  np.testing.assert_array_equal(alone.log_likelihoods, classified.log_likelihoods)
  with pytest.raises(ValueError, match='must be one at least'):
    posteriors.over_draws([])
  with pytest.raises(TypeError, match=r'must be of posteriors\.classify, got ndarray'):
    posteriors.over_draws(noise)
  with pytest.raises(TypeError, match=r'must be of posteriors\.classify, got NoneType'):
    posteriors.over_draws(None)
  other = posteriors.Classification(classified.log_likelihoods[:-1], classified.log_prior)
  with pytest.raises(ValueError, match='number 1 is not as number 0 is'):
    posteriors.over_draws([classified, other])
