"""Logit space and back: log-dets against their definition, bits against the density of pixels."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras import data

tfd = tfp.distributions
N = 6


def some_pixels(count=20, levels=256):
  images = np.random.default_rng(0).integers(0, levels, (count, N))
  return tf.constant(data.dequantised(images, seed=1).astype(np.float64))


def test_logits_are_those_of_the_maf_paper():
  x = some_pixels()
  v = 1e-6 + (1 - 2e-6) * x / 256
  y = data.Pixels(dtype=tf.float64).inverse(x)
  np.testing.assert_allclose(y, np.log(v / (1 - v)), rtol=1e-10)
  np.testing.assert_allclose(data.Pixels(dtype=tf.float64).forward(tf.identity(y)), x, rtol=1e-9)


def test_the_log_det_is_the_derivative():
  x = some_pixels()
  with tf.GradientTape() as tape:
    tape.watch(x)
    y = data.Pixels(dtype=tf.float64).inverse(tf.identity(x))
  slopes = tape.gradient(y, x)
  found = data.Pixels(dtype=tf.float64).inverse_log_det_jacobian(x, event_ndims=1)
  np.testing.assert_allclose(found, tf.reduce_sum(tf.math.log(slopes), axis=-1), rtol=1e-9)


def flow(dtype=tf.float64):
  phi = ma_keras.potentials.OneHiddenLayer(N, 5, dtype=dtype, seed=0)
  return ma_keras.MongeAmpereBijector(phi, 4, 0.1)


@pytest.mark.slow
@pytest.mark.parametrize('levels', [256, 17])
def test_bits_per_dimension_is_that_of_the_density_of_pixels(levels):
  """The MAF paper's formula equals -ln p(x) / (N ln 2) with p in pixel space."""
  x, bijector = some_pixels(levels=levels), flow()
  y = data.Pixels(levels, dtype=tf.float64).inverse(x)
  nats = -ma_keras.standard_normal_flow(bijector).log_prob(y)
  bits = data.bits_per_dimension(nats, y, levels)
  density = ma_keras.data_space_flow(bijector, data.Pixels(levels, dtype=tf.float64))
  np.testing.assert_allclose(bits, -density.log_prob(x) / (N * np.log(2)), rtol=1e-9)


def test_a_uniform_density_over_256_values_has_eight_bits():
  x = some_pixels()
  y = data.Pixels(dtype=tf.float64).inverse(x)
  nats = data.Pixels(dtype=tf.float64).inverse_log_det_jacobian(x, event_ndims=1) + N * np.log(256)
  np.testing.assert_allclose(data.bits_per_dimension(nats, y), 8.0, rtol=1e-9)


@pytest.mark.slow
def test_samples_come_back_as_images():
  density = ma_keras.data_space_flow(flow(tf.float32), data.Pixels(), (2, 3, 1))
  x = density.sample(50, seed=1)
  assert x.shape == (50, 2, 3, 1)
  assert x.numpy().min() > -3e-4 and x.numpy().max() < 256 + 3e-4  # The margin: 256 lambda.
  assert density.log_prob(x).shape == (50,)


def test_dequantised_points_stay_in_their_bins_and_are_the_same_again():
  images = np.arange(40, dtype=np.uint8).reshape(10, 4)
  one, same, other = (data.dequantised(images, 3, draw) for draw in (0, 0, 1))
  np.testing.assert_array_equal(np.floor(one), images)
  np.testing.assert_array_equal(one, same)
  assert np.all(one != other)


def test_real_points_get_no_noise():
  points = np.linspace(0, 1, 6).reshape(3, 2)
  np.testing.assert_array_equal(data.dequantised(points, 3), points)


def test_standardised_data_have_mean_zero_and_variance_one():
  x = np.random.default_rng(0).normal(3.0, 5.0, (1000, 2)).astype(np.float32)
  points = data.split('x', x)
  y = data.for_dataset(points).inverse(points.train).numpy()
  np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-5)
  np.testing.assert_allclose(y.std(axis=0), 1, rtol=1e-5)


def test_bad_arguments_name_their_values():
  with pytest.raises(ValueError, match=r'got 1 and 1e-06'):
    data.Pixels(1)
  with pytest.raises(ValueError, match=r'these columns do not: \[1\]'):
    data.for_dataset(data.split('x', np.stack([np.arange(60.0), np.ones(60)], axis=1)))


@pytest.mark.parametrize(
  'mean, deviation', [([0, np.nan], [1, 1]), ([0, 0], [1, np.inf]), ([0], [1, 1])]
)
def test_means_and_deviations_are_finite_and_of_one_shape(mean, deviation):
  with pytest.raises(ValueError, match='`mean` and `deviation` must be finite and of one shape'):
    data.Standardised(mean, deviation)


def test_margins_from_nothing_to_less_than_a_half():
  """Without a margin y = logit(x/levels); at one half no pixel would be told from another."""
  x = np.array([[0.5, 100.0, 255.5]])
  y = data.Pixels(margin=0.0, dtype=tf.float64).inverse(tf.constant(x))
  np.testing.assert_allclose(y, np.log(x / (256 - x)), rtol=1e-12)
  for margin in (-1e-9, 0.5):
    with pytest.raises(ValueError, match='`margin` in'):
      data.Pixels(margin=margin)
