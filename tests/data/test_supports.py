"""Outside its support a log density is -inf, its gradient 0, and neither ever NaN."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras import data
from ma_keras.data.column_maps import ColumnMaps
from ma_keras.saving import export
from tests.support import eager

tfd = tfp.distributions
DTYPES = [tf.float32, tf.float64]
# Outside with the margin, at the ends of it, just inside, and inside.
OUTSIDE = [[300.0, 1, 1], [1, -1, 1], [-1, 300, 256], [1, 1, 257], [1e30, 0, 0], [-np.inf, 1, 1]]
INSIDE = [[0.0, 0, 0], [255.9999, 255.9999, 255.9999], [128, 0.5, 3], [256, 1, 1]]


def flow(dtype, shape=None, **options):
  phi = ma_keras.potentials.OneHiddenLayer(3, 5, dtype=dtype, seed=0)
  bijector = ma_keras.MongeAmpereBijector(phi, 2, 0.2, 'euler', **options)
  return ma_keras.data_space_flow(bijector, data.Pixels(dtype=dtype), shape)


@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('shape', [None, (1, 3, 1)])
def test_log_densities_and_gradients(dtype, shape):
  density = flow(dtype, shape)
  x = tf.reshape(tf.constant(OUTSIDE + INSIDE, dtype), [10, *(shape or (3,))])
  with tf.GradientTape() as tape:
    tape.watch(x)
    log_prob = density.log_prob(x)
  np.testing.assert_array_equal(log_prob[:6], -np.inf)
  assert np.all(np.isfinite(log_prob[6:]))
  gradient = tape.gradient(log_prob, x).numpy()
  assert np.all(np.isfinite(gradient)) and np.all(gradient[6:].reshape(4, -1).any(axis=1))


@pytest.mark.slow
@pytest.mark.parametrize('dtype', DTYPES)
def test_compiled_by_xla_too(dtype):
  density = flow(dtype)
  compiled = tf.function(density.log_prob, jit_compile=True, autograph=False)
  x = tf.constant(OUTSIDE + INSIDE, dtype)
  with eager.eagerly():
    expected = density.log_prob(x)
  np.testing.assert_allclose(compiled(x), expected, rtol=1e-4)


@pytest.mark.usefixtures('eagerly')
def test_whole_numbers_are_points_and_nan_is_none():
  density = flow(tf.float32)
  np.testing.assert_array_equal(density.log_prob(np.array([[300, 1, 1], [1, -1, 1]])), -np.inf)
  expected = density.log_prob(tf.constant([[4.0, 1, 1]]))
  np.testing.assert_array_equal(density.log_prob(np.array([[4, 1, 1]])), expected)
  assert np.isnan(density.log_prob([[np.nan, 1, 1]])[0])


@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('levels, margin', [(256, 1e-6), (2, 0.0), (17, 0.3), (65536, 1e-6)])
def test_the_support_is_that_of_the_margin(dtype, levels, margin):
  pixels = data.Pixels(levels, margin, dtype)
  end = levels * margin / (1 - 2 * margin)
  near = max(4 * np.finfo(dtype.as_numpy_dtype).eps * levels, end * 1e-6)
  x = tf.constant(
    [[-end - near], [-end + near], [levels + end - near], [levels + end + near]], dtype
  )
  assert pixels.inside(x).numpy().tolist() == [False, True, True, False]
  log_det = pixels.inverse_log_det_jacobian(x, 1).numpy()
  np.testing.assert_array_equal(np.isneginf(log_det), [True, False, False, True])
  assert np.all(np.isfinite(pixels.inverse(x)))


@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('margin', [1e-6, 0.0, 0.1])
def test_whatever_is_drawn_has_a_density(dtype, margin):
  """Far out, where the sigmoid is 0 or 1 to rounding, samples stay in the support."""
  pixels = data.Pixels(256, margin, dtype)
  y = tf.constant([[-1e4], [-50.0], [-17.0], [0.0], [17.0], [50.0], [1e4]], dtype)
  x = tf.identity(pixels.forward(y))
  assert np.all(pixels.inside(x)) and np.all(np.isfinite(pixels.inverse(x)))
  assert np.all(np.isfinite(pixels.inverse_log_det_jacobian(x, 1)))


def test_the_density_integrates_to_one_over_the_support():
  pixels = data.Pixels(17, 1e-3, tf.float64)
  density = tfd.TransformedDistribution(tfd.Normal(tf.constant(0.3, tf.float64), 1.0), pixels)
  x = np.linspace(-5, 22, 270_001)
  assert np.sum(np.exp(density.log_prob(x))) * 1e-4 == pytest.approx(1.0, abs=1e-6)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_within_other_distributions():
  """A mixture of flows, copies of a flow, and the density's own sample_and_log_prob."""
  density = flow(tf.float32)
  mixture = tfd.Mixture(tfd.Categorical(probs=[0.25, 0.75]), [density, flow(tf.float32)])
  copies = tfd.Sample(density, 2)
  x = tf.constant(OUTSIDE + INSIDE)
  single = density.log_prob(x)
  np.testing.assert_allclose(mixture.log_prob(x), single, rtol=1e-5)
  pairs = tf.stack([x, tf.reverse(x, [0])], axis=1)
  expected = single + tf.reverse(single, [0])
  np.testing.assert_allclose(copies.log_prob(pairs), expected, rtol=1e-5)
  _, log_prob = density.experimental_sample_and_log_prob(20, seed=1)
  assert np.all(np.isfinite(log_prob))


@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('dtype', DTYPES)
def test_columns_of_a_table(dtype):
  """x > 0, and 0 < x < 1: -inf at and beyond the ends, and gradients that are finite everywhere."""
  maps = ColumnMaps(
    ['positive', 'unit', 'heavy'], *np.array([[0, 0, 0], [2, 1, 3], [0.1, 0, 0]]), np.eye(3),
    np.zeros(3), dtype=dtype
  )  # fmt: skip
  phi = ma_keras.potentials.OneHiddenLayer(3, 5, dtype=dtype, seed=0)
  density = ma_keras.data_space_flow(ma_keras.MongeAmpereBijector(phi, 4, 0.1), maps)
  outside = [[-1, 0.5, 1], [0, 0.5, 1], [1, 1, 1], [1, -0.1, 1], [1, 7, 1], [-np.inf, 0.5, 1]]
  x = tf.constant([*outside, [1e-30, 0.5, 1e9], [1, 1e-12, -1]], tf.float64)
  with tf.GradientTape() as tape:
    tape.watch(x)
    log_prob = density.log_prob(x)
  assert np.isneginf(log_prob).tolist() == [True] * 6 + [False] * 2
  assert np.all(np.isfinite(log_prob[6:])) and np.all(np.isfinite(tape.gradient(log_prob, x)))


@pytest.mark.slow
def test_exports_say_the_same(tmp_path):
  density = flow(tf.float32, (1, 3, 1), gradient='plain')
  export.save(density, tmp_path)
  x = tf.reshape(tf.constant(OUTSIDE + INSIDE), [10, 1, 3, 1])
  loaded = tf.saved_model.load(str(tmp_path))
  with eager.eagerly():
    expected = density.log_prob(x)
  np.testing.assert_allclose(loaded.log_prob(x)['log_prob'], expected, rtol=1e-5)
  assert np.all(np.isfinite(loaded.score(x)['score']))
