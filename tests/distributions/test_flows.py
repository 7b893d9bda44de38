"""The flow as a density: closed forms, shapes, wrong bases, gradients, checkpoints."""

import copy
import functools
import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras.potentials import OneHiddenLayer, Quadratic
from tests.support import bijectors
from tests.support.bijectors import central_difference, generic, points

tfb, tfd = tfp.bijectors, tfp.distributions

COVARIANCE = bijectors.expm(2 * 0.8 * bijectors.MATRIX)  # exp(2 A T) with T = 0.8.


@functools.cache
def quadratic():
  """One flow, traced once for all tests."""
  return ma_keras.MongeAmpereBijector(Quadratic(bijectors.MATRIX, tf.float64), 40, 0.02)


def normal(shape, event_ndims=0, loc=0.0, scale=1.0):
  parameters = [tf.fill(shape, tf.constant(value, tf.float64)) for value in (loc, scale)]
  return tfd.Independent(tfd.Normal(*parameters), reinterpreted_batch_ndims=event_ndims)


@pytest.mark.slow
def test_quadratic_flow_is_a_gaussian():
  """N(0, I) becomes N(0, exp(2 A T)): Appendix A."""
  flow = ma_keras.standard_normal_flow(quadratic())
  x = points(6)
  expected = bijectors.gaussian_log_density(x, COVARIANCE)
  np.testing.assert_allclose(flow.log_prob(x), expected, atol=1e-8)
  np.testing.assert_allclose(flow.prob(x), np.exp(expected), atol=1e-8)
  assert flow.event_shape == [3] and flow.batch_shape == [] and flow.dtype == tf.float64


@pytest.mark.slow
def test_samples_have_the_covariance():
  """Each entry within five standard errors, (C_ij^2 + C_ii C_jj)^(1/2) / sqrt n."""
  samples = ma_keras.standard_normal_flow(quadratic()).sample(20000, seed=[1, 2]).numpy()
  variances = np.diag(COVARIANCE)
  error = np.sqrt((COVARIANCE**2 + np.outer(variances, variances)) / len(samples))
  np.testing.assert_array_less(np.abs(samples.T @ samples / len(samples) - COVARIANCE), 5 * error)
  assert np.all(np.abs(samples.mean(axis=0)) < 5 * np.sqrt(variances / len(samples)))


@pytest.mark.slow
def test_density_integrates_to_one():
  """On a grid in the plane, of which the flow of 60 fine steps leaves nothing out."""
  flow = ma_keras.standard_normal_flow(generic(event_size=2, num_steps=60, step_size=0.01))
  axis = np.linspace(-12.0, 12.0, 121)
  x = np.stack(np.meshgrid(axis, axis), axis=-1)
  integral = np.sum(flow.prob(x)) * (axis[1] - axis[0]) ** 2
  assert integral == pytest.approx(1.0, abs=1e-6)


@functools.cache
def fine(dtype):
  return generic(dtype, num_steps=60, step_size=0.01)


@pytest.mark.slow
@pytest.mark.parametrize('dtype', [tf.float32, tf.float64])
@pytest.mark.parametrize('leading', [[], [0], [4], [2, 0, 3], [2, 3]])
def test_any_leading_shape(leading, dtype):
  flow = ma_keras.standard_normal_flow(fine(dtype))
  y, log_prob = flow.experimental_sample_and_log_prob(leading, seed=[1, 2])
  assert y.shape == [*leading, 3] and log_prob.shape == leading
  assert y.dtype == log_prob.dtype == dtype
  np.testing.assert_array_equal(flow.sample(leading, seed=[1, 2]), y)
  scored = flow.log_prob(tf.identity(y))  # A new tensor, so that the inverse is solved for.
  assert scored.shape == leading
  np.testing.assert_allclose(scored, log_prob, atol=1e-4 if dtype == tf.float32 else 1e-6)


