"""Held-out likelihood and its errors, against a Gaussian whose likelihood is known."""

import functools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras import data, training
from ma_keras.training.halving import halve
from ma_keras.training.likelihood import standard_error

tfb = tfp.bijectors
MATRIX = np.array([[0.5, 0.2], [0.2, -0.3]])
X = np.random.default_rng(0).normal(size=(500, 2))


@functools.cache
def gaussian_in_one_step():
  return ma_keras.MongeAmpereBijector(ma_keras.potentials.Quadratic(MATRIX, tf.float64), 1, 1.0)


def gaussian(num_steps):
  """The flow of x.A x/2 over T=1: Normal(0, exp(2 A)); all depths share one trace."""
  return gaussian_in_one_step().copy(num_steps=num_steps, step_size=1.0 / num_steps)


def exact():
  """-ln p of Normal(0, exp(2 A)) at X."""
  values, vectors = np.linalg.eigh(MATRIX)
  z = (X @ vectors) * np.exp(-values)
  return np.sum(z**2, axis=1) / 2 + np.log(2 * np.pi) + np.trace(MATRIX)


@functools.cache
def measured(num_steps, tolerance=0.1, **kwargs):
  return training.measure_likelihood(
    gaussian(num_steps), tfb.Identity(), X, batch_size=300, tolerance=tolerance, **kwargs
  )


@pytest.mark.slow
def test_it_is_the_likelihood_of_the_gaussian_with_the_error_of_the_mean():
  found = measured(20)
  assert found.nll == pytest.approx(np.mean(exact()), abs=1e-6)
  assert found.point_error == pytest.approx(np.std(exact(), ddof=1) / np.sqrt(500), rel=1e-4)
  assert (found.noise_error, found.bits_per_dimension) == (0.0, None)
  assert (found.num_points, found.trained_steps, found.num_steps) == (500, 20, 40)


@pytest.mark.slow
def test_steps_are_halved_until_the_likelihood_stands_still():
  found = measured(1, tolerance=1e-7)
  assert found.num_steps >= 8
  assert found.integration_error <= 1e-7
  assert abs(found.nll - np.mean(exact())) < 1e-7
  assert abs(found.nll_at_trained_steps - np.mean(exact())) > 1e-5
  assert not found.doubts()


@pytest.mark.slow
def test_steps_are_halved_until_there_are_so_many():
  found = measured(4, tolerance=np.inf, least_steps=20)
  assert (found.num_steps, found.trained_steps) == (32, 4)
  change = abs(measured(16, tolerance=np.inf).nll - measured(8, tolerance=np.inf).nll)
  assert found.integration_error == pytest.approx(change, rel=1e-6)


@pytest.mark.slow
def test_the_integration_error_is_the_change_on_halving():
  coarse, fine = measured(1, tolerance=np.inf), measured(2, tolerance=np.inf)
  change = abs(coarse.nll - coarse.nll_at_trained_steps)
  assert coarse.integration_error == pytest.approx(change, rel=1e-9)
  assert coarse.nll == pytest.approx(fine.nll_at_trained_steps, rel=1e-12)
  assert coarse.integration_error > 10 * fine.integration_error


@pytest.mark.slow
def test_an_error_above_the_tolerance_is_doubted():
  found = measured(1, tolerance=np.inf)
  assert '--penalty=stiffness' in found.doubts(tolerance=found.integration_error / 2)


