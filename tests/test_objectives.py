"""Objectives against densities whose divergences are known in closed form."""

import functools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras import distributions, objectives

tfd = tfp.distributions
N = 3


@functools.cache
def gaussian_flow(rate=0.3):
  """exp(T A) z with A = rate I: a normal of standard deviation exp(rate T)."""
  potential = ma_keras.potentials.Quadratic(rate * np.eye(N), dtype=tf.float64)
  return ma_keras.standard_normal_flow(ma_keras.MongeAmpereBijector(potential, 20, 0.05))


def standard_energy(x):
  return tf.reduce_sum(tf.square(x), axis=-1) / 2


@pytest.mark.slow
def test_reverse_kl_exceeds_the_free_energy_by_the_divergence():
  flow, s2 = gaussian_flow(), np.exp(0.6)
  latents = tf.random.stateless_normal([20000, N], [1, 2], dtype=tf.float64)
  values = objectives.reverse_kl(flow, standard_energy, latents).numpy()
  log_partition = N / 2 * np.log(2 * np.pi)
  divergence = N / 2 * (s2 - 1 - np.log(s2))
  error = values.std() / np.sqrt(len(values))
  assert abs(values.mean() - (divergence - log_partition)) < 4 * error


def test_reverse_kl_is_constant_where_the_model_is_the_target():
  flow, s2 = gaussian_flow(), np.exp(0.6)
  latents = tf.random.stateless_normal([50, N], [1, 2], dtype=tf.float64)
  values = objectives.reverse_kl(flow, lambda x: standard_energy(x) / s2, latents)
  np.testing.assert_allclose(values, -N / 2 * np.log(2 * np.pi * s2), rtol=1e-9)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_reverse_kl_gradient_equals_finite_differences():
  potential = ma_keras.potentials.OneHiddenLayer(N, 4, dtype=tf.float64, seed=1)
  flow = ma_keras.standard_normal_flow(ma_keras.MongeAmpereBijector(potential, 5, 0.2))
  latents = tf.random.stateless_normal([7, N], [1, 2], dtype=tf.float64)

  def loss():
    return tf.reduce_mean(objectives.reverse_kl(flow, standard_energy, tf.identity(latents)))

  with tf.GradientTape() as tape:
    value = loss()
  gradient = tape.gradient(value, potential.amplitude).numpy()
  start, h = potential.amplitude.numpy(), 1e-5
  for i, e in enumerate(np.eye(4)):
    potential.amplitude.assign(start + h * e)
    above = loss()
    potential.amplitude.assign(start - h * e)
    assert gradient[i] == pytest.approx(float(above - loss()) / (2 * h), rel=1e-7)


def gradient(flow, loss):
  """Of a mean over a batch, in the only variable."""
  with tf.GradientTape() as tape:
    value = tf.reduce_mean(loss())
  return tape.gradient(value, flow.trainable_variables[0]).numpy()


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_the_path_gradient_vanishes_for_every_batch_where_the_model_is_the_target():
  flow, s2 = gaussian_flow(), np.exp(0.6)
  latents = tf.random.stateless_normal([5, N], [1, 2], dtype=tf.float64)
  energy = lambda x: standard_energy(x) / s2  # noqa: E731

  reparameterised = gradient(flow, lambda: objectives.reverse_kl(flow, energy, latents))
  assert np.abs(reparameterised).max() > 0.1
  along = gradient(flow, lambda: path_loss(flow, energy, latents))
  np.testing.assert_allclose(along, np.zeros([N, N]), atol=1e-8)


def path_loss(flow, energy, latents):
  log_prob, (x, _, _, score) = distributions.solve(flow, latents, with_score=True)
  return objectives.along_paths(log_prob, x, score) + energy(x)


@pytest.mark.slow
def test_along_paths_the_value_is_that_of_the_log_density():
  flow = gaussian_flow()
  latents = tf.random.stateless_normal([9, N], [1, 2], dtype=tf.float64)
  values = objectives.reverse_kl(flow, standard_energy, latents)
  np.testing.assert_array_equal(path_loss(flow, standard_energy, latents), values)


