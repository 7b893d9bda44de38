"""Conditional maximum likelihood learns a regression of known answer, from pairs in any form."""

import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras import potentials, training
from tests.support import eager

pytestmark = pytest.mark.slow

NOISE = 0.3


def model(package=tf_keras, **options):
  potential = potentials.OneHiddenLayer(1, 8, context_size=2, seed=0)
  bijector = ma_keras.MongeAmpereBijector(potential, 3, 1 / 3, 'midpoint')
  package.utils.set_random_seed(1)
  encoder = package.Sequential([package.layers.Input((3,)), package.layers.Dense(2)])
  made = training.ConditionalLikelihood(bijector, encoder, **options)
  made.compile(training.adam(0.03, 300, 1, 10.0))
  return made


def pairs(n, seed=0):
  """x = o_0 - o_1 + noise: an entropy of ln(0.3 sqrt(2 pi e))."""
  rng = np.random.default_rng(seed)
  o = rng.normal(size=(n, 3)).astype(np.float32)
  x = o[:, :1] - o[:, 1:2] + NOISE * rng.normal(size=(n, 1))
  return o, x.astype(np.float32)


def test_the_density_is_that_of_the_noise_under_every_context():
  made, (o, x) = model(), pairs(3000)
  made.fit((o, x), batch_size=100, epochs=10, verbose=0)
  test = pairs(2000, seed=1)
  entropy = 0.5 * np.log(2 * np.pi * np.e) + np.log(NOISE)
  with eager.eagerly():
    assert made.evaluate(test, batch_size=500, verbose=0) == pytest.approx(entropy, abs=0.1)
    flow, context = made.density(), np.float32([0.5, -0.5, 0.0])
    samples = flow.given(context).sample(2000, seed=1)
    assert np.mean(samples) == pytest.approx(1.0, abs=0.1)
    assert np.std(samples) == pytest.approx(NOISE, rel=0.3)
    log_prob, found = flow.log_prob(test[1], context=test[0]), made.predict(test, 500, verbose=0)
    np.testing.assert_allclose(found, log_prob, rtol=1e-4, atol=1e-4)
    again = pickle.loads(pickle.dumps(made))
    np.testing.assert_array_equal(again.predict(test, 500, verbose=0), found)


def test_an_encoder_of_keras_3_is_trained_with_the_flow():
  made, (o, x) = model(keras), pairs(600)
  kernel = np.array(made.conditional.encoder.model.layers[-1].kernel)
  losses = made.fit((o, x), batch_size=100, epochs=5, verbose=0).history['loss']
  assert losses[-1] < losses[0] - 0.1
  assert np.max(np.abs(made.conditional.encoder.model.layers[-1].kernel - kernel)) > 0.01
  again = pickle.loads(pickle.dumps(made))
  with eager.eagerly():
    found = [each.predict((o, x), batch_size=600, verbose=0) for each in (made, again)]
  np.testing.assert_array_equal(*found)


@pytest.mark.usefixtures('eagerly')
def test_pairs_come_in_every_form():
  o, x = pairs(32)
  made = model()
  expected = made.evaluate((o, x), verbose=0)
  data = tf.data.Dataset.from_tensor_slices((o, x)).batch(16)
  forms = [{'context': o, 'x': x}, np.concatenate([o, x], axis=1), data]
  for form in forms:
    assert made.evaluate(form, verbose=0) == pytest.approx(expected, rel=1e-5)
  batches = ((o[k : k + 16], x[k : k + 16]) for k in range(0, 32, 16))
  assert made.evaluate(batches, verbose=0) == pytest.approx(expected, rel=1e-5)
  twice = np.where(np.arange(32) < 16, 2.0, 1.0)
  repeated = made.evaluate((np.concatenate([o, o[:16]]), np.concatenate([x, x[:16]])), verbose=0)
  for weighted in ((o, x, twice), {'context': o, 'x': x, 'sample_weight': twice}):
    assert made.evaluate(weighted, verbose=0) == pytest.approx(repeated, rel=1e-5)
  history = made.fit(data, epochs=1, validation_data=data, verbose=0).history
  assert np.isfinite(history['val_loss'][0])


@pytest.mark.usefixtures('eagerly')
def test_whole_numbers_are_dequantised_by_request():
  o, x = pairs(64)
  counts = np.round(3 * x).astype(np.int32)
  with pytest.raises(ValueError, match='dequantise=True'):
    model().fit((o, counts), verbose=0)
  with pytest.raises(ValueError, match='dequantise=True'):
    model().fit(np.concatenate([np.round(o).astype(np.int32), counts], axis=1), verbose=0)
  made = model(dequantise=True)
  noisy = made.predict((o, counts), batch_size=64, verbose=0)
  bare = model().predict((o, counts.astype(np.float32)), batch_size=64, verbose=0)
  assert np.all(noisy != bare)
  np.testing.assert_array_equal(noisy, made.predict((o, counts), batch_size=64, verbose=0))


@pytest.mark.parametrize(
  'data, message',
  [
    (lambda o, x: x, r'contexts \[n, O\].* O = 3 and N = 1; got ndarray of shape \(64, 1\)'),
    (lambda o, x: (o[:5], x), '5 contexts and 64 points'),
    (lambda o, x: (o, np.where(x > 1, np.nan, x)), 'NaN'),
    (lambda o, x: (np.where(o > 1, np.inf, o), x), 'infinity'),
    (lambda o, x: (o, np.concatenate([x, x], axis=1)), 'rows of 1 numbers'),
  ],
)
def test_what_are_no_pairs_is_named(data, message):
  with pytest.raises(ValueError, match=message):
    model().fit(data(*pairs(64)), verbose=0)
