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
  with pytest.raises(training.TrainingStopped, match=r'at epoch 1 .*--num_steps'):
    guard().on_epoch_end(0, logs(-2.06))


def test_without_an_exact_value_only_nan_stops():
  guard(exact=None).on_epoch_end(0, logs(-99.0))


@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_at_once(value):
  with pytest.raises(training.TrainingStopped, match=r'at step 4.*--learning_rate'):
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
  training.Snapshots(None, [], run.snapshots)  # As when the run is resumed: nothing is lost.
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


def test_a_training_loss_that_blows_up_stops_where_there_is_no_validation():
  callback = training.DivergenceGuard('loss', best=64.5, first=75.2, validated=False, margin=36)
  callback.set_model(tf_keras.Sequential([tf_keras.layers.Dense(1, input_shape=(1,))]))
  callback.on_epoch_end(3, {'loss': 64.5 + 35.9})
  with pytest.raises(
    training.TrainingStopped, match=r'The loss rose to 268\.80 at epoch 5, from 64'
  ):
    callback.on_epoch_end(4, {'loss': 268.8})


def run_of(values, error=None, training_losses=None):
  """A guard that has seen these validation losses, one an epoch."""
  callback = divergence_guard()
  for epoch, value in enumerate(values):
    logs = {'val_nll': value}
    if error is not None:
      logs['val_nll_error'] = error
    if training_losses is not None:
      logs['nll'] = training_losses[epoch]
    callback.on_epoch_end(epoch, logs)
  return callback


@pytest.mark.parametrize(
  'values, error',
  [
    ([2.8, 0.4, 0.0, 0.01, 0.03], 0.02),  # A likelihood near zero: per cents mean nothing.
    ([0.5, 0.0, -1.2, -1.0, -1.3], 0.05),
    ([-8.0, -8.3, -7.9], 0.1),
    ([30.0, 12.0, 7.31, 7.69], 1.0),  # Breast cancer: 5 % of 7.31 are a third of its error.
    ([4.2, 4.5], 0.1),  # At the optimum from the first epoch on: chance alone.
    ([0.0, 1e-3], None),
  ],
)
def test_healthy_runs_pass_whatever_the_zero_of_their_likelihood(values, error):
  run_of(values, error)
  shift = 1e3  # Units of the data shift all by one number.
  run_of([value - shift for value in values], error)


@pytest.mark.parametrize(
  'values',
  [
    [np.log(2 * np.pi * np.e) + np.log(1 - 0.998**2) / 2, 0.0, 0.01],
    [2.84, -1.97, -1.97 * 0.95, -1.97 * 0.9],
    [*np.linspace(18.0, 7.31, 79), 7.69],
  ],
  ids=['centimetres and inches', 'correlated normals', 'breast cancer at epoch 80'],
)
def test_case_23_a_rise_of_5_per_cent_is_within_the_fall_so_far(values):
  """Whatever the standard error, and wherever the units of the data put the zero."""
  for shift in (0.0, -values[-1]):
    run_of([value + shift for value in values], error=0.0)


@pytest.mark.parametrize(
  'values, error',
  [
    ([1400.0, 1244.9, 8741.0], 2.0),  # The authors' own.
    ([0.5, 0.0, -1.2, 1.0], 0.05),
    ([3.0, 3.5], 0.05),
    ([-900.0, -1000.0, -850.0], 1.0),
    ([10.0, 5.0, math.inf], 1.0),
  ],
)
def test_runs_that_lose_more_than_they_had_gained_stop(values, error):
  run_of(values[:-1], error)
  with pytest.raises(training.TrainingStopped, match=f'at epoch {len(values)}'):
    run_of(values, error)


def test_overfitting_is_no_divergence():
  """The training loss still falls; the weights of the best epoch are what is kept."""
  falling, rising = [3.0, 2.0, 1.0], [3.0, 2.0, 2.5]
  run_of([3.0, 2.0, 6.0], 0.1, falling)
  with pytest.raises(training.TrainingStopped):
    run_of([3.0, 2.0, 6.0], 0.1, rising)


def test_a_resumed_run_remembers_its_first_epoch_and_its_training_loss():
  def resumed(**kwargs):
    callback = training.DivergenceGuard('nll', 1000.0, **kwargs)
    callback.set_model(tf_keras.Sequential([tf_keras.layers.Dense(1, input_shape=(1,))]))
    return callback

  logs = {'nll': 900.0, 'val_nll': 1100.0, 'val_nll_error': 1.0}
  resumed(first=1200.0, best_training=800.0).on_epoch_end(5, logs)
  with pytest.raises(training.TrainingStopped):
    resumed(first=1050.0, best_training=800.0).on_epoch_end(5, logs)


@pytest.mark.parametrize('error, sigma', [(0.1, 0.1), (None, 0.2)])
def test_chance_ends_at_five_standard_errors_of_a_difference(error, sigma):
  """Two validations that are each off by sigma differ by sqrt(2) sigma."""
  limit = 5 * np.sqrt(2 * sigma**2)
  run_of([2.0, 2.0 + 0.99 * limit], error)
  with pytest.raises(training.TrainingStopped):
    run_of([2.0, 2.0 + 1.01 * limit], error)