BASES = {
  'Sample': bijectors.standard_normal,
  'Independent': lambda: normal([3], 1),
  'MultivariateNormalDiag': lambda: tfd.MultivariateNormalDiag(tf.zeros(3, tf.float64)),
}


@pytest.mark.parametrize('name', BASES)
def test_vector_bases_give_the_closed_form(name):
  flow = tfd.TransformedDistribution(BASES[name](), quadratic())
  expected = bijectors.gaussian_log_density(points(2, 4), COVARIANCE)
  np.testing.assert_allclose(flow.log_prob(points(2, 4)), expected, atol=1e-8)
  assert flow.sample(2, seed=[1, 2]).shape == [2, 3]


def test_batch_of_bases_is_a_batch_of_flows():
  means = points(2, seed=5)
  flow = tfd.TransformedDistribution(tfd.MultivariateNormalDiag(means), quadratic())
  assert flow.batch_shape == [2] and flow.sample(4, seed=[1, 2]).shape == [4, 2, 3]
  propagator = bijectors.expm(0.8 * bijectors.MATRIX)
  expected = [
    bijectors.gaussian_log_density(points(5), COVARIANCE, mean) for mean in means @ propagator
  ]
  found = flow.log_prob(points(5)[:, tf.newaxis])
  np.testing.assert_allclose(found, np.transpose(expected), atol=1e-8)


def test_events_of_rank_two_flow_row_by_row():
  flow = tfd.TransformedDistribution(normal([2, 3], 2), quadratic())
  x = points(5, 2)
  expected = np.sum(bijectors.gaussian_log_density(x, COVARIANCE), axis=-1)
  np.testing.assert_allclose(flow.log_prob(x), expected, atol=1e-8)


WRONG_BASES = {
  'scalar Normal': lambda: normal([]),
  'Normal of batch [N]': lambda: normal([3]),
  'Sample of size N + 1': lambda: bijectors.standard_normal(4),
  'Independent of size N + 1': lambda: normal([4], 1),
}
QUESTIONS = {
  'sample': lambda flow: flow.sample(3, seed=[1, 2]),
  'log_prob': lambda flow: flow.log_prob(points(3)),
  'both': lambda flow: flow.experimental_sample_and_log_prob(3, seed=[1, 2]),
  'event_shape': lambda flow: flow.event_shape,
}


@pytest.mark.parametrize('wrap', [lambda b: b, tfb.Invert, lambda b: tfb.Chain([b])])
@pytest.mark.parametrize('base', WRONG_BASES)
def test_wrong_base_is_told_the_remedy(base, wrap):
  """TFP would not promote batch to event: it would sample nonsense without a word."""
  flow = tfd.TransformedDistribution(WRONG_BASES[base](), wrap(quadratic()))
  remedy = r'tfd\.Sample\(tfd\.Normal\(0\., 1\.\), 3\).*tfd\.Independent'
  for question in QUESTIONS.values():
    with pytest.raises(ValueError, match=remedy):
      question(flow)


