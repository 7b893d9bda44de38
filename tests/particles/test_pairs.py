"""Sums over pairs by cyclic shifts, against plain loops."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from ma_keras.particles import Pairing


@pytest.mark.parametrize('n', [2, 3, 4, 7])
def test_every_pair_counts_once(n):
  pairing, rng = Pairing(n, 3), np.random.default_rng(n)
  x = rng.normal(size=(5, n, 3))
  events = tf.constant(x.reshape(5, -1))
  pairs = list(itertools.combinations(range(n), 2))
  distances = np.stack([np.sum((x[:, i] - x[:, j]) ** 2, -1) for i, j in pairs], -1)
  squared = pairing.squared_distances(events)
  np.testing.assert_allclose(pairing.over_pairs(squared), distances.sum(-1), rtol=1e-13)
  np.testing.assert_allclose(pairing.over_pairs(squared**3), (distances**3).sum(-1), rtol=1e-13)
  np.testing.assert_array_equal(pairing.flattened(pairing.positions(events)), events)
  again = pairing.events(pairing.columns(events), tf.shape(events))
  np.testing.assert_array_equal(again, events)


@pytest.mark.parametrize('n', [2, 3, 4, 7])
def test_every_particle_meets_all_others(n):
  pairing, rng = Pairing(n, 2), np.random.default_rng(n)
  x = rng.normal(size=(5, n, 2))
  differences = pairing.differences(tf.constant(x.reshape(5, -1)))
  odd = sum(np.sin(x - np.roll(x, -k, 1)) for k in range(1, n))
  even = sum(np.cos(x - np.roll(x, -k, 1)) for k in range(1, n))
  neighbours = pairing.over_neighbours
  np.testing.assert_allclose(neighbours(tf.sin(differences), sign=-1.0), odd.T, atol=1e-13)
  np.testing.assert_allclose(neighbours(tf.cos(differences)), even.T, atol=1e-13)
  values = tf.constant(rng.normal(size=(2, n, 5)))
  both = [values + np.roll(values, -k, 1) for k in range(1, n // 2 + 1)]
  np.testing.assert_allclose(pairing.of_both(values), np.stack(both, 1), atol=1e-14)
  partners = [np.roll(values, -k, 1) for k in range(1, n // 2 + 1)]
  np.testing.assert_array_equal(pairing.partners(values), np.stack(partners, 1))


def test_one_event_at_a_time_is_all_at_once():
  """As tf.GradientTape.batch_jacobian takes them."""
  pairing, x = Pairing(5, 2), tf.constant(np.random.default_rng(0).normal(size=(3, 10)))

  def forces(x):
    differences = pairing.differences(x)
    sums = pairing.over_neighbours(differences**3, sign=-1.0)
    return pairing.events(sums + tf.reduce_sum(pairing.of_both(sums), axis=1), tf.shape(x))

  np.testing.assert_allclose(tf.vectorized_map(forces, x), forces(x), rtol=1e-13)


def test_sizes_are_whole():
  with pytest.raises(ValueError, match=r'`particles` must be at least 2 .* got 1 and 3'):
    Pairing(1, 3)
