"""Case 17: distribution functions in one dimension; elsewhere a sentence that says what to do."""

import functools
import warnings

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import integrate, stats

import ma_keras
from ma_keras import bases, data, distributions
from tests.support.bijectors import generic, points

tfb = tfp.bijectors
GRID = 1001


@functools.cache
def one(**options):
  """One flow, traced once for all that is built on it."""
  return generic(event_size=1, num_steps=20, step_size=0.03, **options)


def constant(value):
  return tf.constant(value, tf.float64)


def mixture():
  covariances = [[[0.5]], [[1.0]]]
  return bases.Mixture([0.3, 0.7], [[-1.0], [2.0]], covariances, tf.float64)


# Name -> (flow, a lower end with nothing below it, points).
FLOWS = {
  'standard normal': (lambda: ma_keras.standard_normal_flow(one()), -12.0, [-1.0, 0.0, 1.0]),
  'mixture': (lambda: distributions.flow_from(mixture(), one()), -12.0, [-1.0, 0.0, 1.0]),
  'standardised': (
    lambda: ma_keras.data_space_flow(one(), data.Standardised([2.0], [3.0], tf.float64)),
    -35.0,
    [-1.0, 2.0, 4.0],
  ),
  'falling': (
    lambda: ma_keras.data_space_flow(one(), tfb.Scale(constant(-2.0))),
    -24.0,
    [-1.0, 0.0, 1.0],
  ),
  'pixel': (
    lambda: ma_keras.data_space_flow(one(), data.Pixels(dtype=tf.float64), (1, 1, 1)),
    1e-9,
    [20.0, 100.0, 200.0],
  ),
}


def shaped(flow, x):
  return tf.reshape(constant(x), [-1, *flow.event_shape])


@pytest.mark.slow
@pytest.mark.parametrize('name', FLOWS)
def test_case_17_cdf_is_the_integral_of_the_density(name):
  """Simpson's rule from where there is nothing up to the point; and 1 - F, ln F, ln (1 - F)."""
  make, low, x = FLOWS[name]
  flow = make()
  grids = np.linspace(low, x, GRID)
  density = flow.prob(shaped(flow, grids.ravel())).numpy().reshape(grids.shape)
  weights = np.where(np.arange(GRID) % 2, 4.0, 2.0)
  weights[[0, -1]] = 1.0
  expected = weights @ density * (np.array(x) - low) / (GRID - 1) / 3
  value = flow.cdf(shaped(flow, x))
  assert value.shape == [3]
  np.testing.assert_allclose(value, expected, atol=1e-5)
  np.testing.assert_allclose(flow.survival_function(shaped(flow, x)), 1 - value, atol=1e-12)
  np.testing.assert_allclose(flow.log_cdf(shaped(flow, x)), np.log(value), atol=1e-10)
  upper = flow.log_survival_function(shaped(flow, x))
  np.testing.assert_allclose(upper, np.log1p(-value), atol=1e-10)


@pytest.mark.usefixtures('eagerly')
def test_case_17_one_is_the_quantile_of_0_8385():
  """x = exp(a) z: F(1) = Phi(exp(-a)), here of a = 0.01176, and by quadrature."""
  potential = ma_keras.potentials.Quadratic([[-np.log(stats.norm.ppf(0.8385))]], tf.float64)
  flow = ma_keras.standard_normal_flow(ma_keras.MongeAmpereBijector(potential, 4, 0.25))
  below = np.linspace(-12.0, 1.0, GRID)
  by_quadrature = integrate.simpson(flow.prob(below[:, np.newaxis]), x=below)
  assert float(flow.cdf(constant([1.0]))) == pytest.approx(0.8385, abs=1e-6)
  assert by_quadrature == pytest.approx(0.8385, abs=1e-6)
  assert float(flow.quantile(constant(0.8385))[0]) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize('name', FLOWS)
def test_case_17_quantile_is_the_inverse(name):
  make, _, x = FLOWS[name]
  flow = make()
  probability = constant([0.01, 0.5, 0.9])
  quantiles = flow.quantile(probability)
  assert quantiles.shape == [3, *flow.event_shape]
  np.testing.assert_allclose(flow.cdf(quantiles), probability, rtol=1e-6)
  np.testing.assert_allclose(
    flow.quantile(flow.cdf(shaped(flow, x))), shaped(flow, x), rtol=1e-5, atol=1e-5
  )


@pytest.mark.slow
@pytest.mark.parametrize(
  'preprocessing, below, above',
  [
    (lambda: data.Pixels(dtype=tf.float64), -1.0, 300.0),
    (lambda: tfb.Chain([tfb.Scale(constant(3.0)), tfb.Sigmoid()]), -1.0, 4.0),
  ],
)
def test_case_17_outside_the_support_it_is_zero_or_one(preprocessing, below, above):
  flow = ma_keras.data_space_flow(one(), preprocessing())
  x = constant([[below], [above]])
  np.testing.assert_array_equal(flow.cdf(x), [0.0, 1.0])
  np.testing.assert_array_equal(flow.survival_function(x), [1.0, 0.0])
  np.testing.assert_array_equal(flow.log_cdf(x), [-np.inf, 0.0])


@pytest.mark.slow
def test_case_17_copies_and_functions_have_it():
  flow, x = ma_keras.standard_normal_flow(one()), constant([[0.3]])
  again = flow.copy(name='another')
  finer = flow.copy(bijector=flow.bijector.refined())
  compiled = tf.function(flow.cdf, autograph=False)
  np.testing.assert_array_equal(again.cdf(x), flow.cdf(x))
  np.testing.assert_allclose(finer.cdf(x), flow.cdf(x), atol=1e-5)
  np.testing.assert_allclose(compiled(x), flow.cdf(x), rtol=1e-12)


