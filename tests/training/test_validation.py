"""The validation likelihood is that of the continuous flow, whatever its few steps would say."""

import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras import training

pytestmark = pytest.mark.slow

NAMES = {'val_nll', 'val_nll_error', 'val_steps', 'val_step_error', 'val_certified_nll'}
POINTS = np.random.default_rng(0).normal(size=(600, 2))
MATRIX, TIME = np.array([[1.0, 0.5], [0.5, -1.0]]), 2.0


@pytest.fixture(scope='module')
def flow():
  """The flow of x.A x/2, Normal(0, exp(2 A T)), in one step: all depths of it share one trace."""
  phi = ma_keras.potentials.Quadratic(MATRIX, tf.float64)
  return ma_keras.MongeAmpereBijector(phi, 1, TIME)


def validation(flow, num_steps, tolerance=0.01):
  bijector = flow.copy(num_steps=num_steps, step_size=TIME / num_steps)
  callback = training.Validation(POINTS, batch_size=100, tolerance=tolerance)
  callback.set_model(training.MaximumLikelihood(bijector, tfp.bijectors.Identity(), batch_size=10))
  return callback


def exact(points=POINTS):
  values, vectors = np.linalg.eigh(MATRIX * TIME)
  z = (points @ vectors) * np.exp(-values)
  return np.sum(z**2, axis=1) / 2 + np.log(2 * np.pi) + np.sum(values)


def logs_of(callback):
  logs = {'nll': 1.0}
  callback.on_epoch_end(0, logs)
  assert logs.keys() == NAMES | {'nll'}
  return logs


def test_it_is_the_likelihood_of_all_points_in_refined_steps(flow):
  logs = logs_of(validation(flow, num_steps=2))
  nll = exact()
  assert logs['val_steps'] > 2
  assert logs['val_nll'] == logs['val_certified_nll'] == pytest.approx(np.mean(nll), abs=0.01)
  assert logs['val_nll_error'] == pytest.approx(np.std(nll, ddof=1) / np.sqrt(600), rel=0.01)


def test_the_step_error_is_what_the_steps_of_training_gain(flow):
  callback = validation(flow, num_steps=2)
  logs = logs_of(callback)
  trained = ma_keras.standard_normal_flow(callback.model.bijector)
  few = POINTS[:512]
  gain = -np.mean(trained.log_prob(few)) - np.mean(exact(few))
  assert abs(gain) > 0.1
  assert logs['val_step_error'] == pytest.approx(gain, abs=0.01)


def test_steps_that_are_fine_enough_stay(flow):
  logs = logs_of(validation(flow, num_steps=64))
  assert logs['val_steps'] == 64
  assert abs(logs['val_step_error']) < 1e-3


def test_a_flow_that_no_depth_certifies_is_never_the_best(flow):
  logs = logs_of(validation(flow, num_steps=1, tolerance=1e-12))
  assert logs['val_steps'] == 16
  assert logs['val_certified_nll'] == math.inf and math.isfinite(logs['val_nll'])


def test_the_next_epoch_is_of_the_weights_it_has(flow):
  callback = validation(flow, num_steps=4)
  first = logs_of(callback)['val_nll']
  matrix = callback.model.bijector.potential.variables[0]
  matrix.assign(np.zeros((2, 2)))
  second = logs_of(callback)['val_nll']
  matrix.assign(MATRIX)
  assert first != second
  standard = np.mean(np.sum(POINTS**2, axis=1) / 2) + np.log(2 * np.pi)
  assert second == pytest.approx(standard, rel=1e-9)
