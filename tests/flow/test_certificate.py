"""The certificate is the change of ln p on halving the steps; its doubt sees what that misses."""

import functools
import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras import data, integrators
from ma_keras.potentials import OneHiddenLayer, Quadratic
from tests.support import bijectors, eager, flows

pytestmark = pytest.mark.slow

tfb, tfd = tfp.bijectors, tfp.distributions

DIRECTIONS = pytest.mark.parametrize('reverse', [False, True])
STRONG = np.array([[1.5, 0.4, 0.0], [0.4, -1.0, 0.3], [0.0, 0.3, 0.7]])


def correlated():
  """A base that is neither standard nor diagonal."""
  scale = tf.constant([[1.0, 0.0, 0.0], [0.5, 0.8, 0.0], [-0.3, 0.2, 1.5]], tf.float64)
  return tfd.MultivariateNormalTriL(tf.constant([0.5, -1.0, 0.0], tf.float64), scale)


def mixture():
  locs = tf.constant([[-2.0, 0.0, 1.0], [2.0, 1.0, 0.0]], tf.float64)
  return tfd.MixtureSameFamily(
    tfd.Categorical(probs=tf.constant([0.3, 0.7], tf.float64)),
    tfd.MultivariateNormalDiag(locs, tf.ones_like(locs)),
  )


BASES = {'standard': lambda: None, 'correlated': correlated, 'mixture': mixture}


def growth(tableau, h):
  """R(h A), what one explicit Runge-Kutta step of dx/dt = A x multiplies x by."""
  powers = [np.linalg.matrix_power(h * STRONG, k) for k in range(tableau.order + 1)]
  return sum(power / np.prod(np.arange(1.0, k + 1)) for k, power in enumerate(powers))


def discrete_log_prob(base, tableau, num_steps, x):
  """ln p_h(x) of the quadratic flow in NumPy: z = R(-h A)^d x, and the trace is constant."""
  z = x @ np.linalg.matrix_power(growth(tableau, -1.2 / num_steps), num_steps).T
  base = base or bijectors.standard_normal()
  return base.log_prob(z).numpy() - 1.2 * np.trace(STRONG)


@functools.cache
def strong(tableau):
  return ma_keras.MongeAmpereBijector(Quadratic(STRONG, tf.float64), 6, 0.2, tableau)


@DIRECTIONS
@pytest.mark.parametrize(
  'tableau, base',
  [(integrators.EULER, 'standard'), *((integrators.RK4, base) for base in BASES)],
  ids=lambda value: getattr(value, 'name', value),
)
def test_the_closed_form_of_a_quadratic_flow(tableau, base, reverse):
  """The integral of the Laplacian is exact at any step here: all of the change is in ln p0(z)."""
  p0, x = BASES[base](), bijectors.points(5)
  bijector = strong(tableau)
  result = bijector.certificate(x, reverse, p0)
  if reverse:
    points, log_prob = x.numpy(), discrete_log_prob(p0, tableau, 6, x.numpy())
  else:
    points = x.numpy() @ np.linalg.matrix_power(growth(tableau, 0.2), 6).T
    log_prob = (p0 or bijectors.standard_normal()).log_prob(x) - 1.2 * np.trace(STRONG)
  change = log_prob - discrete_log_prob(p0, tableau, 12, points)
  np.testing.assert_allclose(result.log_prob, log_prob, rtol=1e-12)
  np.testing.assert_allclose(result.log_prob_change, change, atol=1e-11)
  assert np.max(np.abs(change)) > 1e-5
  expected = points @ bijectors.expm(-1.2 * STRONG).T
  exact = (p0 or bijectors.standard_normal()).log_prob(expected) - 1.2 * np.trace(STRONG)
  assert np.all(np.abs(log_prob - exact) <= result.doubt)


