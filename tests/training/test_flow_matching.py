"""Flow matching, against flows that are known."""

import re

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras import potentials, training


def bijector(num_steps=8, time=0.7):
  potential = potentials.Quadratic(tf.zeros([2, 2], tf.float64), tf.float64)
  return ma_keras.MongeAmpereBijector(potential, num_steps, time / num_steps, dtype=tf.float64)


@pytest.mark.slow
def test_straight_lines_to_a_scaled_copy_are_found(rng):
  """x = e z: the velocity is (e - 1) z/T at x_t = (1 + (e - 1) t/T) z, linear at every time."""
  flow = bijector()
  model = training.FlowMatching(flow, times=4)
  model.compile(tf_keras.optimizers.Adam(0.05))
  z = rng.normal(size=(64, 2))
  history = model.fit(z, np.e * z, batch_size=64, epochs=150, verbose=0).history['loss']
  # The best constant c of E |c x_t - (e - 1) z/T|^2, with s = x_t/z uniform on [1, e].
  s = np.linspace(1.0, np.e, 10_001)
  best = (np.e - 1.0) / 0.7 * s.mean() / np.mean(s**2)
  np.testing.assert_allclose(flow.potential.matrix, best * np.eye(2), atol=0.05)
  assert history[-1] < history[0]


def test_times_are_checked():
  with pytest.raises(ValueError, match='`times` must be a positive integer, got 0'):
    training.FlowMatching(bijector(), times=0)


@pytest.mark.slow
def test_a_compiled_step_takes_its_batch_as_parameters(rng):
  """XLA compiles anew at every step where the batch or a variable is a constant of the program."""
  potential = potentials.EmbeddedAtoms(3, 2, 2, shells=2, seed=0)
  flow = ma_keras.MongeAmpereBijector(potential, 2, 0.5)
  model = training.FlowMatching(flow, times=2)
  model.compile(tf_keras.optimizers.SGD(0.01))
  batch = tuple(tf.constant(rng.normal(size=(4, 6)), tf.float32) for _ in range(2))
  step = tf.function(lambda *ends: model.train_step(ends), jit_compile=True, autograph=False)
  program = step.experimental_get_compiler_ir(*batch)(stage='hlo')
  assert len(re.findall(r'= f32\[4,6\]\S* parameter\(', program)) == 2
