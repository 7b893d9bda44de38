"""Potentials that are convex by construction: derivatives by tapes, and Hess phi = V V'."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras import potentials, transport
from ma_keras.potentials import autodiff
from ma_keras.transport import hessian

N = 3
DOUBLE = {'dtype': tf.float64}


def quadratic():
  factor = np.random.default_rng(2).normal(size=(N, N))
  return transport.ConvexQuadratic(factor @ factor.T, np.array([0.3, -1.0, 2.0]), **DOUBLE)


POTENTIALS = {
  'layer': lambda: transport.ConvexLayer(N, 7, 'log_cosh', seed=1, **DOUBLE),
  'deep': lambda: transport.InputConvex(N, (5, 4, 3), seed=1, **DOUBLE),
  'one deep layer': lambda: transport.InputConvex(N, (5,), seed=1, **DOUBLE),
  'quadratic': quadratic,
  'sum': lambda: quadratic() + transport.ConvexLayer(N, 2, seed=3, **DOUBLE),
  'scaled': lambda: transport.Scaled(transport.ConvexLayer(N, 4, seed=3, **DOUBLE), 0.3),
}


@pytest.fixture(scope='module', params=POTENTIALS)
def potential(request):
  return POTENTIALS[request.param]()


def points(*shape):
  return tf.constant(2.0 * np.random.default_rng(shape).normal(size=(*shape, N)))


def test_derivatives_are_those_of_tapes(potential):
  t, x = tf.constant(0.0, tf.float64), points(4)
  gradient, laplacian = potential.gradient_and_laplacian(t, x)
  expected = autodiff.gradient_and_laplacian(potential, t, x)
  np.testing.assert_allclose(gradient, expected[0], rtol=1e-10)
  np.testing.assert_allclose(laplacian, expected[1], rtol=1e-10)
  np.testing.assert_allclose(potential.gradient(t, x), expected[0], rtol=1e-10)


@pytest.mark.slow
def test_the_hessian_is_the_square_of_its_root(potential):
  x = points(4)
  with tf.GradientTape() as tape:
    tape.watch(x)
    gradient = autodiff.gradient(potential, tf.constant(0.0, tf.float64), x)
  expected = tape.batch_jacobian(gradient, x)
  assert hessian.is_convex(potential)
  np.testing.assert_allclose(hessian.hessian(potential, x), expected, rtol=1e-9, atol=1e-12)
  v = points(4)
  product = hessian.products(potential, x, 0.5)(v)
  np.testing.assert_allclose(product, 0.5 * v + tf.linalg.matvec(expected, v), rtol=1e-9)


@pytest.mark.parametrize('modulus', [0.3, 1.0])
def test_factors_are_those_of_the_whole_matrix(potential, modulus):
  x, v = points(4), points(4)
  whole = hessian.hessian(potential, x) + modulus * np.eye(N)
  factored = hessian.factored(potential, x, modulus)
  np.testing.assert_allclose(factored.log_det(), np.linalg.slogdet(whole)[1], rtol=1e-9)
  np.testing.assert_allclose(tf.linalg.matvec(whole, factored.solve(v)), v, rtol=1e-8)
  factor = hessian.mean_factor(potential, x, modulus).numpy()
  np.testing.assert_allclose(factor @ factor.T, np.mean(whole, axis=0), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize('leading', [(), (0,), (2, 3)])
def test_any_leading_shape(potential, leading):
  t, x = tf.constant(0.0, tf.float64), points(*leading)
  assert potential(t, x).shape == leading and potential.gradient(t, x).shape == x.shape
  assert potential.laplacian(t, x).shape == leading
  assert hessian.root(potential, x).shape[:-1] == x.shape


def test_every_variable_has_a_gradient(potential):
  with tf.GradientTape() as tape:
    log_det = tf.reduce_sum(hessian.factored(potential, points(4)).log_det())
    total = log_det + tf.reduce_sum(potential(tf.constant(0.0, tf.float64), points(4)))
  for gradient in tape.gradient(total, potential.trainable_variables):
    assert np.all(np.isfinite(gradient)) and np.any(gradient != 0.0)


def test_what_is_not_known_to_be_convex():
  class Bent(transport.ConvexLayer):
    def __call__(self, t, x):
      return -super().__call__(t, x)

  layer = transport.ConvexLayer(N, 2, **DOUBLE)
  assert not hessian.is_convex(Bent(N, 2))
  assert not hessian.is_convex(layer + potentials.Quadratic(-np.eye(N), **DOUBLE))
  assert not hessian.is_convex(transport.Scaled(layer, -1.0))


def test_units_bend_at_samples_and_stretch_as_told():
  x = np.random.default_rng(0).normal(size=(500, N)) * [1e3, 1.0, 1e-3] + 7.0
  layer = transport.ConvexLayer(N, 200, **DOUBLE)
  layer.start_at_samples(x, steepness=2.0, stretch=0.5)
  hidden = x @ layer.kernel + layer.bias
  np.testing.assert_allclose(np.std(hidden, axis=0), 2.0, rtol=1e-6)
  assert np.all(np.min(np.abs(hidden), axis=0) < 1e-6 * np.max(np.abs(hidden)))
  at_bends = tf.linalg.trace((layer.kernel * layer.amplitude / 4) @ tf.transpose(layer.kernel))
  np.testing.assert_allclose(at_bends / N, 0.5, rtol=1e-6)


def test_arguments_are_checked():
  with pytest.raises(ValueError, match='`matrix` must be positive semidefinite, got an eigenvalue'):
    transport.ConvexQuadratic(np.diag([1.0, -1.0]))
  with pytest.raises(ValueError, match='`matrix` must be symmetric'):
    transport.ConvexQuadratic([[1.0, 0.5], [0.0, 1.0]])
  with pytest.raises(ValueError, match='`matrix` must be finite and square'):
    transport.ConvexQuadratic([[1.0, np.nan], [np.nan, 1.0]])
  with pytest.raises(ValueError, match=r'`matrix` must be finite and square.*got \[\]'):
    transport.ConvexQuadratic(2)
  with pytest.raises(ValueError, match='`shift` must be finite, of shape'):
    transport.ConvexQuadratic(np.eye(2), [0.0])
  layer = transport.ConvexLayer(2, 3)
  with pytest.raises(ValueError, match='`x` must be finite samples'):
    layer.start_at_samples(np.zeros([4, 3]))
  with pytest.raises(ValueError, match='`steepness` and `stretch` must be positive'):
    layer.start_at_samples(np.zeros([4, 2]), steepness=0.0)
