"""Trajectories of random length and step: what is drawn, and what the search of sizes sees."""

import math

import numpy as np
import pytest
import tensorflow as tf

from ma_keras import seeds
from ma_keras.samplers.trajectories import (
  SMALLEST,
  RandomTrajectories,
  TrajectoryResults,
  random_length,
  random_scale,
  steering,
)


@pytest.mark.slow
def test_lengths_are_uniform_around_their_mean():
  key = seeds.stateless(1, salt='test')
  lengths = np.array([random_length(3, seeds.fold_in(key, k)).numpy() for k in range(600)])
  assert set(lengths) == {1, 2, 3, 4, 5}
  assert lengths.mean() == pytest.approx(3.0, abs=0.25)


@pytest.mark.slow
def test_half_of_all_steps_are_full_and_the_others_log_uniform():
  key = seeds.stateless(1, salt='test')
  scales = [random_scale(seeds.fold_in(key, k), tf.float64).numpy() for k in range(800)]
  full = np.isclose(scales, 1.0)
  assert full.mean() == pytest.approx(0.5, abs=0.07)
  logs = np.log(np.array(scales)[~full]) / math.log(SMALLEST)
  assert logs.min() >= 0 and logs.max() <= 1
  assert random_scale(key, tf.float64, smallest=1.0) == 1.0
  np.testing.assert_allclose(np.quantile(logs, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.07)


def test_a_step_moves_chains_and_leaves_the_step_size_to_the_search():
  kernel = RandomTrajectories(lambda x: -0.5 * tf.reduce_sum(x**2, axis=-1), 0.3, 2)
  x = tf.ones([4, 3], tf.float64)
  start = kernel.bootstrap_results(x)
  for k in range(4):
    y, results = kernel.one_step(x, start, seed=[1, k])
    assert float(results.inner_results.accepted_results.step_size) == pytest.approx(0.3)
    assert np.all(results.acceptance() <= 1.0) and y.shape == x.shape
    moved = np.any(y != x, axis=-1)
    np.testing.assert_array_equal(moved, results.inner_results.is_accepted)


def test_small_steps_tell_the_search_nothing():
  inner = RandomTrajectories(lambda x: -tf.reduce_sum(x, axis=-1), 0.3, 2).bootstrap_results(
    tf.ones([2, 1])
  )
  ratio = tf.constant([-1.0, 2.0])
  record = TrajectoryResults(inner.inner_results._replace(log_accept_ratio=ratio), tf.ones([]))
  np.testing.assert_allclose(steering(record, 0.8), [-1.0, 0.0])
  small = record._replace(scale=tf.constant(0.5))
  np.testing.assert_allclose(steering(small, 0.8), np.full(2, math.log(0.8)), rtol=1e-6)
