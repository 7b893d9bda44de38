"""Antithetic draws are standard normal twins; annealing ends where it should."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from ma_keras import bases, seeds
from ma_keras.training import Aids, aids

N = 12


def latents(found, numbers=range(400), batch_size=400):
  seed = seeds.PerSample(tf.constant([1, 2]), tf.constant(list(numbers), tf.int64), batch_size)
  return found.latents(bases.StandardNormal(N, tf.float64), seed).numpy()


def test_twins_have_one_direction_and_mirrored_radii():
  z = latents(Aids(antithetic=True))
  squares = np.sum(z**2, axis=-1)
  directions = z / np.sqrt(squares)[:, np.newaxis]
  np.testing.assert_allclose(directions[:200], directions[200:], rtol=1e-9)
  ranks = scipy.stats.chi2(N).cdf(squares)
  np.testing.assert_allclose(ranks[:200] + ranks[200:], 1.0, rtol=1e-9)


def test_a_twin_of_a_twin_is_the_draw_itself():
  z = latents(Aids())
  np.testing.assert_allclose(aids.mirrored(aids.mirrored(tf.constant(z))), z, rtol=1e-8)


def test_points_of_any_rank_are_mirrored_one_by_one():
  z = latents(Aids())
  deep = aids.mirrored(tf.reshape(z, [4, 100, N]))
  np.testing.assert_allclose(tf.reshape(deep, [400, N]), aids.mirrored(tf.constant(z)), rtol=1e-12)


def test_twins_are_standard_normal():
  z = latents(Aids(antithetic=True), range(20000), 20000)[10000:]
  assert scipy.stats.kstest(z.ravel(), 'norm').pvalue > 1e-3


def test_the_radius_mirrored_in_float32_is_that_of_float64():
  z = latents(Aids())
  single = aids.mirrored(tf.constant(z, tf.float32)).numpy()
  np.testing.assert_allclose(single, aids.mirrored(tf.constant(z)), rtol=2e-5)


def test_a_share_of_the_batch_draws_what_the_whole_does():
  np.testing.assert_array_equal(
    latents(Aids(antithetic=True), [3, 203, 7]), latents(Aids(antithetic=True))[[3, 203, 7]]
  )


def test_annealing_rises_to_one_and_stays():
  found = Aids(anneal_steps=10, anneal_from=0.2)
  values = [found.inverse_temperature(k, tf.float64) for k in (0, 5, 10, 500)]
  np.testing.assert_allclose(values, [0.2, 0.6, 1.0, 1.0], rtol=1e-12)


@pytest.mark.parametrize(
  'arguments, message',
  [
    ({'force_weight': -1.0}, '`force_weight` must not be negative, got -1.0'),
    ({'anneal_steps': -1}, '`anneal_steps` must not be negative'),
    ({'anneal_steps': 5, 'anneal_from': 0.0}, '`anneal_from` be positive'),
  ],
)
def test_bad_numbers_are_named(arguments, message):
  with pytest.raises(ValueError, match=message):
    Aids(**arguments)


def test_pairs_need_an_even_batch():
  with pytest.raises(ValueError, match='must be even, got 7'):
    Aids(antithetic=True).check(7, bases.StandardNormal(N))


def test_energies_above_the_ceiling_grow_like_a_fourth_root():
  limited = Aids(energy_ceiling=-3.0).limited
  energies = tf.constant([-30.0, -3.0, -2.0, 1e30, np.inf])
  roots = -3.0 + 4 * (np.array([2.0, 1e30]) ** 0.25 - 1)
  np.testing.assert_allclose(limited(energies), [-30.0, -3.0, *roots, np.inf], rtol=1e-6)
  x = tf.constant([-30.0, -3.0, -2.0, 1e30])
  with tf.GradientTape() as tape:
    tape.watch(x)
    values = limited(x)
  np.testing.assert_allclose(tape.gradient(values, x), [1.0, 1.0, 2**-0.75, 1e30**-0.75], rtol=1e-5)
  assert Aids().limited(energies) is energies
  with pytest.raises(ValueError, match='`energy_ceiling` must be a finite energy in kT, got nan'):
    Aids(energy_ceiling=np.nan)