ELSEWHERE = {
  'cdf': (lambda flow: flow.cdf(points(2)), r'flow\.sample\(n\).*x <= value'),
  'survival_function': (lambda flow: flow.survival_function(points(2)), r'flow\.sample\(n\)'),
  'quantile': (lambda flow: flow.quantile(0.5), r'percentile\(flow\.sample\(n\), q'),
  'mean': (lambda flow: flow.mean(), r'reduce_mean\(x, axis=0\)'),
  'variance': (lambda flow: flow.variance(), r'reduce_variance'),
  'stddev': (lambda flow: flow.stddev(), r'reduce_std'),
  'covariance': (lambda flow: flow.covariance(), r'tfp\.stats\.covariance'),
  'mode': (lambda flow: flow.mode(), r'climb flow\.log_prob'),
  'entropy': (lambda flow: flow.entropy(), r'-tf\.reduce_mean\(l\).*standard error'),
  'kl_divergence': (lambda flow: flow.kl_divergence(flow.distribution), r'l - q\.log_prob\(x\)'),
  'cross_entropy': (lambda flow: flow.cross_entropy(flow.distribution), r'q\.log_prob\(x\)'),
}


@pytest.mark.parametrize('name', ELSEWHERE)
def test_what_has_no_closed_form_says_how_to_estimate_it(name):
  question, remedy = ELSEWHERE[name]
  with pytest.raises(NotImplementedError, match=remedy) as caught:
    question(ma_keras.standard_normal_flow(generic()))
  assert '\n' not in str(caught.value)


@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('dtype', [tf.int32, tf.uint8, tf.float32, tf.float16])
def test_tensors_that_lose_nothing_are_converted(dtype):
  flow = ma_keras.standard_normal_flow(generic())
  x = tf.cast([[0, 1, 2], [3, 1, 0]], dtype)
  expected = flow.log_prob(tf.cast(x, tf.float64))
  np.testing.assert_array_equal(flow.log_prob(x), expected)
  np.testing.assert_array_equal(
    flow.bijector.inverse(x), flow.bijector.inverse(tf.cast(x, tf.float64))
  )


@pytest.mark.parametrize('dtype', [tf.int32, tf.float64, tf.complex64, tf.bool])
def test_tensors_that_lose_digits_are_told_the_remedy(dtype):
  flow = ma_keras.standard_normal_flow(generic(tf.float32))
  for call in (flow.log_prob, flow.bijector.inverse, flow.bijector.forward):
    with pytest.raises(ValueError, match=rf'with dtype {dtype.name}, .* pass tf\.cast'):
      call(tf.zeros([2, 3], dtype))


@pytest.mark.slow
def test_events_of_unknown_rank():
  """A function of a tensor of which nothing is known, for points of any rank, or one sentence."""
  flow = ma_keras.standard_normal_flow(generic(integrator='euler'))
  anything = [tf.TensorSpec(None, tf.float64)]
  log_prob = tf.function(flow.log_prob, input_signature=anything, autograph=False)
  forward = tf.function(flow.bijector.forward, input_signature=anything, autograph=False)
  for leading in ([], [4], [2, 3]):
    x = points(*leading)
    np.testing.assert_allclose(log_prob(x), flow.log_prob(x), rtol=1e-12)
    np.testing.assert_allclose(forward(x), flow.bijector.forward(x), rtol=1e-12)
  for wrong in (tf.zeros([2, 4], tf.float64), tf.zeros([], tf.float64)):
    with pytest.raises(
      tf.errors.InvalidArgumentError, match=r'Events must have shape \[\.\.\., 3\]'
    ):
      log_prob(wrong)


def test_a_wrong_last_dimension_is_named():
  flow = ma_keras.standard_normal_flow(generic())
  for call in (flow.log_prob, flow.prob, flow.bijector.inverse):
    with pytest.raises(ValueError, match=r'Events must have shape \[\.\.\., 3\], got \(2, 4\)'):
      call(points(2, event_size=4))


@pytest.mark.usefixtures('eagerly')
def test_tfps_own_class_names_the_one_that_has_distribution_functions():
  potential = ma_keras.potentials.OneHiddenLayer(1, 3, seed=1)
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.2, 'euler')
  base = ma_keras.bases.StandardNormal(1, tf.float32)
  written_out = tfp.distributions.TransformedDistribution(base, bijector)
  for name in ('cdf', 'log_cdf', 'survival_function', 'log_survival_function', 'quantile'):
    with pytest.raises(NotImplementedError, match=r'flow_from\(base, bijector\), in place of tfd'):
      getattr(written_out, name)(np.array([[0.5]], np.float32))


@pytest.mark.usefixtures('eagerly')
def test_rounding_that_changes_rows_is_doubted_and_other_rounding_is_not():
  """Case 7, of arrays handed to a distribution: seconds since 1970 in steps of 128."""
  potential = ma_keras.potentials.OneHiddenLayer(2, 3, seed=1)
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.2, 'euler')
  flow = ma_keras.standard_normal_flow(bijector)
  x = np.random.default_rng(0).normal(size=(50, 2))
  seconds = np.stack([x[:, 0], 1.7e9 + 300 * x[:, 1]], axis=-1)
  for call in (flow.log_prob, bijector.inverse):
    with pytest.warns(UserWarning, match=r'rounded to float32.*column 1.*dtype=tf.float64'):
      call(seconds)
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    quiet = (x, 1e3 * x + 1e5, 0 * x + 0.1, x[0], seconds.astype(np.float32), np.zeros([0, 2]))
    for rows in quiet:
      flow.log_prob(rows)
