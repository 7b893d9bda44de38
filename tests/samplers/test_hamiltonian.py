"""Hamiltonian chains of energies whose moments are known, and the doubts about those that fail."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from ma_keras import samplers, targets
from ma_keras.samplers.hamiltonian import mean_over_chains, split_r_hat
from tests.support.graphs import without_xla

STIFFNESS = np.array([0.5, 1.0, 4.0])
SCHEDULE = samplers.Schedule(200, burn_in=100, thinning=2, num_leapfrog_steps=5, step_size=0.2)


def harmonic(x):
  return 0.5 * tf.reduce_sum(tf.constant(STIFFNESS, x.dtype) * tf.square(x), axis=-1)


@functools.cache
def harmonic_chains():
  return samplers.hamiltonian_chains(harmonic, tf.ones([64, 3], tf.float64), SCHEDULE, seed=1)


@pytest.mark.slow
def test_a_harmonic_energy_has_half_a_unit_for_every_coordinate():
  chains = harmonic_chains()
  energy = chains.mean()
  assert energy.error < 0.05 and abs(energy.value - 1.5) < 4 * energy.error
  for stiffness, x in zip(STIFFNESS, np.moveaxis(chains.samples, -1, 0)):
    square = chains.mean(x**2)
    assert abs(square.value - 1 / stiffness) < 4 * square.error
  assert chains.samples.shape == (200, 64, 3) and not chains.doubts()


@pytest.mark.slow
def test_samples_carry_their_energies_and_the_acceptance_is_as_asked_for():
  chains = harmonic_chains()
  np.testing.assert_allclose(harmonic(tf.constant(chains.samples)), chains.energies, rtol=1e-12)
  full, small = SCHEDULE.target_acceptance, 0.98  # Steps of half of the trajectories each.
  assert chains.acceptance == pytest.approx((full + small) / 2, abs=0.06)
  assert 1.0 < chains.split_r_hat < 1.05


@pytest.mark.slow
def test_equal_seeds_give_equal_chains(eagerly):
  start, brief = tf.ones([64, 3], tf.float64), samplers.Schedule(4, 1, num_leapfrog_steps=1)
  one, again, other = (
    samplers.hamiltonian_chains(harmonic, start, brief, seed).samples for seed in (1, 1, 2)
  )
  np.testing.assert_array_equal(again, one)
  assert np.any(one != other) and np.all(one[-1, 0] != one[-1, 1])


@pytest.mark.slow
def test_chains_on_two_sides_of_a_wall_are_doubted(eagerly):
  """E = 50 (x^2 - 1)^2: half of the chains in each well, and the energy of one is higher."""
  wells = lambda x: 50.0 * tf.square(tf.square(x[..., 0]) - 1.0) + 2.0 * x[..., 0]  # noqa: E731
  start = tf.constant([[1.0], [-1.0]] * 4)
  brief = samplers.Schedule(16, burn_in=16, num_leapfrog_steps=2)
  chains = samplers.hamiltonian_chains(wells, start, brief, seed=1)
  assert chains.acceptance > 0.5 and np.all(np.sign(chains.samples) == np.sign(start))
  assert 'R-hat' in chains.doubts()


def test_an_observable_that_has_not_mixed_is_doubted_where_the_energy_has(rng):
  """Chains of [S, C] in two equal wells: their energies are alike, and their sides never change."""
  chains = samplers.Chains(np.zeros((200, 8, 1)), rng.normal(size=(200, 8)), 0.8, step_size=0.1)
  side = np.tile([1.0, -1.0], 4) + 0.1 * rng.normal(size=(200, 8))
  assert not chains.doubts()
  assert 'Split R-hat of the side is' in chains.doubts(side, 'the side')


def test_few_effective_samples_of_an_observable_are_doubted(rng):
  chains = samplers.Chains(np.zeros((8, 8, 1)), rng.normal(size=(8, 8)), 0.8, 0.1)
  assert 'of 64 of the energy' in chains.doubts()
  charge = np.round(100 * chains.energies).astype(int)
  assert 'of 64 of the charge' in chains.doubts(charge, 'the charge')
  with pytest.raises(ValueError, match=r'one for each sample, \[8, 8\], got \[64\]'):
    chains.doubts(charge.reshape(64))


@pytest.mark.slow
def test_two_particles_have_the_virial_of_their_distance():
  target = targets.LennardJones(2)
  within = targets.MeanFreeCoordinates(target)
  start = tf.tile(tf.eye(3), [24, 1])
  with without_xla():
    chains = samplers.hamiltonian_chains(within.energy, start, SCHEDULE, seed=1)
  virial = chains.mean(target.virial(within.positions(chains.samples)))
  assert virial.error < 0.5 and abs(virial.value - 3.0) < 4 * virial.error


def test_the_error_of_a_mean_is_that_of_independent_chains(rng):
  values = rng.normal(size=(50, 1)) * 0.0 + rng.normal(size=(1, 400))
  mean = mean_over_chains(values)  # Chains that stand still count once each.
  assert mean.value == pytest.approx(values[0].mean())
  assert mean.error == pytest.approx(1 / 20, rel=0.2)


def test_split_r_hat_sees_chains_that_drift_together(rng):
  drift = np.linspace(0.0, 3.0, 500)[:, np.newaxis] + rng.normal(size=(500, 8))
  assert split_r_hat(rng.normal(size=(500, 8))) < 1.02
  assert split_r_hat(drift) > 1.2


@pytest.mark.parametrize(
  'options, message',
  [
    ({'num_samples': 3}, '`num_samples` must be at least 4'),
    ({'burn_in': 0}, '`burn_in`'),
    ({'thinning': 1.5}, '`thinning`'),
    ({'step_size': 0.0}, '`step_size` must be positive'),
    ({'num_leapfrog_steps': 0}, '`num_leapfrog_steps`'),
    ({'target_acceptance': 1.0}, '`target_acceptance`'),
  ],
)
def test_bad_schedules_are_refused_by_name(options, message):
  with pytest.raises(ValueError, match=message):
    samplers.Schedule(**{'num_samples': 10, **options})


def test_bad_starts_are_refused():
  with pytest.raises(ValueError, match=r'two chains at least, got \(1, 3\)'):
    samplers.hamiltonian_chains(harmonic, tf.ones([1, 3]), SCHEDULE)
  with pytest.raises(ValueError, match='finite energies; 1 of 2'):
    samplers.hamiltonian_chains(harmonic, [[1.0, 2.0, 3.0], [np.inf, 0.0, 0.0]], SCHEDULE)