@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('sign, coefficient', [(1, 16.985), (-1, 0.0333)])
def test_one_halving_is_fooled_where_the_doubt_is_not(sign, coefficient):
  """Euler, a T = 4 +- sqrt 8: 1 - a T = -(1 - a T/2)^2, and z = exp(-a T) x is neither."""
  rate = 4.0 + sign * np.sqrt(8.0)
  potential = Quadratic([[rate]], tf.float64)
  bijector = ma_keras.MongeAmpereBijector(potential, 1, 1.0, 'euler')
  x = np.array([[1.0], [3.0]])
  result = bijector.certificate(x, reverse=True)
  error = -0.5 * x[:, 0] ** 2 * ((1.0 - rate) ** 2 - np.exp(-2.0 * rate))
  np.testing.assert_allclose(result.log_prob_change, [0.0, 0.0], atol=1e-12)
  np.testing.assert_allclose(np.abs(error), coefficient * x[:, 0] ** 2, rtol=2e-3)
  assert np.all(result.doubt >= np.abs(error))
  assert not np.any(result.certified(0.03))


def test_case_21_a_log_density_off_by_4100_nats_is_certified_by_its_laplacian_alone():
  """a = 18, h = 1/5: the integral of the Laplacian is exact, and R(-h a)^10 = 8e4 for exp(-36).

  x is where ln p0(z) is off by 4100 nats for it.
  """
  potential, step = Quadratic([[18.0]], tf.float64), 18.0 / 5
  factor = sum((-step) ** k / math.factorial(k) for k in range(5)) ** 10
  x = np.array([[np.sqrt(2 * 4100.0) / factor]])
  bijector = ma_keras.MongeAmpereBijector(potential, 10, 0.2, 'rk4')
  one, two = (b.inverse_log_det_jacobian(x, 1) for b in (bijector, bijector.refined()))
  np.testing.assert_allclose(one, two, atol=1e-9)  # All that was looked at.
  result = bijector.certificate(x, reverse=True)
  np.testing.assert_allclose(result.log_prob_change, [-4100.0], rtol=1e-9)
  assert result.doubt >= 4100 and not result.certified(0.1)


@pytest.mark.parametrize('base', BASES)
def test_it_is_the_log_prob_of_copies_by_hand(base):
  p0, x, bijector = BASES[base]() or bijectors.standard_normal(), flows.points(2, 3), steady(3)
  coarse, fine = (tfd.TransformedDistribution(p0, b) for b in (bijector, bijector.refined()))
  result = bijector.certificate(x, reverse=True, base=p0)
  np.testing.assert_array_equal(result.log_prob, coarse.log_prob(x))
  np.testing.assert_array_equal(result.log_prob_change, coarse.log_prob(x) - fine.log_prob(x))
  samples, log_prob = ma_keras.distributions.push_forward(coarse, x)
  forward = bijector.certificate(x, base=p0)
  expected = log_prob - fine.log_prob(tf.identity(samples))
  np.testing.assert_allclose(forward.log_prob_change, expected, atol=1e-12)
  assert np.all(np.abs(result.log_prob_change) > 1e-9)


@functools.cache
def steady(num_steps, **options):
  """Two stages, and one flow for all tests: a certificate traces it at several depths."""
  return ma_keras.MongeAmpereBijector(flows.steady(), num_steps, 1.2 / num_steps, 'heun', **options)


@DIRECTIONS
def test_errors_of_position_and_round_trip_by_hand(reverse):
  bijector, x = steady(3), flows.points(2, 3)
  go, back = (bijector.inverse, bijector.forward)[:: 1 if reverse else -1]
  fine = bijector.refined()
  end = go(x)
  fine_end = (fine.inverse if reverse else fine.forward)(x)
  result = bijector.certificate(x, reverse)
  np.testing.assert_allclose(
    result.position_error, np.max(np.abs(end - fine_end), axis=-1), atol=1e-15
  )
  trip = np.max(np.abs(back(tf.identity(end)) - x), axis=-1)
  np.testing.assert_allclose(result.round_trip_error, trip, atol=1e-15)
  assert np.all(result.position_error > 0) and np.all(result.round_trip_error > 0)


