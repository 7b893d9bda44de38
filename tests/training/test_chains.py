"""Batch normalisation between flows: batch statistics in `fit`, moving averages everywhere else."""

import copy
import pickle

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

import ma_keras
from ma_keras import bases, data, model_file, potentials, training
from ma_keras.distributions import BatchNormalisation, FlowChain
from tests.support import eager

tfb = tfp.bijectors
N, EPSILON = 2, 1e-3
STANDARDISED = data.Standardised([1.0, 2.0], [2.0, 3.0], dtype=tf.float64)
STATIONARY = tf_keras.optimizers.legacy.SGD  # With rate 0 only the moving averages change.


def flow(seed, units=5, **options):
  potential = potentials.OneHiddenLayer(N, units, dtype=tf.float64, seed=seed)
  return ma_keras.MongeAmpereBijector(potential, 2, 0.1, 'euler', name=f'flow_{seed}', **options)


def chain(units=5, seed=0, **options):
  middle = BatchNormalisation(N, momentum=0.5, dtype=tf.float64)
  return tfb.Chain([flow(seed + 1, units, **options), middle, flow(seed + 2, units, **options)])


def model(bijector=None, optimizer=None, **options):
  made = training.MaximumLikelihood(bijector or chain(), penalties=None, **options)
  made.compile(optimizer or STATIONARY(0.0))
  return made


def points(n=40):
  return np.random.default_rng(1).normal(size=(n, N)) * [3.0, 0.5] + [1.0, -2.0]


def nll_by_hand(parts, x, mean, variance):
  """-E[ln p(x)] by both flows and the normalisation between them."""
  last, _, first = parts
  y = last.inverse(tf.constant(x))
  z = (y - mean) / np.sqrt(variance + EPSILON)
  log_dets = last.inverse_log_det_jacobian(x, 1) + first.inverse_log_det_jacobian(z, 1)
  log_base = bases.StandardNormal(N, tf.float64).log_prob(first.inverse(z))
  return -np.mean(log_base + log_dets) + 0.5 * np.sum(np.log(variance + EPSILON))