def test_base_of_another_dtype_is_refused():
  for question in ('sample', 'log_prob'):
    base = bijectors.standard_normal(dtype=tf.float32)
    with pytest.raises((TypeError, ValueError), match='dtype'):
      QUESTIONS[question](tfd.TransformedDistribution(base, quadratic()))


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_gradients_of_both_likelihoods_are_finite_differences():
  """Of ln p(data), and of E[ln p(y) + |y|^2/2] over reparameterised samples y."""
  flow = ma_keras.standard_normal_flow(generic(integrator='heun'))

  def reverse_kl():
    y, log_prob = flow.experimental_sample_and_log_prob(8, seed=[1, 2])
    return tf.reduce_mean(log_prob + tf.reduce_sum(y**2, axis=-1) / 2.0)

  for loss in (lambda: tf.reduce_mean(flow.log_prob(points(8))), reverse_kl):
    with tf.GradientTape() as tape:
      value = loss()
    variables = flow.trainable_variables
    for i, (variable, gradient) in enumerate(zip(variables, tape.gradient(value, variables))):
      direction = np.random.default_rng(i).normal(size=variable.shape)
      expected = central_difference(loss, variable, direction)
      assert abs(expected) > 1e-3
      assert np.sum(gradient * direction) == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_score_and_its_derivative():
  """d ln p/dx = -C^-1 x for the Gaussian; Hessian times vector by differences in general."""
  flow, x = ma_keras.standard_normal_flow(quadratic()), points(4)
  np.testing.assert_allclose(_score(flow, x), -x @ np.linalg.inv(COVARIANCE), atol=1e-8)
  flow, direction = ma_keras.standard_normal_flow(generic(integrator='heun')), points(4, seed=9)

  def product(x):
    with tf.GradientTape() as tape:
      tape.watch(x)
      slope = tf.reduce_sum(_score(flow, x) * direction)
    return tape.gradient(slope, x)

  ends = [_score(flow, x + sign * 1e-5 * direction) for sign in (1.0, -1.0)]
  np.testing.assert_allclose(product(x), (ends[0] - ends[1]) / 2e-5, atol=1e-7)


def _score(flow, x):
  with tf.GradientTape() as tape:
    tape.watch(x)
    log_prob = flow.log_prob(x)
  return tape.gradient(log_prob, x)


def test_variables_of_a_sum_are_all_there():
  """Also after the bijector is copied, inverted, chained."""
  terms = OneHiddenLayer(3, 2), OneHiddenLayer(3, 4, use_bias=False), Quadratic(bijectors.MATRIX)
  bijector = ma_keras.MongeAmpereBijector(terms[0] + terms[1] + terms[2], 3, 0.1)
  expected = {v.ref() for term in terms for v in term.trainable_variables}
  assert len(expected) == 6
  base = bijectors.standard_normal(dtype=tf.float32)
  for wrapped in (bijector, bijector.refined(), tfb.Invert(bijector), tfb.Chain([bijector])):
    flow = tfd.TransformedDistribution(base, wrapped)
    assert {v.ref() for v in flow.trainable_variables} == expected


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('copied', [False, True])
def test_checkpoint_restores_a_fresh_flow(tmp_path, copied):
  flow = ma_keras.standard_normal_flow(generic())
  path = tf.train.Checkpoint(flow=flow).write(str(tmp_path / 'flow'))
  bijector = ma_keras.MongeAmpereBijector(OneHiddenLayer(3, 4, dtype=tf.float64), 3, 0.2)
  fresh = ma_keras.standard_normal_flow(copy.deepcopy(bijector) if copied else bijector)
  assert np.max(np.abs(fresh.log_prob(points(4)) - flow.log_prob(points(4)))) > 0.1
  tf.train.Checkpoint(flow=fresh).read(path).assert_consumed()
  np.testing.assert_array_equal(fresh.log_prob(points(4)), flow.log_prob(points(4)))


@pytest.mark.slow
def test_deep_copy_by_way_of_the_bijector():
  """TFP deepcopies no TransformedDistribution, and `flow.copy` remembers the original's variables.

  A new distribution around a deep copied bijector shares nothing.
  """
  flow = ma_keras.standard_normal_flow(generic(integrator='euler'))
  twin = ma_keras.standard_normal_flow(copy.deepcopy(flow.bijector))
  before = flow.log_prob(points(4)).numpy()
  np.testing.assert_array_equal(twin.log_prob(points(4)), before)
  for variable in twin.trainable_variables:
    variable.assign(tf.zeros_like(variable))
  np.testing.assert_array_equal(flow.log_prob(points(4)), before)
  at_rest = -0.5 * np.sum(points(4) ** 2, axis=-1) - 1.5 * math.log(2 * math.pi)
  np.testing.assert_allclose(twin.log_prob(points(4)), at_rest, rtol=1e-12)