@pytest.mark.usefixtures('eagerly')
def test_the_doubt_looks_three_halvings_further():
  """|ln p_h - ln p_{h/8}| + 2 |ln p_{h/4} - ln p_{h/8}|, by flows in finer steps."""
  bijector, x = steady(2), flows.points(4)
  whole, quarter, eighth = (
    ma_keras.standard_normal_flow(bijector.refined(k)).log_prob(tf.identity(x)) for k in (1, 4, 8)
  )
  expected = np.abs(whole - eighth) + 2 * np.abs(quarter - eighth)
  doubt = bijector.certificate(x, reverse=True).doubt
  np.testing.assert_allclose(doubt, expected, atol=1e-13)
  assert np.all(expected > 1e-6)


@functools.cache
def breathing(tableau):
  return ma_keras.MongeAmpereBijector(flows.Breathing(), 40, 0.03, tableau)


@DIRECTIONS
@pytest.mark.parametrize('tableau', [integrators.MIDPOINT, integrators.RK4], ids=lambda t: t.name)
def test_the_change_is_the_true_error_but_for_a_known_factor(tableau, reverse):
  """error(h) = 2^p / (2^p - 1) change to leading order, and the doubt is no less."""
  x = flows.points(6)
  bijector = breathing(tableau)
  flow = ma_keras.standard_normal_flow(bijector)
  result = bijector.certificate(x, reverse)
  points = x if reverse else bijector.forward(x)
  z, change = flows.exact('breathing', points, 1.2, reverse=True)
  error = result.log_prob - (flow.distribution.log_prob(z) - change)
  largest, p = np.max(np.abs(error)), tableau.order
  if reverse:  # Forwards the halved inverse at h/2 has an error of the other kind.
    factor = 2**p / (2**p - 1)
    np.testing.assert_allclose(error, factor * result.log_prob_change, atol=0.1 * largest)
  assert np.all(np.abs(error) <= result.doubt) and largest < 1e-3
  assert np.all(result.doubt <= 5 * np.abs(error) + 0.2 * largest)


def test_one_dimension_by_quadrature():
  """A certified density integrates to one; of one that does not, many points are in doubt."""
  bijector = bijectors.generic(event_size=1, num_steps=30, step_size=0.04)
  axis = np.linspace(-12.0, 12.0, 1001)[:, np.newaxis]
  result = bijector.certificate(axis, reverse=True)
  total = np.sum(np.exp(result.log_prob)) * (axis[1, 0] - axis[0, 0])
  assert total == pytest.approx(1.0, abs=1e-5) and result.doubted(1e-3) == 0
  coarse = bijector.copy(num_steps=1, step_size=1.2).certificate(axis, reverse=True)
  total = np.sum(np.exp(coarse.log_prob)) * (axis[1, 0] - axis[0, 0])
  assert abs(total - 1.0) > 0.1 and coarse.doubted(0.1) > 0.1


@pytest.mark.usefixtures('eagerly')
def test_preprocessing_and_shape_stand_in_the_flow():
  """Forwards the preprocessing's log-det moves with the sample; in reverse it stays."""
  scale = data.Standardised([1.0, -2.0, 0.0], [2.0, 0.5, 3.0], tf.float64)
  bijector = bijectors.generic(num_steps=1, integrator='euler')
  for preprocessing in (scale, data.Pixels(16, dtype=tf.float64)):
    flow = ma_keras.data_space_flow(bijector, preprocessing, (3, 1))
    fine = ma_keras.data_space_flow(bijector.refined(), preprocessing, (3, 1))
    z = bijectors.points(4)
    x = tf.identity(flow.bijector.forward(z))  # TFP's cache has the samples' own ln p.
    forward, scored = ma_keras.certify(flow, z), ma_keras.certify(flow, x, reverse=True)
    assert scored.log_prob_change.shape == forward.position_error.shape == [4]
    by_hand = flow.log_prob(x) - fine.log_prob(x)
    np.testing.assert_allclose(scored.log_prob_change, by_hand, atol=1e-10)
    latent = bijector.certificate(preprocessing.inverse(x[..., 0]), reverse=True)
    np.testing.assert_allclose(scored.log_prob_change, latent.log_prob_change, atol=1e-8)
    log_prob = flow.distribution.log_prob(z) - flow.bijector.forward_log_det_jacobian(z, 1)
    expected = log_prob - fine.log_prob(tf.identity(x))
    np.testing.assert_allclose(forward.log_prob_change, expected, atol=1e-8)