@pytest.mark.slow
def test_a_last_batch_of_one_row_in_two_parts_leaves_the_moving_averages_alone():
  averages, made = [], model()
  made.accumulate, start = 2, made.get_weights()
  for n in (40, 41):
    made.set_weights(start)
    made.fit(points(41)[:n], batch_size=40, shuffle=False, verbose=0)
    middle = made.bijector.bijectors[1]
    averages.append([middle.moving_mean.numpy(), middle.moving_variance.numpy()])
  np.testing.assert_array_equal(*averages)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_fit_normalises_by_the_batch_and_the_rest_by_moving_averages():
  made, x = model(), points()
  parts = made.bijector.bijectors
  y = parts[0].inverse(tf.constant(x)).numpy()
  mean, variance = y.mean(axis=0), y.var(axis=0)
  logs = made.fit(x, batch_size=len(x), shuffle=False, verbose=0).history
  np.testing.assert_allclose(logs['loss'], nll_by_hand(parts, x, mean, variance), rtol=1e-9)
  np.testing.assert_allclose(parts[1].moving_mean, 0.5 * mean)
  np.testing.assert_allclose(parts[1].moving_variance, 0.5 + 0.5 * variance)
  frozen = nll_by_hand(parts, x, 0.5 * mean, 0.5 + 0.5 * variance)
  assert made.evaluate(x, verbose=0) == pytest.approx(frozen, rel=1e-9)
  density = made.density()
  np.testing.assert_allclose(density.log_prob(x[:1]), density.log_prob(x)[:1], rtol=1e-9)
  np.testing.assert_allclose(-np.mean(density.log_prob(x)), frozen, rtol=1e-9)
  np.testing.assert_allclose(made.predict(x, verbose=0), density.log_prob(x), rtol=1e-9)
  drawn, log_prob = density.experimental_sample_and_log_prob(5, seed=(1, 2))
  np.testing.assert_allclose(density.log_prob(tf.identity(drawn)), log_prob, atol=1e-2)
  np.testing.assert_allclose(parts[1].moving_mean, 0.5 * mean)  # Still.


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_a_row_of_weight_two_stands_twice_in_the_statistics():
  x, weights = points(), np.repeat([2.0, 1.0, 0.0], [10, 20, 10])
  weighted, repeated = model(), model()
  logs = weighted.fit(x, sample_weight=weights, batch_size=40, verbose=0).history
  others = repeated.fit(np.concatenate([x[:30], x[:10]]), batch_size=40, verbose=0).history
  np.testing.assert_allclose(logs['loss'], others['loss'], rtol=1e-9)
  for one, other in zip(weighted.weights, repeated.weights):
    np.testing.assert_allclose(one, other, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_a_normal_density_needs_nothing_but_normalisations():
  """Flows that stand still leave a diagonal Gaussian, whose entropy training ends at."""
  still = [flow(seed) for seed in (1, 2)]
  for part in still:
    part.potential.amplitude.assign(tf.zeros_like(part.potential.amplitude))
  middle, x = BatchNormalisation(N, momentum=0.3, dtype=tf.float64), points()
  made = model(tfb.Chain([still[0], middle, still[1]]))
  made.fit(x, batch_size=len(x), epochs=15, verbose=0)
  variance = x.var(axis=0)
  spread = np.sum(variance / (variance + EPSILON) + np.log(variance + EPSILON))
  assert made.evaluate(x, verbose=0) == pytest.approx(N / 2 * np.log(2 * np.pi) + spread / 2)


@pytest.mark.slow
def test_a_chain_learns_what_one_flow_of_its_size_does():
  """A ring, whose entropy is known, within 0.15 nats."""
  rng = np.random.default_rng(0)
  angle, radius = rng.uniform(0, 2 * np.pi, 4000), 2 + 0.3 * rng.normal(size=4000)
  x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1).astype(np.float32)
  entropy = np.log(2 * np.pi * 0.3) + 0.5 + 0.5 * np.log(2 * np.pi) + np.mean(np.log(radius))
  first, last = (
    ma_keras.MongeAmpereBijector(potentials.OneHiddenLayer(N, 32, seed=seed), 4, 1 / 4, 'heun')
    for seed in (1, 2)
  )
  made = training.MaximumLikelihood(tfb.Chain([last, BatchNormalisation(N), first]))
  made.compile(training.adam(0.03, total_steps=300))
  made.fit(x[:3000], batch_size=200, epochs=20, verbose=0)
  with eager.eagerly():
    assert made.evaluate(x[3000:], batch_size=1000, verbose=0) == pytest.approx(entropy, abs=0.15)


@pytest.fixture(scope='module')
def trained():
  made = model(chain(gradient='plain'), optimizer='adam', preprocessing=STANDARDISED)
  with eager.eagerly():
    made.fit(points(), batch_size=20, verbose=0)
  return made


def again_by_file(made, tmp_path):
  model_file.save(tmp_path / 'm.npz', model_file.Model(made.bijector, made.preprocessing))
  return model_file.load(tmp_path / 'm.npz').flow().log_prob(points()).numpy()


def again_by_keras(made, tmp_path):
  made.save(tmp_path / 'm.keras')
  return tf_keras.models.load_model(tmp_path / 'm.keras').predict(points(), verbose=0)


def again_by_weights(made, tmp_path):
  made.save_weights(tmp_path / 'w.weights.h5')
  other = model(chain(seed=5), preprocessing=made.preprocessing)
  other.load_weights(tmp_path / 'w.weights.h5')
  return other.predict(points(), verbose=0)


def again_by_pickle(made, tmp_path):
  return pickle.loads(pickle.dumps(made)).predict(points(), verbose=0)


def again_by_copy(made, tmp_path):
  return copy.deepcopy(made.density()).log_prob(points()).numpy()


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize(
  'again', [again_by_file, again_by_keras, again_by_weights, again_by_pickle, again_by_copy]
)
def test_moving_averages_come_back_to_the_bit(again, trained, tmp_path):
  back = again(trained, tmp_path)
  by_fit, by_itself = trained.predict(points(), verbose=0), trained.density().log_prob(points())
  expected = by_itself if again in (again_by_file, again_by_copy) else by_fit
  np.testing.assert_array_equal(back, expected)


