"""Preprocessing is a bijection with an honest Jacobian, to the ends of the pixels."""

import math

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from ma_keras import data
from tests.properties import strategies

LEVELS = st.integers(2, 1000)
MARGINS = st.floats(1e-6, 0.4)


def assert_log_dets(bijector, y, **tolerance):
  """Forward and backward, against the derivative of each coordinate by tape."""
  y = tf.constant(y.numpy())  # TFP's cache would answer for another, without a derivative.
  with tf.GradientTape() as tape:
    tape.watch(y)
    x = bijector.forward(y)
  slopes = np.log(tape.gradient(x, y))
  forward = bijector.forward_log_det_jacobian(y, 1)
  np.testing.assert_allclose(forward, slopes.sum(axis=-1), **tolerance)
  backward = bijector.inverse_log_det_jacobian(tf.constant(x.numpy()), 1)
  np.testing.assert_allclose(backward, -slopes.sum(axis=-1), **tolerance)


@pytest.mark.slow
@strategies.examples(30)
@hypothesis.given(
  levels=LEVELS,
  margin=MARGINS,
  size=st.integers(1, 4),
  leading=strategies.LEADING,
  seed=strategies.SEEDS,
)
def test_pixels_there_and_back(levels, margin, size, leading, seed):
  """y = logit(lambda + (1 - 2 lambda) x / levels), the lowest and the highest pixel included."""
  bijector = data.Pixels(levels, margin, tf.float64)
  x = np.random.default_rng(seed).choice([0.0, 0.5, levels - 1.0, levels], [*leading, size])
  inside = margin + (1 - 2 * margin) * x / levels
  y = bijector.inverse(x)
  np.testing.assert_allclose(y, np.log(inside) - np.log1p(-inside), rtol=1e-9, atol=1e-9)
  np.testing.assert_allclose(bijector.forward(tf.constant(y.numpy())), x, atol=1e-9 * levels)
  assert_log_dets(bijector, y, rtol=1e-8, atol=1e-8)


@strategies.examples(20)
@hypothesis.given(levels=LEVELS, seed=strategies.SEEDS)
def test_no_dequantised_pixel_is_lost_in_single_precision(levels, seed):
  """The lowest, the highest, and the highest with all the noise there is: finite, and come back."""
  pixels = np.random.default_rng(seed).integers(0, levels, [5, 3])
  noisy = data.dequantised(pixels, seed)
  last = np.nextafter(np.float32(levels), np.float32(0))
  x = np.concatenate([noisy, [[0, levels - 1, last]]], dtype=np.float32)
  bijector = data.Pixels(levels)
  y = bijector.inverse(x)
  assert np.all(np.isfinite(y)) and np.all(np.isfinite(bijector.inverse_log_det_jacobian(x, 1)))
  np.testing.assert_array_equal(np.floor(noisy), pixels)
  np.testing.assert_allclose(bijector.forward(tf.constant(y.numpy())), x, atol=1e-6 * levels)


@pytest.mark.slow
@strategies.examples(30)
@hypothesis.given(
  size=st.integers(1, 4),
  leading=strategies.LEADING,
  exponent=st.integers(-6, 6),
  seed=strategies.SEEDS,
)
def test_standardised_there_and_back(size, leading, exponent, seed):
  """x = mean + deviation y, whose log determinant is the sum of ln deviation everywhere."""
  rng = np.random.default_rng(seed)
  mean, deviation = rng.normal(size=size), 10.0**exponent * rng.uniform(0.1, 10, size)
  bijector = data.Standardised(mean, deviation, tf.float64)
  y = strategies.points(*leading, size, seed=seed)
  x = bijector.forward(y)
  np.testing.assert_allclose(x, mean + deviation * y, rtol=1e-14, atol=1e-14)
  np.testing.assert_allclose(bijector.inverse(tf.constant(x.numpy())), y, atol=1e-8)
  expected = np.broadcast_to(np.log(deviation).sum(), leading)
  log_det = bijector.forward_log_det_jacobian(y, 1)
  np.testing.assert_allclose(np.broadcast_to(log_det, leading), expected, atol=1e-12)


@strategies.examples(20)
@hypothesis.given(levels=LEVELS, margin=MARGINS, size=st.integers(1, 6), nats=st.floats(-1e4, 1e4))
def test_bits_are_the_pixel_space_density(levels, margin, size, nats):
  """-log2 p(x)/N with ln p(x) = ln p(y) + ln|det dy/dx|: the formula is no more than that."""
  y = strategies.points(3, size, seed=size, magnitude=3.0)
  density = -nats - data.Pixels(levels, margin, tf.float64).forward_log_det_jacobian(y, 1)
  bits = data.bits_per_dimension(tf.constant(nats, tf.float64), y, levels, margin)
  np.testing.assert_allclose(bits, -density / (size * math.log(2)), rtol=1e-11, atol=1e-11)


@strategies.examples(30)
@hypothesis.given(
  bad=st.sets(st.integers(0, 59), min_size=1),
  value=st.sampled_from([math.nan, math.inf, -math.inf]),
  column=st.integers(0, 2),
)
def test_rows_that_are_no_points_are_counted_and_named(bad, value, column):
  points = np.random.default_rng(0).normal(size=(60, 3))
  points[sorted(bad), column] = value
  first = ', '.join(map(str, sorted(bad)[:5]))
  with pytest.raises(ValueError, match=rf' {len(bad)} rows, the first of them \[{first}\]'):
    data.split('points', points)