@pytest.mark.usefixtures('eagerly')
def test_every_flow_within_a_distribution_is_refined():
  """Two flows in a chain, one of them inverted, over a base that is a flow itself."""
  one, two = bijectors.generic(num_steps=2, integrator='heun'), steady(2)
  other = ma_keras.MongeAmpereBijector(Quadratic(bijectors.MATRIX, tf.float64), 2, 0.3, 'euler')

  def built(factor):
    first, second, third = (b.refined(factor) for b in (one, two, other))
    base = ma_keras.standard_normal_flow(third)
    return tfd.TransformedDistribution(base, tfb.Chain([first, tfb.Invert(second)]))

  x, coarse = bijectors.points(3), built(1)
  result = ma_keras.certify(coarse, x, reverse=True)
  expected = coarse.log_prob(tf.identity(x)) - built(2).log_prob(x)
  np.testing.assert_allclose(result.log_prob_change, expected, atol=1e-12)
  with pytest.raises(ValueError, match='holds no MongeAmpereBijector whose steps could be halved'):
    ma_keras.certify(correlated(), x, reverse=True)


@DIRECTIONS
@pytest.mark.parametrize('leading', [[], [0], [2, 3]])
def test_batches_and_leading_shapes(leading, reverse):
  x, bijector = flows.points(*leading), steady(2)
  whole = bijector.certificate(x, reverse)
  parts = bijector.certificate(x, reverse, batch_size=4)
  for one, two in zip(whole, parts):
    assert one.shape == two.shape == leading
    np.testing.assert_allclose(one, two, atol=1e-13)
  with pytest.raises(ValueError, match='`batch_size` must be positive, got 0'):
    bijector.certificate(x, batch_size=0)


def test_the_numbers_of_a_certificate():
  change = tf.constant([[0.3, -0.4], [0.0, 0.1]])
  doubt = tf.constant([[0.5, 0.1], [0.0, np.inf]])
  result = ma_keras.Certificate(change, change, doubt, change, change)
  assert result.mean == pytest.approx(0.0, abs=1e-7)
  assert result.standard_error == pytest.approx(np.sqrt(0.26 / 3) / 2)
  assert result.root_mean_square == pytest.approx(np.sqrt(0.26 / 4))
  assert result.quantile(1.0) == pytest.approx(0.4) and result.quantile(0.5) == pytest.approx(0.2)
  np.testing.assert_array_equal(result.certified(0.1), [[False, True], [True, False]])
  assert result.doubted(0.1) == 0.5 and result.doubted(0.6) == 0.25
  alone = ma_keras.Certificate(*(field[0, :1] for field in result))
  assert np.isnan(alone.standard_error) and alone.mean == pytest.approx(0.3)


@DIRECTIONS
def test_what_is_not_finite_is_not_certified(reverse):
  x = np.zeros([4, 3])
  x[1, 0], x[2, 1], x[3] = np.nan, np.inf, 1e200  # The last: ln p0 is -inf at all three depths.
  result = steady(2).certificate(x, reverse)
  np.testing.assert_array_equal(result.certified(1e9), [True, False, False, False])
  assert np.all(np.isinf(result.doubt[1:])) and np.isnan(result.mean)


def test_outside_a_support_no_step_changes_the_density():
  """ln p = -inf at every depth: a change of 0, and not -inf + inf; in doubt as before."""
  flow = ma_keras.data_space_flow(steady(2), data.Pixels(dtype=tf.float64))
  x = tf.constant([[20.0, 100.0, 200.0], [-1.0, 5.0, 5.0], [5.0, 300.0, 5.0]], tf.float64)
  result = ma_keras.certify(flow, x, reverse=True)
  np.testing.assert_array_equal(result.log_prob[1:], [-np.inf, -np.inf])
  np.testing.assert_array_equal(result.log_prob_change[1:], [0.0, 0.0])
  inner = ma_keras.certify(flow, x[:1], reverse=True)
  assert result.mean == pytest.approx(inner.mean / 3) and inner.mean != 0
  assert result.quantile(1.0) == pytest.approx(inner.quantile(1.0))
  np.testing.assert_array_equal(result.certified(1e9), [True, False, False])


