"""Case 18: Hessians of log densities, by every road TensorFlow has, in seconds."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras.potentials import OneHiddenLayer, Potential
from tests.support.bijectors import points

pytestmark = pytest.mark.slow

N, H, EPSILON = 2, 0.1, 1e-3


def bijector(num_steps=2, gradient='store', potential=None, **options):
  if potential is None:
    potential = OneHiddenLayer(N, 3, dtype=tf.float64)
    for k, variable in enumerate(potential.trainable_variables):
      variable.assign(np.random.default_rng(k).normal(size=variable.shape))
  return ma_keras.MongeAmpereBijector(
    potential, num_steps, H, 'midpoint', gradient=gradient, **options
  )


def flow(*arguments, **options):
  return ma_keras.standard_normal_flow(bijector(*arguments, **options))


def log_density(flow, x):
  """ln p at x [N] by the midpoint rule, written out in NumPy."""
  potential, d = flow.bijector.potential, flow.bijector.horizon.num_steps
  kernel, bias, amplitude = (
    v.numpy() for v in (potential.kernel, potential.bias, potential.amplitude)
  )

  def rates(x):
    slope = 1 / (1 + np.exp(-(x @ kernel + bias)))
    return kernel @ (amplitude * slope), np.sum(
      amplitude * slope * (1 - slope) * np.sum(kernel**2, 0)
    )

  log_det = 0.0
  for _ in range(d):
    start, _ = rates(x)
    velocity, laplacian = rates(x - H / 2 * start)
    x = x - H * velocity
    log_det += H * laplacian
  return -0.5 * np.sum(x**2) - N / 2 * np.log(2 * np.pi) - log_det


def hessian(flow, x):
  """[N, N] by central differences of fourth order."""
  offsets, weights = np.array([-2, -1, 1, 2]) * EPSILON, np.array([1, -8, 8, -1]) / (12 * EPSILON)
  unit, total = np.eye(N), np.zeros([N, N])
  for a, one in zip(offsets, weights):
    for b, two in zip(offsets, weights):
      for i in range(N):
        for j in range(N):
          total[i, j] += one * two * log_density(flow, x + a * unit[i] + b * unit[j])
  return total


def slopes(flow, x):
  with tf.GradientTape() as tape:
    tape.watch(x)
    log_prob = flow.log_prob(x)
  return tape.gradient(log_prob, x)


def batch_jacobian(flow, x):
  with tf.GradientTape() as tape:
    tape.watch(x)
    score = slopes(flow, x)
  return tape.batch_jacobian(score, x)


def jacobian(flow, x):
  with tf.GradientTape() as tape:
    tape.watch(x)
    score = slopes(flow, x)
  return tf.einsum('bibj->bij', tape.jacobian(score, x))


def column_by_column(flow, x):
  with tf.GradientTape(persistent=True) as tape:
    tape.watch(x)
    columns = tf.unstack(slopes(flow, x), axis=-1)
  return tf.stack([tape.gradient(column, x) for column in columns], axis=1)


def hessians(flow, x):
  return tf.einsum('bibj->bij', tf.hessians(flow.log_prob(x), x)[0])


ROADS = {
  'batch_jacobian': batch_jacobian,
  'jacobian': jacobian,
  'columns': column_by_column,
  'tf.hessians': hessians,
}


def check(flow, found, x):
  expected = [hessian(flow, row) for row in x.numpy()]
  np.testing.assert_allclose(found, expected, atol=1e-7)


@pytest.mark.parametrize('road', ROADS)
def test_case_18_in_a_function(road):
  model, x = flow(num_steps=1), points(3, event_size=N)
  check(model, tf.function(lambda x: ROADS[road](model, x), autograph=False)(x), x)


@pytest.mark.parametrize('road', ['batch_jacobian', 'jacobian', 'columns'])
def test_case_18_in_eager_code(road):
  model, x = flow(num_steps=1), points(3, event_size=N)
  check(model, ROADS[road](model, x), x)


@pytest.mark.parametrize(
  'options', [{'gradient': 'recompute'}, {'gradient': 'plain'}, {'batch_size': 2}]
)
def test_case_18_in_other_modes_and_some_points_at_a_time(options):
  model, x = flow(**options), points(3, event_size=N)
  check(model, batch_jacobian(model, x), x)


def test_case_18_a_second_derivative_of_ten_steps_has_no_loops():
  """Loops within loops are what took TensorFlow 20 s: the graph is flat, and of a bounded size."""
  model, x = flow(10), points(3, event_size=N)
  traced = tf.function(lambda x: batch_jacobian(model, x), autograph=False).get_concrete_function(x)
  kinds = [operation.type for operation in traced.graph.get_operations()]
  assert not any('While' in kind for kind in kinds)
  assert len(kinds) < 6_000
  check(model, traced(x), x)


class Cubic(Potential):
  """phi = sum_i x_i^3/6 + c x_0 x_1: a value alone."""

  def __init__(self):
    super().__init__(N)
    self.coupling = tf.Variable(0.3, dtype=tf.float64)

  def __call__(self, t, x):
    return tf.reduce_sum(x**3, axis=-1) / 6 + self.coupling * x[..., 0] * x[..., 1]


def test_case_18_of_a_potential_by_tapes_and_by_its_variables():
  """Mixed derivatives d^2 ln p/dx dc, eagerly, are differences of scores."""
  model, x = flow(potential=Cubic()), points(3, event_size=N)
  variable = model.bijector.potential.coupling
  with tf.GradientTape() as tape:
    total = tf.reduce_sum(slopes(model, x) * points(3, event_size=N, seed=2))
  found = tape.gradient(total, variable)
  ends = []
  for sign in (1, -1):
    variable.assign(0.3 + sign * 1e-5)
    with tf.GradientTape(persistent=True) as tape:  # Which keeps TensorFlow from tracing anything.
      tape.watch(x)
      score = slopes(model, x)
    ends.append(tf.reduce_sum(score * points(3, event_size=N, seed=2)))
  np.testing.assert_allclose(found, (ends[0] - ends[1]) / 2e-5, rtol=1e-7)


def test_one_tape_still_meets_the_fast_pass():
  """A first derivative keeps its loop, whatever its graph is for."""
  model = flow(10)
  spec = tf.TensorSpec([3, N], tf.float64)
  traced = tf.function(lambda x: slopes(model, x), autograph=False).get_concrete_function(spec)
  assert any('While' in operation.type for operation in traced.graph.get_operations())
