"""Batch normalisation between two flows: statistics of the batch to train, its own to score."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras import potentials
from ma_keras.distributions import BatchNormalisation, FlowDistribution

tfb, tfd = tfp.bijectors, tfp.distributions


def flow(seed):
  potential = potentials.OneHiddenLayer(2, 5, dtype=tf.float64, seed=seed)
  return ma_keras.MongeAmpereBijector(potential, 3, 0.2, 'heun', name=f'flow_{seed}')


@pytest.mark.slow
def test_a_chain_is_normalised_by_its_batch_in_training_and_by_moving_averages_after_it(rng):
  """ln p(x) = ln p0(z) + the log-dets of both flows - sum of ln (v + eps) / 2."""
  last, first = flow(1), flow(2)
  layer = BatchNormalisation(2, training=True, momentum=0.5, dtype=tf.float64)
  base = tfd.Sample(tfd.Normal(tf.constant(0.0, tf.float64), 1.0), 2)

  def density(normalisation):
    return FlowDistribution(base, tfb.Chain([last, normalisation, first]))

  def by_hand(x, mean, variance):
    n = (last.inverse(x) - mean) / np.sqrt(variance + 1e-3)
    log_dets = last.inverse_log_det_jacobian(x, 1) + first.inverse_log_det_jacobian(n, 1)
    return base.log_prob(first.inverse(n)) + log_dets - 0.5 * np.sum(np.log(variance + 1e-3))

  training, scoring = density(layer), density(layer.frozen())
  x = rng.normal(size=(40, 2)) * [3.0, 0.5] + 1.0
  y = last.inverse(x).numpy()
  compiled = tf.function(training.log_prob, autograph=False)
  for log_prob in (training.log_prob, compiled):
    with tf.GradientTape() as tape:
      likelihood = log_prob(tf.constant(x))
    expected = by_hand(x, y.mean(axis=0), y.var(axis=0))
    np.testing.assert_allclose(likelihood, expected, rtol=1e-9)
    gradients = tape.gradient(likelihood, training.trainable_variables)
    assert len(gradients) == 6 and all(np.any(gradient) for gradient in gradients)
  mean, variance = layer.moving_mean.numpy(), layer.moving_variance.numpy()
  np.testing.assert_allclose(mean, 0.75 * y.mean(axis=0))  # Two steps of momentum 1/2.
  np.testing.assert_allclose(variance, 0.25 + 0.75 * y.var(axis=0))
  scores = scoring.log_prob(x)
  np.testing.assert_allclose(scores, by_hand(x, mean, variance), rtol=1e-9)
  np.testing.assert_allclose(scoring.log_prob(x[:1]), scores[:1], rtol=1e-9)  # Row by row.
  drawn, log_prob = scoring.experimental_sample_and_log_prob(20, seed=1)
  np.testing.assert_allclose(log_prob, scoring.log_prob(tf.identity(drawn)), atol=1e-2)
  with pytest.raises(NotImplementedError, match='Draw from the chain of normalisation'):
    training.sample(3)


@pytest.mark.parametrize('weights', [[0.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
def test_fewer_than_two_points_with_weight_are_normalised_by_moving_averages(weights, rng):
  layer = BatchNormalisation(2, momentum=0.5, dtype=tf.float64)
  layer.moving_mean.assign([1.3, -2.1])
  layer.moving_variance.assign([4.7, 0.3])
  x = tf.Variable(rng.normal(size=(3, 2)))
  with tf.GradientTape() as tape:
    z, log_det, scale = layer.of_batch(tf.constant(weights)).inverse_with_log_det(x)
    loss = tf.reduce_sum(weights * tf.reduce_sum(z**2, axis=-1)) - log_det
  expected = 2 * np.array(weights)[:, np.newaxis] * z / scale
  np.testing.assert_allclose(tape.gradient(loss, x), expected, rtol=1e-12)
  np.testing.assert_array_equal(z, layer.inverse(x))
  np.testing.assert_array_equal(layer.moving_mean, [1.3, -2.1])
  np.testing.assert_array_equal(layer.moving_variance, [4.7, 0.3])


@pytest.mark.parametrize(
  'arguments, message',
  [
    ({'momentum': 1.0}, r'`momentum` must be in \[0, 1\).*got 1.0 and 0.001: 0.9'),
    ({'momentum': 'x'}, r"`momentum` must be in \[0, 1\).*got 'x' and 0.001: 0.9"),
    ({'epsilon': None}, '`epsilon` positive, got 0.9 and None'),
    ({'event_size': 2.5}, '`event_size` must be a whole number from 1, got 2.5: take N'),
    ({'moving_mean': [0.0, 0.0]}, '`moving_mean` is given without `moving_variance`: give both'),
    ({'moving_variance': [1.0, 1.0]}, '`moving_variance` is given without `moving_mean`'),
  ],
)
def test_what_is_no_layer_is_refused(arguments, message):
  with pytest.raises(ValueError, match=message):
    BatchNormalisation(**{'event_size': 2, **arguments})


def test_one_point_has_no_variance():
  with pytest.raises(ValueError, match='`x` is one point, which has no variance'):
    BatchNormalisation(2, training=True).inverse(tf.ones([1, 2]))
