"""bfloat16 products: how much log density they cost, and that they are used."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras.flow import gradients
from ma_keras.potentials import OneHiddenLayer
from tests.support import eager

N = 32
LOW = gradients.Store(products=tf.bfloat16)


def bijector(hidden_units, gradient, integrator='heun'):
  potential = OneHiddenLayer(N, hidden_units, seed=0)
  rng = np.random.default_rng(0)
  potential.amplitude.assign(rng.normal(size=hidden_units) / np.sqrt(hidden_units))
  return ma_keras.MongeAmpereBijector(potential, 10, 0.1, integrator, gradient)


def points():
  return tf.constant(np.random.default_rng(1).normal(size=[256, N]), tf.float32)


# Few hidden units: hidden coordinates. Many: x itself.
@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('hidden_units', [16, 128])
def test_the_error_of_the_log_density_is_that_of_bfloat16(hidden_units):
  """2^-9 per factor, at random over N terms: a few 1e-3 of the log determinant and no more."""
  x = points()
  full, low = (bijector(hidden_units, g).inverse_log_det_jacobian(x, 1) for g in ('store', LOW))
  assert low.dtype == tf.float32
  error = np.abs(low - full) / np.abs(full).mean()
  assert 1e-6 < error.mean() < 2.0**-8
  assert error.max() < 2.0**-6


def flow_of(hidden_units, gradient):
  return ma_keras.standard_normal_flow(bijector(hidden_units, gradient))


def derivatives(flow):
  with tf.GradientTape() as tape:
    loss = tf.reduce_mean(flow.log_prob(points()))
  return tape.gradient(loss, flow.trainable_variables)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('hidden_units', [16, 128])
def test_gradients_point_the_same_way(hidden_units):
  found = [derivatives(flow_of(hidden_units, gradient)) for gradient in ('store', LOW)]
  for one, two in zip(*found, strict=True):
    assert one.dtype == two.dtype == tf.float32
    assert np.linalg.norm(one - two) < 0.02 * np.linalg.norm(one)


@pytest.mark.slow
def test_the_pieces_between_products_are_compiled_in_a_graph_and_change_nothing():
  """Where factors are rounded may differ by a last bit, and no more."""
  flow = flow_of(16, LOW)
  build = tf.function(lambda: derivatives(flow), autograph=False)
  bodies = build.get_concrete_function().graph.as_graph_def().library.function
  assert any('_XlaMustCompile' in body.attr for body in bodies)
  with eager.eagerly():
    expected = derivatives(flow)
  for one, two in zip(build(), expected, strict=True):
    assert np.linalg.norm(one - two) < 0.01 * np.linalg.norm(one)


def test_where_there_is_no_such_pass_it_says_so():
  with pytest.raises(ValueError, match='`products` bfloat16 need a OneHiddenLayer'):
    bijector(16, LOW, integrator='gauss4').forward(points())