@pytest.mark.slow
def test_a_saved_model_has_the_densities_of_the_moving_averages(trained, tmp_path):
  trained.export(tmp_path / 'exported')
  exported, density, x = (
    tf.saved_model.load(str(tmp_path / 'exported')),
    trained.density(),
    points(),
  )
  np.testing.assert_allclose(exported.log_prob(x)['log_prob'], density.log_prob(x), rtol=1e-12)
  drawn = exported.sample(tf.constant([1, 2]), tf.constant(4))
  np.testing.assert_allclose(
    exported.log_prob(drawn['x'])['log_prob'], drawn['log_prob'], atol=1e-2
  )
  np.testing.assert_allclose(exported.inverse(x)['z'], density.bijector.inverse(x), rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
  'spoil',
  [
    lambda part: part.update(event_size=3),
    lambda part: part.update(momentum='0.5'),
    lambda part: part.update(code='import os'),
    lambda part: part.pop('epsilon'),
  ],
)
def test_a_file_whose_chain_is_not_one_is_refused(spoil, trained, tmp_path):
  path = tmp_path / 'm.npz'
  model_file.save(path, model_file.Model(trained.bijector))
  with np.load(path) as file:
    arrays = dict(file)
  described = model_file.json.loads(str(arrays['model']))
  assert described['format'] == 4
  spoil(described['chain'][1])
  np.savez(path, **(arrays | {'model': model_file.json.dumps(described)}))
  with pytest.raises(ValueError, match='is damaged, or was written by hand'):
    model_file.load(path)


@pytest.mark.slow
def test_a_conditional_chain_is_trained_too():
  """p(x | o) of x = o + noise: the mean moves with o."""
  rng = np.random.default_rng(0)
  observed = rng.normal(size=(2000, 1))
  x = np.concatenate([2 * observed, -observed], axis=-1) + 0.1 * rng.normal(size=(2000, N))
  last, first = (
    ma_keras.MongeAmpereBijector(
      potentials.OneHiddenLayer(N, 8, context_size=1, seed=seed), 4, 0.25, 'heun'
    )
    for seed in (1, 2)
  )
  made = training.ConditionalLikelihood(tfb.Chain([last, BatchNormalisation(N), first]))
  made.compile(training.adam(0.03, total_steps=200))
  made.fit((observed, x), batch_size=200, epochs=20, verbose=0)
  exact = N * (0.5 * np.log(2 * np.pi) + 0.5 + np.log(0.1))
  with eager.eagerly():
    assert made.evaluate((observed, x), batch_size=1000, verbose=0) == pytest.approx(exact, abs=0.3)


@pytest.mark.slow
def test_a_preprocessing_that_is_trained_is_trained_by_its_log_det():
  """Mean and deviation are the maximum of the likelihood of x = m + s z, z standard normal."""
  still = flow(1)
  still.potential.amplitude.assign(tf.zeros_like(still.potential.amplitude))
  shift = tf.Variable(np.zeros(N))
  log_scale = tf.Variable(np.zeros(N))
  preprocessing = tfb.Chain([tfb.Shift(shift), tfb.Scale(log_scale=log_scale)])
  optimizer, x = tf_keras.optimizers.legacy.Adam(0.05), points()
  made = model(still, optimizer, preprocessing=preprocessing)
  for variable in still.trainable_variables:
    variable._trainable = False
  made.fit(tf.data.Dataset.from_tensors(x).repeat(400), verbose=0)
  np.testing.assert_allclose(shift, x.mean(axis=0), atol=0.02)
  np.testing.assert_allclose(np.exp(log_scale), x.std(axis=0), rtol=0.02)


def test_what_cannot_train_a_chain_says_who_can():
  with pytest.raises(TypeError, match='chains of flows are for MaximumLikelihood'):
    training.FlowMatching(chain())
  assert isinstance(model().bijector, FlowChain)