@pytest.mark.usefixtures('eagerly')
def test_steps_of_random_size_are_certified_as_equal_ones():
  x = flows.points(4)
  one, two = (steady(2, **options).certificate(x) for options in ({}, {'jitter': 0.5}))
  np.testing.assert_array_equal(one.log_prob_change, two.log_prob_change)


def test_random_elements_stay_the_same_when_steps_are_halved():
  from ma_keras.symmetry import OneElementPerInterval, square_lattice
  from tests.symmetry import cases

  layer, x = cases.layer(), cases.points(3)
  potential = OneElementPerInterval(layer, square_lattice(cases.SIDE), 0.25, seed=1)
  bijector = ma_keras.MongeAmpereBijector(potential, 8, 0.25, 'heun')
  exact = bijector.adaptive(x, reverse=True, rtol=1e-8, atol=1e-8)
  base = ma_keras.standard_normal_flow(bijector).distribution
  result = bijector.certificate(x, reverse=True)
  error = result.log_prob - (base.log_prob(exact.x) - exact.log_density_change)
  assert np.all(np.abs(error) <= result.doubt + 1e-6) and np.max(result.doubt) < 0.1


def test_a_flow_that_is_integrated_exactly_has_no_error():
  """Constant velocity: every method is exact, there and back."""

  class Wind(ma_keras.potentials.Potential):
    def __call__(self, t, x):
      return x[..., 0] - 2.0 * x[..., 1]

  bijector = ma_keras.MongeAmpereBijector(Wind(3), 4, 0.25, 'euler', dtype=tf.float64)
  for reverse in (False, True):
    for error in bijector.certificate(flows.points(5), reverse)[1:]:
      np.testing.assert_allclose(error, np.zeros(5), atol=1e-13)


@pytest.mark.usefixtures('eagerly')
@DIRECTIONS
def test_in_single_precision_up_to_rounding(reverse):
  """The change in float32 is that in float64 up to some rounding of ln p."""
  results = []
  for dtype in (tf.float32, tf.float64):
    bijector = bijectors.generic(dtype, num_steps=2, integrator='heun')
    results.append(bijector.certificate(bijectors.points(6, dtype=dtype), reverse))
  single, double = results
  np.testing.assert_allclose(single.log_prob_change, double.log_prob_change, atol=2e-5)
  np.testing.assert_allclose(single.doubt, double.doubt, atol=1e-4)


@DIRECTIONS
def test_in_a_graph(reverse):
  x = flows.points(4)
  bijector = ma_keras.MongeAmpereBijector(flows.steady(), 2, 0.6, 'euler')
  compiled = tf.function(lambda x: bijector.certificate(x, reverse), autograph=False)
  with eager.eagerly():
    expected = bijector.certificate(tf.identity(x), reverse)
  for one, two in zip(compiled(x), expected):
    np.testing.assert_allclose(one, two, atol=1e-13)


def test_weights_that_changed_are_seen():
  """TFP's cache knows the latents of x under the old weights."""
  potential, x = OneHiddenLayer(3, 4, dtype=tf.float64, seed=0), flows.points(3)
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.5, 'heun')
  latents = bijector.inverse(x)  # Kept alive, and with it the cache's entry.
  before = bijector.certificate(x, reverse=True)
  potential.amplitude.assign(30.0 * potential.amplitude)
  after = bijector.certificate(x, reverse=True)
  fresh = bijector.copy().certificate(tf.identity(x), reverse=True)
  np.testing.assert_array_equal(after.log_prob_change, fresh.log_prob_change)
  assert latents.shape == [3, 3] and np.all(before.log_prob_change != after.log_prob_change)
