"""Both divergences at once, against flows and targets that are known."""

import copy

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import potentials, training

TIME, RATE, SCALE = 0.5, 0.3, 1.7


class Normal:
  """E = |x|^2/(2 s^2)."""

  event_size = 2
  dtype = tf.float64

  def __init__(self, scale):
    self.scale = scale

  def energy(self, x):
    return tf.reduce_sum(tf.square(x), axis=-1) / (2 * self.scale**2)


def model(scale=SCALE, share=0.5, num_steps=4, **aids):
  """x = exp(rate T) z."""
  phi = potentials.Quadratic(RATE * tf.eye(2, dtype=tf.float64), tf.float64)
  bijector = ma_keras.MongeAmpereBijector(phi, num_steps, TIME / num_steps, dtype=tf.float64)
  made = training.Jeffreys(bijector, Normal(scale), 8, aids=training.Aids(**aids), share=share)
  made.compile(training.adam(0.15, 60))
  return made


def slope_of_samples(made, x):
  """The gradient of the mean term of samples x by the matrix of the potential, [2, 2]."""
  with tf.GradientTape() as tape:
    mean = tf.reduce_mean(made._sample_terms(tf.range(2), x))
  return tape.gradient(mean, made.bijector.potential.matrix).numpy()


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('path_gradient', [False, True])
def test_terms_of_samples_are_their_log_weights(path_gradient, rng):
  """ln w = -E - ln q in closed form: q = Normal(0, exp(2 rate T))."""
  made = model(path_gradient=path_gradient)
  x = tf.constant(SCALE * rng.normal(size=(5, 2)))
  deviation = np.exp(RATE * TIME)
  squares = np.sum(x.numpy() ** 2, axis=1)
  log_prob = -squares / (2 * deviation**2) - np.log(2 * np.pi * deviation**2)
  expected = -squares / (2 * SCALE**2) - log_prob
  np.testing.assert_allclose(made._sample_terms(tf.range(5), x), expected, rtol=1e-7)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_along_paths_samples_teach_nothing_where_the_flow_is_the_target(rng):
  """Where q = p the gradient of any samples is zero, and that of likelihoods is noise."""
  scale = np.exp(RATE * TIME)
  x = tf.constant(scale * rng.normal(size=(2, 2)))
  np.testing.assert_allclose(slope_of_samples(model(scale, path_gradient=True), x), 0, atol=1e-7)
  assert np.abs(slope_of_samples(model(scale), x)).max() > 0.1


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('path_gradient', [False, True])
def test_gradients_of_samples_are_those_of_the_divergence(path_gradient):
  """d KL(p, q)/dr along r I, of two points that have the second moments of p.

  KL = ln(d^2/s^2) + s^2/d^2 - 1 with d = exp(r T): its slope is 2 T (1 - s^2/d^2).
  """
  made = model(SCALE, path_gradient=path_gradient)
  x = tf.constant(SCALE * np.array([[1.0, 1.0], [1.0, -1.0]]))
  expected = 2 * TIME * (1 - SCALE**2 / np.exp(2 * RATE * TIME))
  assert np.trace(slope_of_samples(made, x)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_a_share_of_the_gradient_goes_along_paths(rng):
  x = tf.constant(SCALE * rng.normal(size=(2, 2)))
  aids = ({}, {'path_gradient': True}, {'path_gradient': True, 'path_share': 0.25})
  likelihood, along_paths, mixture = (slope_of_samples(model(**each), x) for each in aids)
  assert np.abs(likelihood - along_paths).max() > 0.1
  np.testing.assert_allclose(mixture, 0.25 * along_paths + 0.75 * likelihood, rtol=1e-7)


def test_shares_of_no_path_gradient_are_refused():
  with pytest.raises(ValueError, match=r'`path_share` 0\.5 is a share of the path gradient'):
    training.Aids(path_share=0.5)
  with pytest.raises(ValueError, match=r'`path_share` must lie in \(0, 1\], got 0\.0'):
    training.Aids(path_gradient=True, path_share=0.0)
  aids = training.Aids(path_gradient=True, path_share=0.5)
  with pytest.raises(ValueError, match=r'`path_share` 0\.5 is of samples of the target'):
    training.VariationalFreeEnergy(model().bijector, Normal(SCALE), 8, aids=aids)


@pytest.mark.slow
def test_it_finds_the_width_of_the_target(rng):
  made = model(num_steps=1, path_gradient=True)
  step = tf.function(made.train_step, autograph=False)
  x = tf.constant(SCALE * rng.normal(size=(8, 2)))
  for _ in range(60):
    logs = step((tf.range(8, dtype=tf.int64), x))
  width = np.exp(TIME * made.bijector.potential.matrix.numpy())
  np.testing.assert_allclose(np.diag(width), SCALE, rtol=0.03)
  # Means over all steps: the weighted sum of both divergences, up to ln Z.
  reverse, forward = made._loss_mean.result(), made._sample_loss.result()
  assert float(logs['loss']) == pytest.approx(float(reverse + forward) / 2, rel=1e-9)
  assert np.isfinite(logs['nll'])


def test_the_share_is_checked():
  for wrong in (0.0, 1.5):
    with pytest.raises(ValueError, match=rf'`share` must lie in \(0, 1\], got {wrong}'):
      model(share=wrong)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_samples_are_taken_as_arrays_and_what_are_none_is_refused(rng):
  made = model()
  x = SCALE * rng.normal(size=(19, 2))
  for samples, message in (
    (None, r'finite samples of the target, \[n, 2\], got shape \[0\]'),
    (x[:, :1], r'got shape \[19, 1\]'),
    (x[:3], '`batch_size` must be at most the number of training points, 3'),
    (tf.data.Dataset.from_tensor_slices(x).batch(8), r'must be batches \(numbers, samples\)'),
  ):
    with pytest.raises(ValueError, match=message):
      made.fit(samples, verbose=0)
  with pytest.raises(ValueError, match='`y` must be left out'):
    made.fit(x, np.zeros(19), verbose=0)
  history = made.fit(x, epochs=2, verbose=0).history
  assert len(history['nll']) == 2 and int(made.optimizer.iterations) == 4


def test_it_is_copied_whole():
  twin = copy.deepcopy(model(share=0.25))
  assert twin.share == 0.25 and isinstance(twin, training.Jeffreys)
