"""One flow for a range of couplings: at each of them the loss, and the bound, of its own target."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras import potentials, targets, training

pytestmark = pytest.mark.slow
FAMILY = targets.Phi4Masses(2, 0.0, dtype=tf.float64)
COUPLINGS = np.array([[0.6], [1.0], [1.9]])


def model(low=(0.5,), high=(2.0,), encoder=None, size=1):
  basis = potentials.TimeBasis(1.0, 2)
  potential = potentials.OneHiddenLayer(
    4, 12, context_size=size, time_basis=basis, dtype=tf.float64, seed=1
  )
  bijector = ma_keras.MongeAmpereBijector(potential, 4, 1 / 4, 'heun')
  made = training.FamilyFreeEnergy(bijector, FAMILY, low, high, batch_size=64, encoder=encoder)
  made.compile(training.adam(0.02, total_steps=100))
  return made


@pytest.fixture(scope='module')
def run():
  """The trained model, and its free energies before it was trained."""
  made = model()
  before = made.scan(COUPLINGS, 1000)
  made.fit(steps_per_epoch=100, epochs=1, verbose=0)
  return made, before


@pytest.fixture
def trained(run):
  return run[0]


@pytest.mark.usefixtures('eagerly')
def test_at_one_coupling_the_loss_is_that_of_its_target():
  family, numbers = model(low=(0.8,), high=(0.8,)), tf.range(64, dtype=tf.int64)
  own = training.VariationalFreeEnergy(family.given([0.8]), FAMILY.at([0.8]), 64)
  own.compile(training.adam(0.02, total_steps=100))
  np.testing.assert_allclose(family._loss(numbers), own._loss(numbers), rtol=1e-12)


def test_couplings_fill_the_box_in_equal_parts():
  couplings = model()._couplings(tf.range(64, dtype=tf.int64)).numpy()[:, 0]
  parts = np.floor((couplings - 0.5) / 1.5 * 64)
  np.testing.assert_array_equal(parts, np.arange(64))


def test_every_free_energy_is_a_bound_and_training_comes_near_it(run):
  """-ln Z of the free field is known at every mass; an untrained flow is far above."""
  trained, before = run
  found = trained.scan(COUPLINGS, 4000)
  exact = np.array([-FAMILY.at(c).exact_log_partition() for c in COUPLINGS])
  gaps = found.free_energies.numpy() - exact
  assert np.all(gaps > -4 * found.errors.numpy())
  assert np.all(gaps < 0.4 * (before.free_energies.numpy() - exact))
  alone = training.measure(trained.given([1.0]), FAMILY.at([1.0]), 2000, 500, seed=1)
  difference = 4 * alone.free_energy_per_site - found.free_energies[1]
  assert abs(difference) < 4 * (4 * alone.statistical_error + found.errors[1])


def test_free_energies_have_derivatives_by_the_coupling(trained):
  """By differences of equal latents; near the optimum it is E[dE/dc] = E[|x|^2] / 2."""
  couplings = tf.constant([[0.9]], tf.float64)
  with tf.GradientTape() as tape:
    tape.watch(couplings)
    free_energy = tf.reduce_sum(trained.scan(couplings, 500).free_energies)
  slope = tape.gradient(free_energy, couplings)[0, 0]
  ends = trained.scan([[0.9 - 1e-4], [0.9 + 1e-4]], 500).free_energies
  np.testing.assert_allclose(slope, (ends[1] - ends[0]) / 2e-4, rtol=1e-5)
  x = trained.density().sample(500, context=couplings[0], seed=1)
  square = 0.5 * np.mean(np.sum(np.square(x), axis=-1))
  assert abs(slope - square) < 0.25


@pytest.mark.usefixtures('eagerly')
def test_an_encoder_is_trained_as_well_and_what_does_not_fit_is_refused():
  layers = [tf_keras.Input((1,)), tf_keras.layers.Dense(3, 'tanh', dtype='float64')]
  made = model(encoder=tf_keras.Sequential(layers), size=3)
  before = [variable.numpy() for variable in made.trainable_variables]
  made.fit(steps_per_epoch=1, epochs=1, verbose=0)
  assert len(before) == 6
  assert all(np.any(old != new) for old, new in zip(before, made.trainable_variables))
  with pytest.raises(ValueError, match='has 1 couplings, and the flow takes 3'):
    model(size=3)
  with pytest.raises(ValueError, match='must be 1 finite couplings each, low <= high'):
    model(low=(2.0,), high=(1.0,))
  with pytest.raises(ValueError, match='leave force_weight and anneal_steps out'):
    training.FamilyFreeEnergy(
      made.bijector, FAMILY, [0.5], [1.0], 8, aids=training.Aids(force_weight=0.1)
    )


def test_couplings_without_their_axis_are_refused():
  made = model()
  with pytest.raises(ValueError, match=r'must be couplings \[M, 1\] .* got shape \(2,\) and 1000'):
    made.scan([0.5, 1.0])
  with pytest.raises(NotImplementedError, match=r'model\.given\(c\), family\.at\(c\)'):
    made.evaluate()
