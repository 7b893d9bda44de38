"""The Sinkhorn divergence: against plans in NumPy, its limits, its derivatives, its doubts."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras import transport

X, Y = np.split(np.random.default_rng(0).normal(size=(12, 2)), [7])
Y = Y + 0.5
A, B = np.split(np.random.default_rng(1).uniform(0.5, 1.5, size=12), [7])


def entropic(x, y, a, b, epsilon):
  """min <p, C> + epsilon KL(p || a b') by plain scaling of the kernel, to the end."""
  cost = np.sum((x[:, None] - y[None]) ** 2, axis=-1)
  kernel = np.exp(-cost / epsilon)
  u, v = np.ones_like(a), np.ones_like(b)
  for _ in range(20_000):
    u = 1.0 / (kernel @ (b * v))
    v = 1.0 / (kernel.T @ (a * u))
  plan = (a * u)[:, None] * kernel * (b * v)
  return np.sum(plan * cost) + epsilon * np.sum(plan * np.log(plan / np.outer(a, b)))


def divergence(x, y, a, b, epsilon):
  parts = (
    entropic(x, y, a, b, epsilon),
    entropic(x, x, a, a, epsilon),
    entropic(y, y, b, b, epsilon),
  )
  return parts[0] - (parts[1] + parts[2]) / 2


@pytest.mark.slow
@pytest.mark.parametrize('epsilon', [0.3, 3.0])
def test_it_is_that_of_plans_in_numpy(epsilon):
  a, b = A / A.sum(), B / B.sum()
  found = transport.sinkhorn_divergence(X, Y, epsilon, A, B, tolerance=1e-10, max_iterations=10_000)
  assert found.value.numpy() == pytest.approx(divergence(X, Y, a, b, epsilon), rel=1e-8)
  assert found.marginal_error <= 1e-10 and 1 < found.iterations < 10_000


@pytest.mark.slow
def test_equal_weights_are_the_default_and_a_point_of_weight_two_stands_twice():
  doubled = np.concatenate([Y, Y[:1]])
  twice = transport.sinkhorn_divergence(X, doubled, 0.5).value
  weighted = transport.sinkhorn_divergence(X, Y, 0.5, y_weights=[2.0, 1, 1, 1, 1]).value
  absent = np.concatenate([doubled, 100.0 + Y])
  weights = np.repeat([1.0, 0.0], [6, 5])
  np.testing.assert_allclose(twice, weighted, rtol=1e-5)
  alone = transport.sinkhorn_divergence(X, absent, 0.5, y_weights=weights).value
  np.testing.assert_allclose(twice, alone, rtol=1e-5)


@pytest.mark.slow
def test_small_epsilon_is_w2_and_a_large_one_the_distance_of_the_means():
  options = {'tolerance': 1e-8, 'max_iterations': 200_000}
  small = transport.sinkhorn_divergence(X, Y[:5], 2e-3, **options).value
  assert small.numpy() == pytest.approx(transport.discrete_squared_distance(X, Y), rel=2e-2)
  large = transport.sinkhorn_divergence(X, Y, 1e4).value
  means = np.sum((X.mean(0) - Y.mean(0)) ** 2)
  assert large.numpy() == pytest.approx(means, rel=1e-2)


def test_equal_clouds_alone_have_none():
  same = transport.sinkhorn_divergence(X, X[::-1].copy(), 1.0)
  assert abs(same.value) < 1e-6 < transport.sinkhorn_divergence(X, X + 0.1, 1.0).value


@pytest.mark.slow
@pytest.mark.parametrize('jit_compile', [False, True])
def test_derivatives_are_those_of_differences(jit_compile, rng):
  @tf.function(jit_compile=jit_compile)
  def pair(x):
    with tf.GradientTape() as tape:
      tape.watch(x)
      value = transport.sinkhorn_divergence(x, Y, 0.5, tolerance=1e-9, max_iterations=5000).value
    return value, tape.gradient(value, x)

  gradient = pair(tf.constant(X))[1].numpy()
  step = 1e-4 * rng.normal(size=X.shape)
  after, before = (pair(tf.constant(X + sign * step))[0] for sign in (1, -1))
  assert (after - before).numpy() / 2 == pytest.approx(np.sum(gradient * step), rel=1e-5)


@pytest.mark.slow
def test_float32_is_near_float64_also_far_off():
  exact = transport.sinkhorn_divergence(X, Y, 0.3).value
  single = transport.sinkhorn_divergence(
    tf.constant(X + 1000.0, tf.float32), tf.constant(Y + 1000.0, tf.float32), 0.3
  )
  assert single.value.dtype == tf.float32
  np.testing.assert_allclose(single.value, exact, atol=5e-3)


@pytest.mark.slow
def test_iterations_that_do_not_converge_are_not_a_number():
  found = transport.sinkhorn_divergence(X, Y, 1e-3, max_iterations=20)
  assert np.isnan(found.value) and found.iterations == 20 and not found.marginal_error <= 1e-6
  x = np.full_like(X, np.nan)
  assert np.isnan(transport.sinkhorn_divergence(x, Y, 0.5, max_iterations=5).value)


@pytest.mark.parametrize(
  'x, options, message',
  [
    (X, {'epsilon': 0.0}, '`epsilon` must be positive'),
    (X, {'epsilon': 1.0, 'tolerance': np.inf}, '`tolerance` must be positive'),
    (X, {'epsilon': 1.0, 'max_iterations': 0}, '`max_iterations` must be positive'),
    (X[:, :1], {'epsilon': 1.0}, r'of one dimension, got \(7, 1\) and \(5, 2\)'),
    (X[0], {'epsilon': 1.0}, 'must hold points'),
  ],
)
def test_what_cannot_be_compared_is_refused(x, options, message):
  with pytest.raises(ValueError, match=message):
    transport.sinkhorn_divergence(x, Y, **options)
