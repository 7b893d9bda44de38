"""Ranks are uniform for the right posterior, and for no other; so are labels of like samples."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import posteriors, potentials


def regression(rate):
  """p(x | o) = Normal(rate o, 1) by a force that is the context."""
  potential = potentials.Quadratic(np.zeros([1, 1]), context_kernel=np.array([[rate]]))
  return ma_keras.conditional_flow(ma_keras.MongeAmpereBijector(potential, 1, 1.0, 'euler'))


def pairs(n, rng):
  """o ~ Normal(0, 1), x = o + noise: under o, x is Normal(o, 1)."""
  o = rng.normal(size=(n, 1))
  return o, o + rng.normal(size=(n, 1))


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_the_right_posterior_passes_and_a_biased_one_does_not(rng):
  observed, x = pairs(1000, rng)
  right = posteriors.calibrate(regression(1.0), x, observed, num_draws=39, seed=1)
  assert right.ranks.shape == (1000, 1) and right.ranks.max() <= 39
  assert right.histogram(20).sum() == 1000 and right.passes()
  wrong = posteriors.calibrate(regression(0.5), x, observed, num_draws=39, seed=1)
  assert not wrong.passes()


def test_too_little_to_judge_is_an_error(rng):
  few = posteriors.Calibration(rng.integers(0, 100, size=(50, 2)), 99)
  with pytest.raises(ValueError, match='50 simulations are too few for `bins` 20: simulate 100'):
    few.passes()
  with pytest.raises(ValueError, match='must divide the 100 ranks of 99 draws, got 30'):
    few.histogram(30)
  with pytest.raises(ValueError, match='as many, got 3 and 2'):
    posteriors.calibrate(None, np.zeros([3, 1]), np.zeros([2, 1]))
  with pytest.raises(ValueError, match='must divide the 100 ranks of 99 draws, got 1:'):
    few.passes(bins=1)  # One bin holds all, whatever the ranks are.
  with pytest.raises(ValueError, match='must be positive and whole, got 0 and'):
    posteriors.calibrate(None, np.zeros([3, 1]), np.zeros([3, 1]), num_draws=0)


@pytest.mark.slow
def test_a_classifier_tells_what_differs_and_nothing_else(rng):
  one, two = rng.normal(size=(2, 600, 2))
  alike = posteriors.separability(one, two)
  assert abs(alike.accuracy - 0.5) < 3 * alike.error
  apart = posteriors.separability(one, two + np.array([1.0, 0.0]))
  exact = 0.5 * (1 + 0.3829)  # Phi(1/2) of two normals at a distance of one.
  assert apart.accuracy == pytest.approx(exact, abs=4 * apart.error)


def test_samples_that_cannot_be_compared_are_named(rng):
  one = rng.normal(size=(10, 2))
  with pytest.raises(ValueError, match=r'got \(10, 2\) and \(9, 2\)'):
    posteriors.separability(one, one[1:])
  with pytest.raises(ValueError, match='NaN or infinity'):
    posteriors.separability(one, np.full([10, 2], np.nan))


@pytest.mark.usefixtures('eagerly')
def test_draws_do_not_depend_on_the_batch(rng):
  observed, x = pairs(12, rng)
  one = posteriors.calibrate(regression(1.0), x, observed, 9, seed=1, batch_size=12)
  again = posteriors.calibrate(regression(1.0), x, tf.constant(observed), 9, seed=1, batch_size=12)
  np.testing.assert_array_equal(one.ranks, again.ranks)
