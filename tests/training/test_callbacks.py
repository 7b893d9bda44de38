"""The guard stops what must not go on, and nothing else."""

import math

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from ma_keras import training


def guard(exact=-2.0, samples=100):
  callback = training.BoundGuard(exact, samples)
  model = tf_keras.Sequential([tf_keras.layers.Dense(1, input_shape=(1,))])
  callback.set_model(model)
  return callback


def logs(mean, spread=0.1):
  return {'free_energy_per_site': mean, 'spread_per_site': spread}


def test_a_bound_above_the_exact_value_passes():
  guard().on_epoch_end(0, logs(-1.9))


def test_a_bound_below_by_less_than_its_error_passes():
  guard().on_epoch_end(0, logs(-2.04))


def test_a_bound_below_the_exact_value_stops():
  with pytest.raises(training.TrainingStopped, match='--num_steps'):
    guard().on_epoch_end(0, logs(-2.06))


def test_without_an_exact_value_only_nan_stops():
  guard(exact=None).on_epoch_end(0, logs(-99.0))


@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_at_once(value):
  with pytest.raises(training.TrainingStopped, match='--learning_rate'):
    guard().on_train_batch_end(3, logs(value))


def test_variables_that_are_not_finite_stop_before_they_are_saved():
  callback = guard()
  callback.model.trainable_variables[0].assign(tf.fill([1, 1], math.nan))
  with pytest.raises(training.TrainingStopped, match='checkpoint'):
    callback.on_epoch_end(0, logs(-1.9))


def test_snapshots_are_taken_at_the_chosen_epochs(tmp_path):
  run = training.RunDirectory(tmp_path)
  draws = iter(range(10))
  snapshots = training.Snapshots(lambda: np.full(2, next(draws)), [0, 2], run.snapshots)
  for epoch in range(4):
    snapshots.on_epoch_begin(epoch)
  assert {k: v.tolist() for k, v in run.read_snapshots().items()} == {0: [0, 0], 2: [1, 1]}


def divergence_guard(best=math.inf):
  callback = training.DivergenceGuard('nll', best)
  callback.set_model(tf_keras.Sequential([tf_keras.layers.Dense(1, input_shape=(1,))]))
  return callback


def test_a_validation_loss_that_blows_up_stops():
  callback = divergence_guard()
  for value in (1400.0, 1250.0, 1260.0):
    callback.on_epoch_end(0, {'nll': 0.0, 'val_nll': value})
  with pytest.raises(training.TrainingStopped, match=r'rose to 8741\.00 at epoch 4, from 1250\.00'):
    callback.on_epoch_end(3, {'nll': 0.0, 'val_nll': 8741.0})


def test_a_resumed_run_remembers_its_best_and_nan_stops():
  with pytest.raises(training.TrainingStopped, match='from 1000'):
    divergence_guard(1000.0).on_epoch_end(0, {'val_nll': 1100.0})
  with pytest.raises(training.TrainingStopped):
    divergence_guard(1000.0).on_epoch_end(0, {'val_nll': math.nan})
