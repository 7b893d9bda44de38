"""Training as a Keras model: steps named by (seed, step), gradients of the global batch."""

import functools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

import ma_keras
from ma_keras import objectives, symmetry, targets, training
from tests.support import eager

pytestmark = pytest.mark.slow

SIDE = 2
N = SIDE * SIDE


def model(seed=0, batch_size=8, potential_seed=1, symmetric=True, **aids):
  potential = ma_keras.potentials.OneHiddenLayer(
    N, 6, 'log_cosh', use_bias=False, dtype=tf.float64, seed=potential_seed
  )
  if symmetric:
    potential = symmetry.OneElementPerInterval(potential, symmetry.square_lattice(SIDE), 0.1)
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.1, 'euler')
  target = targets.Ising(SIDE, dtype=tf.float64)
  aids = training.Aids(**aids)
  made = training.VariationalFreeEnergy(bijector, target, batch_size, seed, aids=aids)
  made.compile(training.adam(1e-2, 100))
  return made


class Harmonic:
  """E = |x|^2/2."""

  event_size = N
  dtype = tf.float64

  def energy(self, x):
    return tf.reduce_sum(tf.square(x), axis=-1) / 2


def weights_after(made, steps, numbers=None):
  numbers = tf.range(made.batch_size, dtype=tf.int64) if numbers is None else numbers
  made.optimizer.build(made.trainable_variables)
  with eager.eagerly():
    for _ in range(steps):
      made.train_step(numbers)
  return np.concatenate([v.numpy().ravel() for v in made.trainable_variables])


@functools.cache
def weights_of_the_model():
  """After two steps, what several tests compare with."""
  return weights_after(model(), 2)


def test_all_variables_are_trained():
  made = model(symmetric=False)
  assert {v.name for v in made.trainable_variables} == {'kernel:0', 'amplitude:0'}
  before = [v.numpy() for v in made.trainable_variables]
  weights_after(made, 1)
  assert all(np.any(v.numpy() != b) for v, b in zip(made.trainable_variables, before))


def test_the_same_seed_trains_the_same_and_another_does_not():
  same, again, other = weights_of_the_model(), *(weights_after(model(seed), 2) for seed in (0, 1))
  np.testing.assert_array_equal(same, again)
  assert np.abs(same - other).max() > 1e-4


def test_nothing_tunes_the_numbers_of_samples():
  assert not model().sample_numbers(3).options().autotune.enabled


def test_parts_of_the_batch_add_up_to_the_whole():
  parts = model()
  parts.accumulate = 4
  np.testing.assert_allclose(weights_after(parts, 2), weights_of_the_model(), rtol=1e-9)


def test_the_order_of_the_samples_does_not_matter():
  """Each sample number names its own latent and group elements, whichever replica gets it."""
  numbers = tf.constant([5, 2, 7, 0, 1, 3, 6, 4], tf.int64)
  np.testing.assert_allclose(weights_after(model(), 2, numbers), weights_of_the_model(), rtol=1e-9)


def test_every_step_draws_anew():
  made = model(symmetric=False)
  first = made.per_sample_seeds(tf.range(1), 'salt')[0].seed
  weights_after(made, 1)
  second = made.per_sample_seeds(tf.range(1), 'salt')[0].seed
  assert np.all(first != second)


def test_the_free_energy_falls_and_stays_above_the_exact_one():
  made = model(batch_size=64)
  exact = made.target.exact_free_energy_per_site()
  history = made.fit(made.sample_numbers(40), epochs=3, verbose=0).history['free_energy_per_site']
  assert history[-1] < history[0] - 0.1
  assert history[-1] > exact


@pytest.mark.usefixtures('eagerly')
def test_force_matching_is_added_with_its_weight():
  made = model(symmetric=False, force_weight=3.0)
  latents = tf.random.stateless_normal([5, N], [5, 6], dtype=tf.float64)
  flow = made.flow(0)
  free_energies, penalties = made._terms(flow, latents)
  x = flow.bijector.forward(latents)
  expected = 3.0 * objectives.force_matching(flow, made.target.energy, x)
  np.testing.assert_allclose(penalties, expected, rtol=1e-10)
  plain = objectives.reverse_kl(flow, made.target.energy, latents)
  np.testing.assert_allclose(free_energies, plain, rtol=1e-12)


def test_force_matching_trains():
  plain, forced = model(symmetric=False), model(symmetric=False, force_weight=10.0)
  assert np.abs(weights_after(plain, 2) - weights_after(forced, 2)).max() > 1e-6


