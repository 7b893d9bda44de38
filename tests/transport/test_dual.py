"""Kantorovich's dual: a bound of W2^2 that the optimal map attains, and its gradient."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras import potentials, transport
from ma_keras.transport import dual

N = 3
DOUBLE = {'dtype': tf.float64}


def draw(n, size=N, seed=0):
  return np.random.default_rng([n, size, seed]).normal(size=(n, size))


def layer():
  return transport.ConvexLayer(N, 4, seed=1, **DOUBLE)


def test_the_optimal_map_attains_the_cost_of_its_own_pairs():
  """With x = grad u(z) the dual value is the mean of |x - z|^2, pair by pair."""
  for optimal in (
    transport.BrenierMap(layer()),
    transport.BrenierMap(layer() + transport.ConvexQuadratic(np.eye(N), **DOUBLE), modulus=0.1),
  ):
    z = draw(50)
    x = optimal.forward(z).numpy()
    bound = transport.dual_bound(optimal, z, x)
    cost = np.mean(np.sum((x - z) ** 2, axis=1))
    assert bound.value == pytest.approx(cost, rel=1e-9) and bound.unsolved == 0.0


def test_any_other_map_gives_less():
  z = draw(50)
  x = transport.BrenierMap(layer()).forward(z).numpy()
  other = transport.BrenierMap(transport.ConvexLayer(N, 6, seed=9, **DOUBLE))
  cost = np.mean(np.sum((x - z) ** 2, axis=1))
  assert transport.dual_bound(other, z, x).value < cost


@pytest.mark.slow
def test_the_standard_error_is_that_of_independent_means():
  """Between Gaussians, N(0, 1) to N(m, s^2): bounds of many draws scatter as one says."""
  optimal = transport.BrenierMap(transport.ConvexQuadratic([[2.0]], [1.0], **DOUBLE), modulus=0.0)
  bounds = [
    transport.dual_bound(optimal, draw(100, 1, k), 2 * draw(100, 1, k + 500) + 1)
    for k in range(100)
  ]
  values = np.array([bound.value for bound in bounds])
  assert np.mean(values) == pytest.approx(2.0, abs=4 * np.std(values) / np.sqrt(100))
  assert np.std(values) == pytest.approx(np.mean([b.standard_error for b in bounds]), rel=0.3)


def test_the_gradient_without_the_inverse_is_that_of_the_whole():
  """Envelope theorem: differences of the dual value, inverses solved anew, against one tape."""
  potential = layer()
  optimal = transport.BrenierMap(potential)
  z, x = tf.constant(draw(20)), tf.constant(2.0 * draw(30, N, 1) + 1.0)

  def value():
    latents = optimal.solve_inverse(x).z
    conjugate = tf.reduce_mean(dual.conjugate_terms(optimal, latents, x))
    return tf.reduce_mean(dual.potential_terms(optimal, z)) + conjugate

  with tf.GradientTape() as tape:
    loss = value()
  for variable, gradient in zip(
    potential.trainable_variables, tape.gradient(loss, potential.trainable_variables)
  ):
    direction = np.random.default_rng(3).normal(size=variable.shape)
    values = []
    for sign in (1, -1):
      variable.assign_add(sign * 1e-5 * direction)
      values.append(float(value()))
      variable.assign_add(-sign * 1e-5 * direction)
    slope = (values[0] - values[1]) / 2e-5
    assert np.sum(gradient * direction) == pytest.approx(slope, rel=1e-6, abs=1e-9)


def test_what_is_unsolved_is_no_bound():
  optimal = transport.BrenierMap(layer(), max_iterations=1)
  bound = transport.dual_bound(optimal, draw(10), 10 * draw(10, N, 1))
  assert np.isnan(bound.value) and bound.unsolved == 1.0
  assert '100.00% of the inverses are unsolved' in str(bound)


def test_what_is_not_known_to_be_convex_says_so():
  quadratic = transport.BrenierMap(potentials.Quadratic(0.5 * np.eye(N), **DOUBLE))
  bound = transport.dual_bound(quadratic, draw(10), draw(10))
  assert not bound.convex and 'if u is convex' in str(bound)
  assert 'if u' not in str(transport.dual_bound(transport.BrenierMap(layer()), draw(9), draw(9)))


def test_arguments_are_checked():
  optimal = transport.BrenierMap(layer())
  with pytest.raises(ValueError, match=r'`x` must be two samples or more, shape \[n, 3\]'):
    transport.dual_bound(optimal, draw(5), draw(5, 4))
  with pytest.raises(ValueError, match='`z` must hold finite real numbers'):
    transport.dual_bound(optimal, np.full((5, N), np.nan), draw(5))
