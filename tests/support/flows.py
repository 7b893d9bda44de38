"""Potentials whose flow is known in closed form, and what tests ask of a flow."""

import numpy as np
import tensorflow as tf

from ma_keras.potentials import OneHiddenLayer, Potential
from tests.support import reference

EVENT_SIZE = 3
ROTATION = np.linalg.qr(np.random.default_rng(5).normal(size=(EVENT_SIZE, EVENT_SIZE)))[0]
AMPLITUDE = np.array([0.9, -0.6, 0.4])


def points(*leading, seed=1):
  return tf.constant(np.random.default_rng(seed).normal(size=(*leading, EVENT_SIZE)))


class Breathing(Potential):
  """phi = cos(t) sum_j a_j ln cosh (Q'x)_j: its clock is sin t."""

  def __init__(self):
    super().__init__(EVENT_SIZE)
    self.steady = steady()

  def __call__(self, t, x):
    return tf.cos(t) * self.steady(t, x)

  def _gradient_and_laplacian(self, t, x):
    gradient, laplacian = self.steady.gradient_and_laplacian(t, x)
    return tf.cos(t) * gradient, tf.cos(t) * laplacian


def steady():
  """phi = sum_j a_j ln cosh (Q'x)_j: its clock is t."""
  potential = OneHiddenLayer(EVENT_SIZE, EVENT_SIZE, 'log_cosh', use_bias=False, dtype=tf.float64)
  potential.kernel.assign(ROTATION)
  potential.amplitude.assign(AMPLITUDE)
  return potential


CLOCKS = {'steady': lambda t: t, 'breathing': np.sin}
POTENTIALS = {'steady': steady, 'breathing': Breathing}


def exact(name, x, time, reverse=False):
  """Where the flow of `POTENTIALS[name]` takes x over [0, T], and the change of ln p."""
  clock = CLOCKS[name](time)
  return reference.log_cosh_flow(x.numpy(), ROTATION, AMPLITUDE, -clock if reverse else clock)


def max_error(one, two):
  return np.max(np.abs(np.asarray(one) - np.asarray(two)))


def observed_orders(errors):
  """log2 of the ratios of errors at steps h, h/2, h/4, ..."""
  return np.log2(np.asarray(errors)[:-1] / np.asarray(errors)[1:])


def jacobians(function, x):
  """dy/dx of a map of points [B, N] -> [B, N], N copies of x in one reverse pass: [B, N, N]."""
  size = x.shape[-1]
  copies = tf.tile(x[tf.newaxis], [size, 1, 1])
  with tf.GradientTape() as tape:
    tape.watch(copies)
    y = tf.reshape(function(tf.reshape(copies, [-1, size])), copies.shape)
    diagonal = tf.reduce_sum([tf.reduce_sum(y[i, :, i]) for i in range(size)])
  return np.swapaxes(tape.gradient(diagonal, copies), 0, 1)
