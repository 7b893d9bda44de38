"""Inverses in many dimensions: conjugate gradients and factors give the same points."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras import potentials, transport
from ma_keras.transport import conjugate_gradients, newton

MANY = 40
DOUBLE = {'dtype': tf.float64}


def steep(size=MANY, units=100):
  """A layer whose Hessian varies from point to point by factors of several."""
  layer = transport.ConvexLayer(size, units, seed=1, **DOUBLE)
  layer.start_at_samples(draw(200, size), steepness=4.0, stretch=5.0)
  return layer


def draw(*shape):
  return np.random.default_rng(shape).normal(size=shape)


def test_conjugate_gradients_solve_every_row_to_its_target():
  factors = draw(4, 6, 6)
  matrices = factors @ factors.transpose(0, 2, 1) + 0.1 * np.eye(6)
  b, target = draw(4, 6), np.array([1e-10, 1e-3, 100.0, 1e-10])
  x = conjugate_gradients.solve(
    lambda v: tf.linalg.matvec(matrices, v), tf.constant(b), tf.constant(target), tf.identity, 100
  )
  exact = np.linalg.solve(matrices, b[..., None])[..., 0]
  residual = np.linalg.norm(np.einsum('bij,bj->bi', matrices, x) - b, axis=1)
  assert np.all(residual <= 1.1 * target)
  np.testing.assert_allclose(x[0], exact[0], rtol=1e-8)
  np.testing.assert_array_equal(x[2], np.zeros(6))


def test_conjugate_gradients_know_what_is_not_positive():
  matrices = np.stack([np.diag([1.0, -2.0]), np.eye(2)])
  b = tf.ones([2, 2], tf.float64)
  x = conjugate_gradients.solve(
    lambda v: tf.linalg.matvec(matrices, v),
    b,
    tf.constant([1e-9, 1e-9], tf.float64),
    tf.identity,
    9,
  )
  assert np.all(np.isnan(x[0]))
  np.testing.assert_allclose(x[1], [1.0, 1.0])


@pytest.mark.slow
@pytest.mark.parametrize('compiled', [False, True])
def test_there_and_back_in_many_dimensions(compiled):
  optimal = transport.BrenierMap(steep())
  z = tf.constant(2.0 * draw(20, MANY))
  function = (
    tf.function(optimal.solve_inverse, jit_compile=True) if compiled else (optimal.solve_inverse)
  )
  inverse = function(optimal.forward(z))
  np.testing.assert_allclose(inverse.z, z, rtol=1e-9, atol=1e-9)
  assert np.all(inverse.solved) and np.max(inverse.residual) <= optimal.tolerance


@pytest.mark.slow
def test_products_and_factors_agree(monkeypatch):
  optimal, x = transport.BrenierMap(steep()), tf.constant(3.0 * draw(10, MANY))
  by_products = optimal.solve_inverse(x).z
  monkeypatch.setattr(newton, 'MANY', MANY + 1)
  np.testing.assert_allclose(optimal.solve_inverse(x).z, by_products, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_derivatives_of_an_inverse_in_many_dimensions():
  optimal = transport.BrenierMap(steep())
  z = tf.constant(draw(2, MANY))
  x = optimal.forward(z)
  v = tf.constant(draw(2, MANY))
  with tf.GradientTape() as tape:
    fresh = tf.constant(x.numpy())
    tape.watch(fresh)
    value = tf.reduce_sum(v * optimal.inverse(fresh))
  gradient = tape.gradient(value, fresh)  # H^-1 v.
  z = tf.constant(z.numpy())  # Of which TFP's cache knows nothing.
  with tf.GradientTape() as tape:
    tape.watch(z)
    moved = optimal.forward(z)
  product = tape.gradient(moved, z, output_gradients=gradient)
  np.testing.assert_allclose(product, v, rtol=1e-8, atol=1e-9)


def test_a_start_nearby_takes_fewer_steps():
  optimal = transport.BrenierMap(steep(3, 20), max_iterations=1)
  z = tf.constant(draw(20, 3))
  x = optimal.forward(z)
  assert np.all(optimal.solve_inverse(x, start=z + 1e-9).solved)
  assert not np.any(optimal.solve_inverse(x).solved)


def test_a_start_that_is_no_number_is_none():
  optimal = transport.BrenierMap(steep(3, 20))
  x = tf.constant(draw(4, 3))
  start = tf.constant([[np.nan] * 3, [np.inf] * 3, [0.0] * 3, [1.0] * 3], tf.float64)
  inverse = optimal.solve_inverse(x, start)
  assert np.all(inverse.solved)
  np.testing.assert_allclose(inverse.z, optimal.inverse(x), rtol=1e-9, atol=1e-9)


def test_the_inverse_of_a_linear_map_needs_no_steps():
  matrix = np.diag([0.5, 1.0, 3.0])
  for phi in (transport.ConvexQuadratic(matrix, **DOUBLE), potentials.Quadratic(matrix, **DOUBLE)):
    optimal, z = transport.BrenierMap(phi, modulus=0.1), tf.constant(draw(5, 3))
    x = optimal.forward(z)
    np.testing.assert_allclose(optimal.linear_inverse(x, tf.constant(draw(20, 3))), z, rtol=1e-12)


def test_a_stationary_point_that_is_no_minimum_is_no_inverse():
  """u = -z^2/2 has grad u(0) = 0 and no minimum: Newton's method would stop there at once."""
  concave = transport.BrenierMap(potentials.Quadratic(-2.0 * np.eye(2), **DOUBLE))
  zero = tf.zeros([1, 2], tf.float64)
  assert np.all(np.isnan(concave.inverse(zero))) and np.all(np.isnan(concave.forward(zero)))
  assert not concave.solve_inverse(zero).solved[0]


@pytest.mark.parametrize('modulus', [0.0, 0.2])
def test_a_smaller_modulus_lets_the_map_contract(modulus):
  """u = m |z|^2/2 + |F'z|^2/2 + b.z: x = (m + F F') z + b."""
  matrix = np.diag([0.1, 0.5, 3.0])
  phi = transport.ConvexQuadratic(matrix, [1.0, 2.0, 3.0], **DOUBLE)
  optimal, z = transport.BrenierMap(phi, modulus=modulus), draw(5, 3)
  whole = matrix + modulus * np.eye(3)
  x = z @ whole + [1.0, 2.0, 3.0]
  np.testing.assert_allclose(optimal.forward(z), x, rtol=1e-12)
  np.testing.assert_allclose(optimal.inverse(x), z, rtol=1e-10)
  log_det = np.full(5, np.linalg.slogdet(whole)[1])
  np.testing.assert_allclose(optimal.forward_log_det_jacobian(z, 1), log_det, rtol=1e-10)
  half = 0.5 * np.einsum('ni,ij,nj->n', z, whole, z) + z @ [1.0, 2.0, 3.0]
  np.testing.assert_allclose(optimal.convex_function(z), half, rtol=1e-12)


def test_the_modulus_is_checked():
  for modulus in (-0.1, np.nan, 'much'):
    with pytest.raises(ValueError, match='`modulus` must be finite and not negative'):
      transport.BrenierMap(transport.ConvexLayer(2, 3), modulus=modulus)
