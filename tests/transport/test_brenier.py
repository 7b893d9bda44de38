"""x = grad u(z) is the optimal map, with its exact determinant and an inverse to tolerance."""

import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras import potentials, transport

tfd = tfp.distributions
N = 3
DOUBLE = {'dtype': tf.float64}
POTENTIALS = {
  'fewer units': lambda: transport.ConvexLayer(N, 2, seed=1, **DOUBLE),
  'more units': lambda: transport.ConvexLayer(N, 7, 'log_cosh', seed=1, **DOUBLE),
  'deep': lambda: transport.InputConvex(N, (5, 4), seed=1, **DOUBLE),
  'quadratic': lambda: potentials.Quadratic(np.diag([1.0, 0.5, -0.5]), **DOUBLE),
}


@pytest.fixture(scope='module', params=POTENTIALS)
def optimal(request):
  return transport.BrenierMap(POTENTIALS[request.param]())


def draw(*shape):
  return tf.constant(3.0 * np.random.default_rng(shape).normal(size=shape))


def fresh(x):
  """The same numbers, of which TFP's cache knows no inverse."""
  return tf.constant(x.numpy())


def test_gaussians_are_mapped_as_bures_says():
  """T(x) = A x with A = S1^-1/2 (S1^1/2 S2 S1^1/2)^1/2 S1^-1/2, of covariances S1 to S2."""
  rng = np.random.default_rng(0)
  first, second = (m @ m.T + np.eye(N) for m in rng.normal(size=(2, N, N)))
  root = scipy.linalg.sqrtm(first).real
  inverse = np.linalg.inv(root)
  a = inverse @ scipy.linalg.sqrtm(root @ second @ root).real @ inverse
  optimal = transport.BrenierMap(potentials.Quadratic(a - np.eye(N), **DOUBLE))
  base = tfd.MultivariateNormalTriL(tf.zeros(N, tf.float64), np.linalg.cholesky(first))
  target = tfd.MultivariateNormalTriL(tf.zeros(N, tf.float64), np.linalg.cholesky(second))
  x = draw(6, N)
  np.testing.assert_allclose(
    tfd.TransformedDistribution(base, optimal).log_prob(x), target.log_prob(x), rtol=1e-10
  )


@pytest.mark.slow
def test_forward_is_the_gradient_and_its_determinant_that_of_the_jacobian(optimal):
  z = draw(4, N)
  with tf.GradientTape() as tape:
    tape.watch(z)
    x = optimal.forward(z)
  jacobian = tape.batch_jacobian(x, z).numpy()
  np.testing.assert_allclose(jacobian, jacobian.transpose(0, 2, 1), atol=1e-12)
  assert np.linalg.eigvalsh(jacobian).min() > 0
  np.testing.assert_allclose(
    optimal.forward_log_det_jacobian(z, 1), np.linalg.slogdet(jacobian)[1], rtol=1e-10
  )


@pytest.mark.parametrize('leading', [(), (5,), (2, 3), (0,)])
def test_there_and_back(optimal, leading):
  z = draw(*leading, N)
  again = optimal.inverse(fresh(optimal.forward(z)))
  np.testing.assert_allclose(again, z, rtol=1e-9, atol=1e-9)


def test_the_inverse_has_the_derivatives_of_the_inverse_function(optimal):
  z, x = draw(2, N), fresh(optimal.forward(draw(2, N)))
  with tf.GradientTape(persistent=True) as tape:
    tape.watch([z, x])
    forward, back = optimal.forward(z), optimal.inverse(x)
  jacobian = tape.batch_jacobian(forward, z, experimental_use_pfor=False)
  inverse = tape.batch_jacobian(back, x, experimental_use_pfor=False)
  np.testing.assert_allclose(inverse, np.linalg.inv(jacobian), rtol=1e-8, atol=1e-9)


@pytest.mark.slow
def test_a_likelihood_has_the_gradients_of_differences():
  potential = POTENTIALS['fewer units']()
  optimal = transport.BrenierMap(potential)
  flow = tfd.TransformedDistribution(ma_keras.bases.StandardNormal(N, tf.float64), optimal)
  x = draw(4, N)

  def loss():
    return -tf.reduce_mean(flow.log_prob(fresh(x)))

  with tf.GradientTape() as tape:
    value = loss()
  gradient = tape.gradient(value, potential.bias).numpy()
  step = 1e-5
  for j in range(2):
    values = []
    for sign in (1, -1):
      potential.bias.assign_add(sign * step * np.eye(2)[j])
      values.append(loss())
      potential.bias.assign_add(-sign * step * np.eye(2)[j])
    assert gradient[j] == pytest.approx(float(values[0] - values[1]) / (2 * step), rel=1e-6)


def test_second_derivatives_of_the_inverse():
  """d2z/dx2 in one dimension is -u'''(z) / u''(z)^3."""
  potential = transport.ConvexLayer(1, 3, seed=2, **DOUBLE)
  optimal = transport.BrenierMap(potential)
  x = tf.constant([[0.7], [-0.4]], tf.float64)
  with tf.GradientTape() as outer:
    outer.watch(x)
    with tf.GradientTape() as inner:
      inner.watch(x)
      z = optimal.inverse(x)
    slope = inner.gradient(z, x)
  second = outer.gradient(slope, x)
  h = 1e-4
  back = transport.BrenierMap(potential, tolerance=1e-13).inverse
  expected = (back(x + h) - 2 * back(x) + back(x - h)) / h**2
  np.testing.assert_allclose(second, expected, rtol=1e-5)


@pytest.mark.slow
def test_it_compiles():
  optimal = transport.BrenierMap(POTENTIALS['more units']())
  z = draw(5, N)
  x = tf.function(optimal.forward, jit_compile=True)(z)
  back = tf.function(optimal.inverse, jit_compile=True)(fresh(x))
  np.testing.assert_allclose(back, z, rtol=1e-9, atol=1e-9)


def test_what_is_not_convex_is_no_number():
  concave = potentials.Quadratic(-3.0 * np.eye(N), **DOUBLE)
  assert np.all(np.isnan(transport.BrenierMap(concave).forward_log_det_jacobian(draw(4, N), 1)))
  assert np.all(np.isnan(transport.BrenierMap(concave).inverse(draw(4, N))))
  with pytest.raises(tf.errors.InvalidArgumentError, match='convex'):
    transport.BrenierMap(concave, validate_args=True).forward_log_det_jacobian(draw(4, N), 1)
  impatient = transport.BrenierMap(POTENTIALS['more units'](), max_iterations=1)
  assert np.any(np.isnan(impatient.inverse(draw(4, N))))
  strict = impatient.copy(validate_args=True)
  with pytest.raises(tf.errors.InvalidArgumentError, match='is not solved to the tolerance'):
    strict.inverse(draw(4, N))


def test_arguments_are_checked():
  with pytest.raises(TypeError, match=r'must be a ma_keras\.potentials\.Potential, got'):
    transport.BrenierMap(lambda x: x)
  with pytest.raises(ValueError, match='`tolerance` and `max_iterations` must be positive'):
    transport.BrenierMap(POTENTIALS['deep'](), tolerance=0.0)
  with pytest.raises(ValueError, match='`dtype` float64 is not that of the potential, float32'):
    transport.BrenierMap(transport.ConvexLayer(2, 3), dtype=tf.float64)
  with pytest.raises(ValueError, match='`hidden_units` must'):
    transport.InputConvex(2, ())
