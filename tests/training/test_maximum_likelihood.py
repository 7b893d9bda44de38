"""Maximum likelihood as a Keras model: steps named by (seed, step), whatever shares them."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras import data, distributions, objectives, training
from tests.potentials import cases
from tests.support import eager

pytestmark = pytest.mark.slow

tfb, tfd = tfp.bijectors, tfp.distributions
N = 4
IMAGES = np.random.default_rng(0).integers(0, 256, (60, N)).astype(np.uint8)


def model(
  seed=0,
  batch_size=6,
  penalties=None,
  jitter=0.0,
  preprocessing=None,
  gradient='store',
  dtype=tf.float32,
):
  potential = ma_keras.potentials.OneHiddenLayer(N, 6, dtype=dtype, seed=1)
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.2, 'heun', gradient, jitter)
  made = training.MaximumLikelihood(
    bijector, preprocessing or data.Pixels(dtype=dtype), batch_size, seed, penalties
  )
  made.compile(training.adam(1e-2, 100))
  return made


def batch(made, numbers=None):
  numbers = np.arange(made.batch_size) if numbers is None else np.asarray(numbers)
  return tf.constant(numbers, tf.int64), tf.constant(IMAGES[numbers])


def weights_after(made, steps, of=None):
  made.optimizer.build(made.trainable_variables)
  with eager.eagerly():
    for _ in range(steps):
      made.train_step(of or batch(made))
  return np.concatenate([v.numpy().ravel() for v in made.trainable_variables])


def test_the_same_seed_trains_the_same_and_another_does_not():
  same, again, other = (weights_after(model(seed), 3) for seed in (0, 0, 1))
  np.testing.assert_allclose(same, again, rtol=1e-5, atol=1e-7)
  assert np.abs(same - other).max() > 1e-4


def test_parts_of_the_batch_add_up_to_the_whole():
  parts = model()
  parts.accumulate = 3
  np.testing.assert_allclose(
    weights_after(parts, 2), weights_after(model(), 2), rtol=1e-5, atol=1e-6
  )


def test_the_order_of_the_samples_does_not_matter():
  """Each sample number names its own noise, whichever replica gets it."""
  shuffled = model()
  np.testing.assert_allclose(
    weights_after(model(), 2),
    weights_after(shuffled, 2, batch(shuffled, [5, 2, 0, 1, 3, 4])),
    rtol=1e-5,
    atol=1e-6,
  )


def test_pixels_get_fresh_noise_every_step_and_real_numbers_none():
  made = model()
  made.compile(training.adam(0.0, 100))
  made.optimizer.build(made.trainable_variables)
  train_step = tf.function(made.train_step, autograph=False)

  def losses(x):
    made.reset_metrics()
    numbers = tf.range(6, dtype=tf.int64)
    return [float(train_step((numbers, x))['nll']) * (k + 1) for k in range(2)]

  first, both = losses(tf.constant(IMAGES[:6]))
  assert abs(both - 2 * first) > 1e-3
  first, both = losses(tf.constant(data.dequantised(IMAGES[:6], 0)))
  assert both == pytest.approx(2 * first, rel=1e-6)


@pytest.mark.usefixtures('eagerly')
def test_the_loss_is_the_likelihood_in_logit_space():
  made = model()
  x = data.dequantised(IMAGES[:6], 0)
  made.evaluate(tf.data.Dataset.from_tensors((np.arange(6), x)), verbose=0)
  y = data.Pixels().inverse(x)
  expected = np.mean(objectives.negative_log_likelihood(made.flow(0), y))
  assert float(made.metrics[0].result()) == pytest.approx(expected, rel=1e-6)


@pytest.mark.usefixtures('eagerly')
def test_jitter_is_for_training_alone():
  x = (np.arange(6), data.dequantised(IMAGES[:6], 0))
  plain, jittered = (model(jitter=jitter) for jitter in (0.0, 0.9))
  found = [float(made.test_step(x)['nll']) for made in (plain, jittered)]
  assert found[0] == found[1]
  assert np.any(weights_after(plain, 2) != weights_after(jittered, 2))


@pytest.mark.usefixtures('eagerly')
def test_stiffness_is_added_with_its_weight():
  made, plain = (model(penalties={'stiffness': weight}, dtype=tf.float64) for weight in (3.0, 0.0))
  for each in (made, plain):
    cases.generic(each.bijector.potential)  # At the start, in small steps, it is rounding alone.
    each.bijector = each.bijector.copy(step_size=1.0)
  y = tf.random.stateless_normal([5, N], [1, 2], dtype=tf.float64)
  stiffness = made.bijector.solve(y, reverse=True, tallies=['stiffness']).tallies['stiffness']
  nll = objectives.negative_log_likelihood(made.flow(0), y)
  log_prob, solution = distributions.solve(made.flow(0), y, True, made.penalties.tallies)
  assert np.all(stiffness > 1e-9)
  np.testing.assert_allclose(-log_prob, nll, rtol=1e-6)
  np.testing.assert_allclose(made.penalties.total(solution.tallies, nll), 3.0 * stiffness)
  assert np.any(np.abs(weights_after(made, 2) - weights_after(plain, 2)) > 1e-9)


def test_a_gaussian_is_learned_to_its_entropy():
  """E[-ln p] falls to the entropy of the data, and never below by more than its error."""
  rng = np.random.default_rng(0)
  mixing = rng.normal(size=(N, N)) / 2 + np.eye(N)
  x = (rng.normal(size=(4000, N)) @ mixing).astype(np.float32)
  made = model(batch_size=200, preprocessing=tfb.Identity())
  made.compile(training.adam(3e-2, 240))
  stream = data.batches(x, 200, 0)
  history = made.fit(stream, steps_per_epoch=20, epochs=12, verbose=0).history['nll']
  entropy = N / 2 * np.log(2 * np.pi * np.e) + np.log(abs(np.linalg.det(mixing)))
  assert history[0] - entropy > 0.5
  assert -0.1 < history[-1] - entropy < 0.15


def test_bad_arguments():
  with pytest.raises(ValueError, match='`batch_size` must be positive'):
    model(batch_size=0)
  with pytest.raises(ValueError, match='stiffness'):
    model(penalties={'stiffness': 1.0}, gradient='adjoint')
