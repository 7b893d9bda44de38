"""The measured free energy where it is known, and its two errors where they are known."""

import functools
import re

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import seeds, symmetry, targets, training
from ma_keras.training import draws

N = 4


class Harmonic:
  """E = |x|^2/2, ln Z = N/2 ln(2 pi)."""

  event_size = N
  dtype = tf.float64

  def energy(self, x):
    return tf.reduce_sum(tf.square(x), axis=-1) / 2


def drawn(coarse, fine):
  """Draws of those values of ln p + E."""
  fields = np.zeros([len(coarse), N])
  return training.Draws(draws.Weighted(fields, coarse), draws.Weighted(fields, fine), 10)


@functools.cache
def measured(rate=0.5, num_steps=4, integrator='rk4'):
  potential = ma_keras.potentials.Quadratic(rate * np.eye(N), dtype=tf.float64)
  bijector = ma_keras.MongeAmpereBijector(potential, num_steps, 1 / num_steps, integrator)
  exact = -np.log(2 * np.pi) / 2
  return training.measure(bijector, Harmonic(), 20000, 10000, seed=1, exact_per_site=exact)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_free_energy_and_divergence_of_gaussians():
  result = measured()
  divergence = N / 2 * (np.e - 2)  # Standard deviation exp(1/2): s^2 - 1 - ln s^2 = e - 2.
  assert abs(result.total_kl - divergence) < 4 * N * result.statistical_error
  assert result.gap_percent == pytest.approx(100 * result.gap_per_site / (np.log(2 * np.pi) / 2))


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_a_free_energy_of_particles_is_that_of_the_space_of_their_shapes():
  """Normal(0, s^2) on the (n - 1) d coordinates without a centre: KL as in N of them."""
  particles, dimensions, rate = 3, 2, 0.5
  base = ma_keras.bases.MeanFreeNormal(particles, dimensions, tf.float64)
  centre = np.full([particles, particles], 1 / particles)
  shapes = np.kron(np.eye(particles) - centre, np.eye(dimensions))
  potential = ma_keras.potentials.Quadratic(rate * shapes, dtype=tf.float64)
  bijector = ma_keras.MongeAmpereBijector(potential, 4, 0.25)
  target = Harmonic()
  target.event_size = particles * dimensions
  size = target.event_size
  exact = -base.degrees_of_freedom * np.log(2 * np.pi) / 2 / size
  result = training.measure(bijector, target, 20000, 10000, seed=1, exact_per_site=exact, base=base)
  divergence = base.degrees_of_freedom / 2 * (np.e - 2)
  assert abs(result.total_kl - divergence) < 4 * size * result.statistical_error
  halving = training.halve_on_samples(bijector, 64, 32, seed=0, base=base)
  assert halving.within(1e-4)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_integration_error_is_that_of_euler():
  """Euler: x = (1 + rate h)^d z and ln p = ln p_0 - N rate T, whatever the step."""
  result = measured(num_steps=10, integrator='euler')
  spread = {d: (1 + 0.5 / d) ** (2 * d) for d in (10, 20)}
  expected = abs(spread[10] - spread[20]) / 2  # Of E/N = <x^2>/2; ln p is the same for both.
  assert result.integration_error == pytest.approx(expected, rel=0.02)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_reweighting_recovers_the_partition_function():
  result = measured(rate=0.2)
  exact = -np.log(2 * np.pi) / 2
  assert abs(result.reweighted_per_site - exact) < 4 * result.reweighted_error
  assert 0.5 < result.effective_sample_size < 1


@pytest.mark.slow
def test_few_samples_in_halved_steps_stand_for_all():
  """The same latents, so the same values; what few of them say of the change is what all say."""
  potential = ma_keras.potentials.Quadratic(0.2 * np.eye(N), dtype=tf.float64)
  bijector = ma_keras.MongeAmpereBijector(potential, 4, 0.25, 'euler')
  arguments = (bijector, Harmonic(), 20000, 100, 1)
  every, few = training.draw(*arguments), training.draw(*arguments, halved=1950)
  np.testing.assert_array_equal(few.coarse.free_energies, every.coarse.free_energies)
  np.testing.assert_array_equal(few.fine.free_energies, every.fine.free_energies[:2000])
  whole, part = training.summarise(every), training.summarise(few)
  assert part.free_energy_per_site == whole.free_energy_per_site
  assert part.integration_error == pytest.approx(whole.integration_error, rel=0.1)
  off = part.reweighted_per_site - whole.reweighted_per_site
  assert abs(off) < 0.1 * whole.reweighted_integration_error


