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


@pytest.mark.parametrize('species', [None, (0, 0, 0), (0, 1, 0), (0, 1, 2), (2, 1, 0, 1, 1)])
def test_kinds_of_pairs_are_counted_without_their_table(species):
  pairing = Pairing.of(len(species or (0, 0)), 2, species, None)
  assert pairing.num_pair_kinds == len(pairing.pair_kinds)
  if pairing.particles % 2:  # Every pair comes once, and is of one kind.
    np.testing.assert_array_equal(pairing.pair_kinds.sum(axis=0), 1)


def test_whole_floats_are_sizes():
  assert Pairing(4.0, 2.0) == Pairing(4, 2) and type(Pairing(4.0, 2.0).event_size) is int


def test_kinds_of_a_file_take_no_memory():
  """A number of 10^9 is no kind, and found out before anything is as large."""
  with pytest.raises(ValueError, match=r'`species` must hold a kind 0, 1, ...'):
    Pairing.of(3, 2, [0, 0, 10**9], None)
  assert Pairing(10**6, 3).num_pair_kinds == 1
  assert Pairing.of(2, 2, np.array([0, 1]), np.array([4.0, 5.0])).box == (4.0, 5.0)


@pytest.mark.parametrize(
  'species, box, message',
  [
    ([True, False], None, r'`species` must be a kind .* got \[True, False\]'),
    ([0.5, 0.5], None, r'`species` must be a kind'),
    (None, '34', r"`box` must be a length for every dimension.* got '34'"),
    (None, 4.0, r'`box` must be a length for every dimension.* got 4.0'),
  ],
)
def test_what_are_no_kinds_and_no_lengths_is_refused(species, box, message):
  with pytest.raises(ValueError, match=message):
    Pairing.of(2, 2, species, box)
