"""Derivatives by contexts, and by the encoder behind them, in every gradient mode."""

import functools

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras import potentials, tallies
from tests.support import eager

DOUBLE = {'dtype': tf.float64}
N, C, ROWS, STEPS, H = 2, 2, 5, 2, 0.1
FUNCTIONS = potentials.HyperNetwork(STEPS * H, 3, seed=3, **DOUBLE)


def layer(hidden_units):
  options = {'time_basis': FUNCTIONS, 'context_size': C, 'seed': 1, **DOUBLE}
  return potentials.OneHiddenLayer(N, hidden_units, **options)


POTENTIALS = {
  'in hidden coordinates': lambda: layer(4),
  'in coordinates x': lambda: layer(30),
  'with a rest': lambda: (
    layer(6) + potentials.Separable(N, 2, time_basis=FUNCTIONS, seed=2, context_size=C, **DOUBLE)
  ),
  'by tapes': lambda: potentials.MLP(N, (3,), time_dependent=True, context_size=C, **DOUBLE),
}
MODES = {
  'store': {'integrator': 'heun'},
  'recompute': {'gradient': 'recompute', 'integrator': 'heun'},
  'in chunks': {'batch_size': 3, 'integrator': 'heun'},
  'reversible': {'gradient': 'reversible', 'integrator': 'implicit_midpoint'},
  'adjoint': {'gradient': 'adjoint', 'integrator': 'implicit_midpoint'},
}


CASES = [
  ('in hidden coordinates', 'store'),
  ('in coordinates x', 'store'),
  ('with a rest', 'store'),
  ('with a rest', 'in chunks'),
  ('with a rest', 'reversible'),
  ('with a rest', 'adjoint'),
  ('by tapes', 'recompute'),
]


@functools.cache
def encoder():
  start = tf_keras.initializers.GlorotUniform(1)
  return tf_keras.Sequential(
    [tf_keras.layers.Dense(C, 'tanh', input_shape=(2,), kernel_initializer=start, **DOUBLE)]
  )


def draw(*shape):
  return tf.constant(np.random.default_rng(shape).normal(size=shape))


def log_prob_and_gradients(potential, penalties=(), **options):
  """Log densities, and the gradient of their sum of squares by encoder, potential and points."""
  bijector = ma_keras.MongeAmpereBijector(potential, STEPS, H, **options)
  base = ma_keras.bases.StandardNormal(N, tf.float64)
  x, raw = draw(ROWS, N), draw(ROWS, 2)
  with tf.GradientTape() as tape:
    tape.watch(x)
    there = bijector.solve(x, reverse=True, tallies=penalties, context=encoder()(raw))
    log_prob = base.log_prob(there.x) - there.log_density_change
    loss = tf.reduce_sum(tf.square(log_prob)) + sum(map(tf.reduce_sum, there.tallies.values()))
  sources = [*encoder().trainable_variables, *potential.trainable_variables, x]
  return log_prob, tape.gradient(loss, sources, unconnected_gradients='zero')


@functools.cache
def build(kind):
  return POTENTIALS[kind]()


@functools.cache
def plain(kind, integrator):
  """By TensorFlow alone."""
  return log_prob_and_gradients(build(kind), gradient='plain', integrator=integrator)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize(('kind', 'mode'), CASES)
def test_an_encoder_is_trained_alike_in_all_modes(kind, mode):
  options = MODES[mode]
  log_prob, gradients = plain(kind, options['integrator'])
  ours, pulled = log_prob_and_gradients(build(kind), **options)
  np.testing.assert_allclose(ours, log_prob, rtol=1e-12)
  assert np.abs(gradients[0]).max() > 1e-3  # The encoder's kernel.
  for one, expected in zip(pulled, gradients, strict=True):
    np.testing.assert_allclose(one, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_a_penalty_of_the_context_reaches_the_encoder():
  options = {'penalties': [tallies.HamiltonJacobi()], 'integrator': 'heun'}
  expected = log_prob_and_gradients(build('with a rest'), gradient='plain', **options)
  ours = log_prob_and_gradients(build('with a rest'), **options)
  for one, other in zip(ours[1], expected[1], strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-10)


@pytest.mark.slow
def test_a_compiled_step_trains_the_encoder():
  kind, options = 'in hidden coordinates', {'integrator': 'euler'}
  with eager.eagerly():
    expected = plain(kind, 'euler')[1]
  step = tf.function(lambda: log_prob_and_gradients(build(kind), **options)[1], jit_compile=True)
  for one, other in zip(step(), expected, strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-10)
