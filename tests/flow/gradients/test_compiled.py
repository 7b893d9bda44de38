"""Case 20: own potentials train under XLA in the default mode, or one line says why not."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras.potentials import Potential
from tests.support import eager
from tests.support.bijectors import points

pytestmark = pytest.mark.slow

N, H = 2, 4


class Products(Potential):
  """phi by tensor products, whose derivatives permute axes."""

  def __init__(self, event_size):
    super().__init__(event_size)
    rng = np.random.default_rng(0)
    self.kernel = tf.Variable(rng.normal(size=[event_size, H]), dtype=tf.float64)
    self.amplitude = tf.Variable(rng.normal(size=[H]), dtype=tf.float64)

  def __call__(self, t, x):
    columns = tf.tensordot(tf.transpose(self.kernel), x, [[1], [1]])  # [H, B]
    return 0.1 * tf.exp(-t) * tf.tensordot(tf.tanh(columns), self.amplitude, [[0], [0]])


class Operations(Products):
  """phi out of operations whose derivatives permute, count or pad axes."""

  def __call__(self, t, x):
    value = super().__call__(t, x)
    gathered = tf.gather(x, [1, 0, 1, 0], axis=-1) + tf.cumsum(
      tf.einsum('bn,nh->bh', x, self.kernel), -1
    )
    value += tf.reduce_sum(0.1 * tf.nn.softmax(gathered) * self.amplitude, axis=-1)
    row = tf.nn.conv1d(x[..., tf.newaxis], self.kernel[tf.newaxis, :1], 1, 'SAME')
    square = tf.linalg.matmul(row, row, transpose_a=True)
    return value + 0.1 * tf.reduce_logsumexp(square, axis=[-2, -1])


def slopes(potential, x, jit_compile, gradient='store'):
  flow = ma_keras.standard_normal_flow(
    ma_keras.MongeAmpereBijector(potential, 2, 0.1, 'euler', gradient=gradient)
  )

  @tf.function(jit_compile=jit_compile, autograph=False)
  def step(x):
    with tf.GradientTape() as tape:
      loss = -tf.reduce_mean(flow.log_prob(x))
    return [loss, *tape.gradient(loss, potential.trainable_variables)]

  return step(x)


@pytest.mark.parametrize(
  'build, event_size',
  [(Operations, N), (Products, 34)],  # 34 rows of a Hessian are a loop.
)
def test_case_20_common_operations_train_under_xla(build, event_size):
  potential, x = build(event_size), points(5, event_size=event_size)
  compiled = slopes(potential, x, jit_compile=True)
  with eager.eagerly():
    expected = slopes(potential, x, jit_compile=False, gradient='recompute')
  for one, two in zip(compiled, expected, strict=True):
    np.testing.assert_allclose(one, two, rtol=1e-8, atol=1e-12)


class Looping(Potential):
  """phi by a loop over points."""

  def __init__(self):
    super().__init__(N)
    self.rate = tf.Variable(1.0, dtype=tf.float64)

  def __call__(self, t, x):
    return tf.map_fn(lambda row: self.rate * tf.reduce_sum(row**3), x)


def test_case_20_a_loop_is_told_what_to_do_under_xla():
  with pytest.raises(
    ValueError, match=r'Looping has a loop .*leave out jit_compile.*vectorized_map'
  ):
    slopes(Looping(), points(3, event_size=N), jit_compile=True)


class Conditioned(Potential):
  """phi = c sum_i x_i^3/6 with a tensor c from outside."""

  def __init__(self, factor):
    super().__init__(N)
    self.factor = factor

  def __call__(self, t, x):
    return self.factor * tf.reduce_sum(x**3, axis=-1) / 6


def test_tensors_from_outside_keep_their_derivative_under_xla():
  def slope(factor, x):
    with tf.GradientTape() as tape:
      tape.watch(factor)
      bijector = ma_keras.MongeAmpereBijector(Conditioned(factor), 2, 0.1, 'heun', dtype=tf.float64)
      loss = tf.reduce_sum(bijector.forward(x))
    return tape.gradient(loss, factor)

  arguments = tf.constant(0.3, tf.float64), points(3, event_size=N)
  found = tf.function(slope, jit_compile=True, autograph=False)(*arguments)
  with eager.eagerly():
    np.testing.assert_allclose(found, slope(*arguments), rtol=1e-10)
  assert abs(found) > 1e-3