def test_along_paths_of_any_leading_shape():
  """x = w c: the gradient by w is sum s.c over all samples, the values are those of ln p."""
  rng = np.random.default_rng(0)
  c, score, log_prob = (
    tf.constant(rng.normal(size=shape)) for shape in ((2, 5, N),) * 2 + ((2, 5),)
  )
  w = tf.Variable(1.5, dtype=tf.float64)
  with tf.GradientTape() as tape:
    values = objectives.along_paths(log_prob, w * c, score)
    total = tf.reduce_sum(values)
  np.testing.assert_array_equal(values, log_prob)
  assert float(tape.gradient(total, w)) == pytest.approx(np.sum(score * c), rel=1e-12)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_the_gradient_along_paths_leaves_out_that_of_the_density_at_fixed_points():
  """Of mean zero: d ln p/dA_ij = T (x_i x_j/s2 - delta_ij), for every sample of this flow."""
  flow, s2 = gaussian_flow(), np.exp(0.6)
  latents = tf.random.stateless_normal([7, N], [1, 2], dtype=tf.float64)
  whole = gradient(flow, lambda: objectives.reverse_kl(flow, standard_energy, latents))
  along = gradient(flow, lambda: path_loss(flow, standard_energy, latents))
  x = flow.bijector.forward(latents).numpy()
  left_out = x.T @ x / s2 / len(x) - np.eye(N)
  np.testing.assert_allclose(whole - along, left_out, atol=1e-7)


def test_negative_log_likelihood_of_a_gaussian():
  flow, s2 = gaussian_flow(), np.exp(0.6)
  x = tf.random.stateless_normal([9, N], [3, 4], dtype=tf.float64)
  exact = standard_energy(x) / s2 + N / 2 * np.log(2 * np.pi * s2)
  np.testing.assert_allclose(objectives.negative_log_likelihood(flow, x), exact, rtol=1e-9)


@pytest.mark.slow
def test_force_matching_is_the_squared_difference_of_forces():
  flow, s2 = gaussian_flow(), np.exp(0.6)
  x = tf.random.stateless_normal([9, N], [3, 4], dtype=tf.float64)
  exact = tf.reduce_mean(tf.square(x * (1 - 1 / s2)), axis=-1)
  np.testing.assert_allclose(objectives.force_matching(flow, standard_energy, x), exact, rtol=1e-8)


@pytest.mark.slow
def test_force_matching_of_any_leading_shape():
  flow = gaussian_flow()
  x = tf.random.stateless_normal([2, 5, N], [3, 4], dtype=tf.float64)
  values = objectives.force_matching(flow, standard_energy, x)
  rows = objectives.force_matching(flow, standard_energy, tf.reshape(x, [10, N]))
  np.testing.assert_allclose(tf.reshape(values, [10]), rows, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_force_matching_holds_its_points_fixed():
  """Samples of the model move with its variables; the gradient is that at points which do not."""
  flow = gaussian_flow()
  latents = tf.random.stateless_normal([6, N], [3, 4], dtype=tf.float64)
  still = tf.constant(flow.bijector.forward(latents).numpy())

  def matched(points):
    return gradient(flow, lambda: objectives.force_matching(flow, standard_energy, points()))

  moving = matched(lambda: flow.bijector.forward(tf.identity(latents)))
  np.testing.assert_allclose(moving, matched(lambda: still), rtol=1e-9)
  assert np.abs(moving).max() > 0.1


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_force_matching_gradient_equals_finite_differences():
  """The second derivative through the flow that training on forces takes."""
  potential = ma_keras.potentials.OneHiddenLayer(N, 4, dtype=tf.float64, seed=1)
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.4, 'midpoint')
  flow = ma_keras.standard_normal_flow(bijector)
  x = tf.random.stateless_normal([5, N], [3, 4], dtype=tf.float64)

  def loss():
    return tf.reduce_mean(objectives.force_matching(flow, standard_energy, x))

  def gradient():
    with tf.GradientTape() as tape:
      value = loss()
    return tape.gradient(value, potential.bias)

  found, start, h = gradient().numpy(), potential.bias.numpy(), 1e-5
  for i, e in enumerate(np.eye(4)):
    potential.bias.assign(start + h * e)
    above = loss()
    potential.bias.assign(start - h * e)
    assert found[i] == pytest.approx(float(above - loss()) / (2 * h), rel=1e-6, abs=1e-12)
    potential.bias.assign(start)
