"""ln Z by weights and by slopes, against quadrature."""

import dataclasses
import functools
import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras import samplers, targets
from ma_keras.samplers import annealing
from ma_keras.samplers.annealing import resampled_rows
from ma_keras.samplers.ceiling import limited
from ma_keras.samplers.thermodynamic import fejer

tfd = tfp.distributions
SCHEDULE = samplers.Schedule(200, burn_in=200, thinning=3, num_leapfrog_steps=8)


def two_particles():
  """y = (x_1 - x_2)/sqrt(2) in R^3, by quadrature over |y|."""
  within = targets.MeanFreeCoordinates(targets.LennardJones(2))
  radius = np.linspace(0.4, 8.0, 40_001)
  y = np.stack([radius, 0 * radius, 0 * radius], axis=-1)
  density = np.exp(-within.energy(y.astype(np.float32)).numpy().astype(np.float64))
  return within.energy, math.log(4 * np.pi * np.sum(density * radius**2) * (radius[1] - radius[0]))


@functools.cache
def case():
  energy, log_partition = two_particles()
  return samplers.Path(energy, tfd.Sample(tfd.Normal(0.0, 1.0), 3)), log_partition


@pytest.mark.slow
def test_annealed_weights_have_the_mean_z():
  path, log_partition = case()
  annealed = samplers.annealed_importance(path, 2000, 60, 4, seed=1)
  estimate = annealed.estimate
  assert estimate.standard_error < 0.03 and not estimate.doubts()
  assert abs(-estimate.negative_log_partition - log_partition) < 4 * estimate.standard_error
  weighted = np.average(path.energy(annealed.samples), weights=np.exp(annealed.log_weights))
  resampled = path.energy(annealed.resampled(5000, seed=1)).numpy()
  assert resampled.mean() == pytest.approx(weighted, abs=0.1)


@pytest.mark.slow
def test_populations_have_the_mean_z_and_samples_of_the_target():
  """Z has no bias, however few samples a population has."""
  path, log_partition = case()
  for num_samples, num_populations in ((4, 400), (200, 8)):
    found = samplers.sequential_monte_carlo(path, num_samples, num_populations, 60, 4, seed=1)
    error = found.standard_error
    assert error < 0.1 and found.log_partitions.shape == (num_populations,)
    assert abs(found.log_partition - log_partition) < 4 * error
  assert found.samples.shape == (1600, 3) and not found.doubts()
  annealed = samplers.annealed_importance(path, 2000, 60, 4, seed=1)
  expected = path.energy(annealed.resampled(5000, seed=1)).numpy().mean()
  assert path.energy(found.resampled(5000)).numpy().mean() == pytest.approx(expected, abs=0.15)


def test_populations_that_differ_are_a_doubt():
  ones = np.ones([4, 3])
  found = samplers.Populations(np.array([0.0, 3.0]), ones, np.zeros(4))
  assert 'differ by 2.1 nats' in found.doubts() and 'more temperatures' in found.doubts()
  assert not dataclasses.replace(found, log_partitions=np.array([0.0, 0.1])).doubts()


def test_rows_are_resampled_as_often_as_their_weights_say():
  x = tf.reshape(tf.range(12.0), [2, 3, 2])
  log_weights = tf.math.log([[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]])
  rows = resampled_rows(x, log_weights, [1, 2]).numpy()
  assert set(rows[0, :, 0]) <= {0.0, 4.0} and set(rows[1, :, 0]) == {8.0}


@pytest.mark.slow
def test_the_integral_of_slopes_is_ln_z():
  path, log_partition = case()
  integral = samplers.thermodynamic_integration(path, 32, SCHEDULE, 15, seed=1)
  assert integral.standard_error < 0.03
  assert abs(integral.log_partition - log_partition) < 4 * integral.standard_error
  assert integral.quadrature_error < 0.05 and not integral.doubts()


def test_a_ceiling_that_the_target_is_above_is_an_error():
  """An energy may be off by any constant, ln Z with it."""
  path, _ = case()
  above = dataclasses.replace(path, energy=lambda x: path.energy(x) + 500.0)
  with pytest.raises(ValueError, match=r'above `ceiling` 100.*ceiling=c'):
    above.check_ceiling(tf.ones([1, 3]))
  path.check_ceiling(tf.ones([1, 3]))


