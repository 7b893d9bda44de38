"""Small bijectors, a potential that counts, and finite differences."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras.potentials import OneHiddenLayer, Quadratic

tfd = tfp.distributions

EVENT_SIZE = 3
MATRIX = np.array([[0.3, 0.1, 0.0], [0.1, -0.2, 0.2], [0.0, 0.2, 0.1]])


class Counting(Quadratic):
  """The quadratic potential; counts the solves that are executed and those that are traced."""

  def __init__(self):
    super().__init__(MATRIX, tf.float64)
    self.solves = tf.Variable(0, trainable=False)
    self.traces = []

  def prepared(self, times=None):
    # A flow prepares its potential once per solve, before the loop over steps.
    self.traces.append(None)
    self.solves.assign_add(1)
    return self


def counting():
  potential = Counting()
  return potential, ma_keras.MongeAmpereBijector(
    potential, num_steps=4, step_size=0.1, integrator='euler'
  )


def generic(dtype=tf.float64, num_steps=3, step_size=0.2, event_size=EVENT_SIZE, **kwargs):
  """A bijector far from the identity, whose log determinant depends on the point."""
  potential = OneHiddenLayer(event_size, 4, dtype=dtype)
  rng = np.random.default_rng(3)
  for variable in potential.trainable_variables:
    variable.assign(rng.normal(size=variable.shape))
  return ma_keras.MongeAmpereBijector(potential, num_steps, step_size, **kwargs)


def standard_normal(event_size=EVENT_SIZE, dtype=tf.float64):
  zero = tf.zeros([], dtype)
  return tfd.Sample(tfd.Normal(zero, tf.ones_like(zero)), event_size)


def points(*leading, seed=1, dtype=tf.float64, event_size=EVENT_SIZE):
  """New tensors at every call: TFP's cache knows nothing of them."""
  return tf.constant(np.random.default_rng(seed).normal(size=(*leading, event_size)), dtype)


def expm(symmetric):
  values, vectors = np.linalg.eigh(symmetric)
  return (vectors * np.exp(values)) @ vectors.T


def gaussian_log_density(x, covariance, mean=0.0):
  x = np.asarray(x) - mean
  quadratic = np.einsum('...i,ij,...j', x, np.linalg.inv(covariance), x)
  return -0.5 * (quadratic + np.linalg.slogdet(2 * np.pi * covariance)[1])


def central_difference(function, variable, direction, epsilon=1e-5):
  """(f(v + e d) - f(v - e d)) / 2 e, by moving the variable there and back."""
  start = variable.numpy()
  ends = []
  for sign in (1.0, -1.0):
    variable.assign(start + sign * epsilon * direction)
    ends.append(function().numpy())
  variable.assign(start)
  return (ends[0] - ends[1]) / (2 * epsilon)