def test_the_statistical_error_is_that_of_the_mean():
  values = np.random.default_rng(0).normal(size=64)
  result = training.summarise(drawn(values, values))
  assert result.statistical_error == pytest.approx(values.std(ddof=1) / 8 / N)
  assert result.exact_per_site is None and result.total_kl is None


@pytest.mark.slow
def test_samples_of_a_random_potential_are_independent():
  """Every sample has group elements of its own: batch means scatter as single values would."""
  potential = ma_keras.potentials.OneHiddenLayer(4, 8, seed=1, dtype=tf.float64)
  potential.kernel.assign(3.0 * potential.kernel)
  potential.amplitude.assign(9.0 * potential.amplitude)
  potential = symmetry.OneElementPerInterval(potential, symmetry.square_lattice(2), 1.0)
  bijector = ma_keras.MongeAmpereBijector(potential, 1, 1.0)
  evaluate = draws.evaluator(bijector, Harmonic(), 100)
  keys = seeds.split(0, 100, salt='test')
  values = np.stack([evaluate(key)[1].numpy() for key in keys])
  ratio = 100 * values.mean(axis=1).var(ddof=1) / values.var(ddof=1)
  assert abs(ratio - 1) < 4 * np.sqrt(2 / 99)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_the_line_names_both_errors_and_the_exact_value():
  line = str(measured())
  for word in ('statistical', 'integration', 'exact', 'gap', '%', 'KL', 'ESS', 'reweighted'):
    assert word in line


def number(pattern, text):
  return float(re.search(pattern.replace('*', r'([-+\d.e]+)'), text).group(1))


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_the_numbers_of_the_line_are_those_of_the_result():
  result = measured(rate=0.2)
  line = str(result)
  assert number(r'F/N = *', line) == pytest.approx(result.free_energy_per_site, abs=1e-6)
  assert number(r'KL * nats', line) == pytest.approx(result.total_kl, abs=1e-3)
  percent = 100 * result.effective_sample_size
  assert number(r'ESS * %', line) == pytest.approx(percent, rel=5e-3)
  assert number(r'% of *;', line) == result.num_samples


@pytest.mark.slow
def test_a_target_without_exact_value_is_measured_too():
  potential = ma_keras.potentials.OneHiddenLayer(9, 4, 'log_cosh', use_bias=False, seed=1)
  bijector = ma_keras.MongeAmpereBijector(potential, 4, 0.1, 'heun')
  result = training.measure(bijector, targets.Phi4(3, 1.0, 0.5), 64, 32, seed=0)
  assert 'exact' not in str(result)
  assert np.isfinite(result.free_energy_per_site)


def test_a_bound_below_the_exact_value_is_doubted():
  values = np.random.default_rng(0).normal(size=200)
  honest = training.summarise(drawn(values, values), exact_per_site=-0.1)
  cheated = training.summarise(drawn(values, values), exact_per_site=1.0)
  coarse = training.summarise(drawn(values, values + 5.0), exact_per_site=-9.0)
  assert honest.doubts() == ''
  assert 'cheated' in cheated.doubts()
  assert 'integration error' in coarse.doubts()


def test_a_change_on_halving_counts_in_nats_and_standard_errors():
  """A tenth of a nat at most, or the statistical error where that is more."""

  def doubts(num_sites, change, spread):
    spins = np.zeros([400, num_sites], np.int8)
    values = spread * np.random.default_rng(0).normal(size=400)
    coarse, fine = (training.draws.Weighted(spins, v) for v in (values, values + change))
    return training.summarise(training.Draws(coarse, fine, 4)).doubts()

  assert not doubts(4096, 0.09, spread=0.1)
  doubt = doubts(4096, 0.11, spread=0.1)
  assert number(r'F is * nats', doubt) == pytest.approx(0.11)
  assert number(r'or * standard errors', doubt) == pytest.approx(0.11 * 20 / 0.1, rel=0.1)
  assert not doubts(4096, 0.11, spread=4.0)  # Its statistical error is 0.2 nats.
  assert doubts(64, 0.05, spread=0.1)  # 1e-4 a site are 0.0064 nats.