@pytest.mark.slow
def test_the_certified_depth_is_the_least_whose_halving_changes_no_log_density():
  found = measured(2, tolerance=1e-6)
  assert found.trained_steps < found.certified_steps
  assert found.certified_steps == found.num_steps // 2
  changes = []
  for num_steps in (found.certified_steps // 2, found.certified_steps):
    flows = (ma_keras.standard_normal_flow(gaussian(d)) for d in (num_steps, 2 * num_steps))
    one, two = (flow.log_prob(X).numpy() for flow in flows)
    changes.append(two - one)
  assert max(np.sqrt(np.mean(changes[0] ** 2)), np.quantile(abs(changes[0]), 0.95)) > 1e-6
  assert found.root_mean_square_change == pytest.approx(np.sqrt(np.mean(changes[1] ** 2)), rel=1e-3)
  assert found.quantile_change == pytest.approx(np.quantile(abs(changes[1]), 0.95), rel=1e-3)
  assert max(found.root_mean_square_change, found.quantile_change) <= 1e-6


def test_log_densities_that_move_while_their_mean_stands_still_are_doubted():
  assert not likelihood().doubts()
  assert '0.5 root mean square' in likelihood(root_mean_square_change=0.5).doubts()
  assert '0.3 in one of twenty' in likelihood(quantile_change=0.3).doubts()


@pytest.mark.parametrize(
  'trained, error, doubted',
  [
    (3.55, 0.01, False),  # Less than a tenth of a nat.
    (3.3, 0.01, True),
    (3.3, 0.2, False),  # Less than two standard errors.
    (1.11, 0.05, True),
    (5.0, 0.05, True),  # Worse in the steps of training: they say nothing of the model either.
  ],
)
def test_steps_of_training_that_say_something_else_are_doubted(trained, error, doubted):
  doubts = likelihood(nll=3.59, nll_at_trained_steps=trained, point_error=error).doubts()
  assert bool(doubts) == doubted
  if doubted:
    assert f'20 steps of training the NLL is {trained:.2f}, in refined steps 3.59' in doubts
    assert 'standard errors' in doubts and '--penalty' in doubts


def test_case_22_a_model_of_20_steps_that_needs_640_is_doubted_and_keeps_320():
  """Two moons: mean log density -0.26 in 20 steps, -2.69 in 640."""
  nll = {20: 0.26, 40: 1.0, 80: 1.7, 160: 2.3, 320: 2.62, 640: 2.69}
  halving = halve(
    lambda steps: np.full([1, 400], nll[steps]), 20, settled=lambda halving: halving.within()
  )
  assert (halving.num_steps, halving.certified_steps()) == (640, 320)
  at_20, refined = np.mean(halving.first), np.mean(halving.fine)
  doubts = training.cheated(at_20, halving.first_steps, refined, standard_error=0.05)
  assert '20 steps of training the NLL is 0.26, in refined steps 2.69: 2.4 nats' in doubts


def test_a_tenth_of_a_nat_is_put_up_with_whatever_the_standard_error():
  assert not training.cheated(1.09, 20, 1.0, standard_error=0.0)
  assert 'or inf standard errors' in training.cheated(1.11, 20, 1.0, standard_error=0.0)
  assert not training.cheated(1.3, 20, 1.0, standard_error=0.2)


def test_the_standard_error_of_one_two_and_three_points():
  """Points 1 and 3, 1, 2 and 3, each the mean of two draws: their variances are 2 and 1."""
  assert standard_error(np.array([[1.0]])) == np.inf
  assert standard_error(np.array([[0.0, 2.0], [2.0, 4.0]])) == pytest.approx(1.0)
  three = np.array([[0.0, 2.0, 3.0], [2.0, 2.0, 3.0]])
  assert standard_error(three) == pytest.approx(1 / np.sqrt(3))


def likelihood(**changed):
  """A likelihood that nobody doubts, but for what is changed."""
  sound = {
    **{'num_points': 400, 'draws': 1, 'num_steps': 40, 'nll': 1.0, 'point_error': 0.05},
    **{'noise_error': 0.0, 'integration_error': 0.0, 'root_mean_square_change': 0.01},
    **{'quantile_change': 0.01, 'certified_steps': 20, 'trained_steps': 20},
    **{'nll_at_trained_steps': 1.0, 'bits_per_dimension': None},
  }
  return training.Likelihood(**{**sound, **changed})


def test_a_model_of_pixels_that_costs_more_than_uniform_values_is_doubted():
  assert not likelihood(bits_per_dimension=8.01, uniform_bits=8.0).doubts()
  doubt = likelihood(bits_per_dimension=10.33, uniform_bits=8.0).doubts()
  assert 'takes 10.33 bits per dimension, and uniform values take 8' in doubt


@pytest.mark.slow
def test_noise_has_an_error_of_its_own():
  """Over many draws of noise, the mean of two scatters as its error says."""
  images = np.random.default_rng(0).integers(0, 256, (40, 2))
  phi = ma_keras.potentials.Quadratic(MATRIX)
  flow = ma_keras.MongeAmpereBijector(phi, 4, 0.25, 'midpoint')

  def run(seed):
    return training.measure_likelihood(
      flow, data.Pixels(), images, 256, batch_size=40, seed=seed, draws=2
    )

  results = [run(seed) for seed in range(10)]
  scatter = np.std([r.nll for r in results], ddof=1)
  error = np.sqrt(np.mean([r.noise_error**2 for r in results]))
  assert 0.6 < scatter / error < 1.6
  assert 'bits per dimension' in str(results[0])
  assert results[0].uniform_bits == 8.0


@pytest.mark.slow
def test_the_bits_are_those_of_the_density_of_pixels():
  images = np.random.default_rng(0).integers(0, 256, (40, 2))
  phi = ma_keras.potentials.Quadratic(MATRIX)
  flow = ma_keras.MongeAmpereBijector(phi, 4, 0.25)
  found = training.measure_likelihood(flow, data.Pixels(), images, 256, batch_size=7)
  density = ma_keras.data_space_flow(flow.refined(), data.Pixels())
  x = data.dequantised(images, 0)
  expected = -np.mean(density.log_prob(x)) / (2 * np.log(2))
  assert found.bits_per_dimension == pytest.approx(expected, rel=1e-5)