def test_sizes_that_do_not_fit_are_rejected():
  bijector = model().bijector
  with pytest.raises(ValueError, match=r'event_size=9.*4'):
    training.VariationalFreeEnergy(bijector, targets.Ising(3, dtype=tf.float64), 8)
  for wrong in (0, 2.5):
    with pytest.raises(ValueError, match=f'batch_size.*got {wrong}'):
      training.VariationalFreeEnergy(bijector, targets.Ising(2, dtype=tf.float64), wrong)


@pytest.mark.usefixtures('eagerly')
def test_path_gradients_change_the_noise_and_not_the_value_of_the_loss():
  made, along_paths = model(symmetric=False), model(symmetric=False, path_gradient=True)
  latents = tf.random.stateless_normal([5, N], [5, 6], dtype=tf.float64)
  for a, b in zip(made._terms(made.flow(0), latents), along_paths._terms(made.flow(0), latents)):
    np.testing.assert_array_equal(a, b)
  assert np.abs(weights_after(made, 1) - weights_after(along_paths, 1)).max() > 1e-4


@pytest.mark.usefixtures('eagerly')
def test_annealing_scales_the_energy_of_the_loss_and_not_what_is_reported():
  made, cooling = model(symmetric=False), model(symmetric=False, anneal_steps=10)
  latents = tf.random.stateless_normal([5, N], [5, 6], dtype=tf.float64)
  free_energies, _ = made._terms(made.flow(0), latents)
  same, penalties = cooling._terms(cooling.flow(0), latents)
  np.testing.assert_array_equal(free_energies, same)
  energies = made.target.energy(made.flow(0).bijector.forward(latents))
  np.testing.assert_allclose(penalties, -0.5 * energies, rtol=1e-12)


def test_fit_needs_no_data_and_refuses_them():
  made = model(symmetric=False, batch_size=4)
  history = made.fit(steps_per_epoch=2, epochs=2, verbose=0).history
  assert int(made.optimizer.iterations) == 4
  assert history.keys() == {'loss', 'free_energy_per_site', 'spread_per_site'}
  per_site = np.array(history['free_energy_per_site'])
  np.testing.assert_allclose(history['loss'], N * per_site, rtol=1e-12)
  with pytest.raises(ValueError, match=r'takes no data: fit\(steps_per_epoch=100'):
    made.fit(np.zeros([8, N]))
  with pytest.raises(NotImplementedError, match=r'training.measure\('):
    made.evaluate()
  with pytest.raises(NotImplementedError, match=r'flow.log_prob'):
    made.predict()


def test_a_base_is_trained_with_the_flow():
  """Normal(m, 1) towards Normal(0, 1), phi = 0: F falls by Adam's rate times the sign of m."""
  still = ma_keras.potentials.Quadratic(np.zeros([N, N]), dtype=tf.float64)
  bijector = ma_keras.MongeAmpereBijector(still, 2, 0.1)
  mean = tf.Variable([1.0, -1.0, 2.0, -3.0], dtype=tf.float64)
  base = tfp.distributions.MultivariateNormalDiag(mean, tf.ones(N, tf.float64))
  made = training.VariationalFreeEnergy(bijector, Harmonic(), 64, base=base)
  made.compile(tf_keras.optimizers.Adam(0.1))
  weights_after(made, 1)
  np.testing.assert_allclose(mean, [0.9, -0.9, 1.9, -2.9], atol=1e-6)


def test_bases_that_do_not_go_with_an_aid_are_refused():
  bijector = model().bijector
  mixture = ma_keras.bases.Mixture([1.0], np.zeros([1, N]), np.eye(N)[None], tf.float64)
  with pytest.raises(ValueError, match=r'`antithetic` mirrors radii of a StandardNormal.*Mixture'):
    training.VariationalFreeEnergy(
      bijector, Harmonic(), 8, aids=training.Aids(antithetic=True), base=mixture
    )
  means = tf.Variable(np.zeros([2, N]))
  learnt = tfp.distributions.MixtureSameFamily(
    tfp.distributions.Categorical(probs=tf.constant([0.5, 0.5], tf.float64)),
    tfp.distributions.MultivariateNormalDiag(means, tf.ones(N, tf.float64)),
  )
  with pytest.raises(ValueError, match='its draws have no derivative by them'):
    training.VariationalFreeEnergy(bijector, Harmonic(), 8, base=learnt)