@pytest.mark.parametrize('sampler', [samplers.annealed_importance, samplers.sequential_monte_carlo])
def test_a_target_without_mass_is_an_error(sampler, eagerly):
  base = tfd.Sample(tfd.Normal(0.0, 1.0), 2)
  for energy in (lambda x: 0.0 * x[..., 0] + math.inf, lambda x: 0.0 * x[..., 0] + math.nan):
    for ceiling in (100.0, None):
      with pytest.raises(ValueError, match='Samples of the target have energies up to'):
        sampler(samplers.Path(energy, base, ceiling=ceiling), 8, num_temperatures=3.0)


@pytest.mark.parametrize('sampler', [samplers.annealed_importance, samplers.sequential_monte_carlo])
def test_energies_that_are_no_numbers_are_an_error_and_no_zero_weights(sampler, eagerly):
  """NaN in a corner of the plane, where few samples are."""
  base = tfd.Sample(tfd.Normal(0.0, 1.0), 2)
  energy = lambda x: tf.where(x[..., 0] > 1.0, math.nan, tf.reduce_sum(x**2, -1))  # noqa: E731
  with pytest.raises(ValueError, match=r'`energy` is not a number for \d+ of \d+ samples'):
    sampler(samplers.Path(energy, base), 64, num_temperatures=3)


def test_weights_are_those_of_the_energy_itself_above_the_ceiling(monkeypatch):
  """E = k x^2/2 - ln(k/2 pi)/2: Z = 1, and most of the target lies above a ceiling of 0."""
  monkeypatch.setattr(annealing, 'LARGEST_SHARE', 1.0)
  stiffness = 4.0
  normal = tfd.Sample(tfd.Normal(tf.constant(0.0, tf.float64), 1.0), 1)

  def energy(x):
    return stiffness * tf.reduce_sum(tf.square(x), axis=-1) / 2 - np.log(stiffness / 2 / np.pi) / 2

  path = samplers.Path(energy, normal, ceiling=0.0)
  annealed = samplers.annealed_importance(path, 4000, 50, seed=1)
  error = annealed.estimate.standard_error
  assert abs(annealed.estimate.negative_log_partition) < 4 * error < 0.2
  clash = tf.constant([[1e100]], tf.float64)
  assert np.isfinite(path.excess(clash)) and path.excess(clash) > 1e100


def test_limited_energies_grow_by_the_logarithm_or_a_power():
  energies = tf.constant([-3.0, 5.0, 1e6])
  np.testing.assert_allclose(limited(energies, 4.0), [-3, 4 + np.log(2), 4 + np.log(1e6 - 3)], 1e-6)
  small = limited(energies, 4.0, power=1e-3)  # The logarithm is the limit p = 0.
  np.testing.assert_allclose(small, limited(energies, 4.0), rtol=0.01)


@pytest.mark.parametrize('n', [3, 7, 15])
def test_fejers_rule_is_exact_for_polynomials_and_nested(n):
  nodes, weights = fejer(n)
  for power in range(n):
    assert weights @ nodes**power == pytest.approx(1 / (power + 1), abs=1e-14)
  assert np.all(weights > 0)
  np.testing.assert_allclose(nodes[1::2], fejer((n - 1) // 2)[0], atol=1e-15)


def test_particles_on_top_of_one_another_have_weight_zero_and_not_nan():
  path, _ = case()
  rise = path.rise(tf.zeros([1, 3]))
  assert np.all(np.isfinite(rise)) and np.all(rise > 100.0)


@pytest.mark.parametrize('options', [{'num_nodes': 4}, {'num_nodes': 1}, {'num_chains': 1}])
def test_bad_numbers_of_nodes_and_chains_are_refused(options):
  path, _ = case()
  arguments = {'num_chains': 4, 'num_nodes': 3, **options}
  with pytest.raises(ValueError, match='`num_nodes` must be odd and at least 3'):
    samplers.thermodynamic_integration(path, schedule=SCHEDULE, **arguments)


@pytest.mark.parametrize('numbers', [(1, 5, 5), (5, 0, 5), (5, 5, 0)])
def test_bad_numbers_of_samples_and_steps_are_refused(numbers):
  path, _ = case()
  with pytest.raises(ValueError, match='`num_samples` must be at least 2'):
    samplers.annealed_importance(path, *numbers)
