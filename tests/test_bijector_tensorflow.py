"""One flow under tf.function, XLA, vectorized_map, SavedModel, two replicas: the same numbers."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import ma_keras
from tests.integration import apps
from tests.support import bijectors, eager
from tests.support.bijectors import generic, points

pytestmark = pytest.mark.slow

METHODS = ('forward', 'inverse', 'forward_log_det_jacobian', 'inverse_log_det_jacobian')


def likelihood_step(flow, x, z):
  """Loss and gradients of a step that goes both ways: data to latent, latent to samples."""
  with tf.GradientTape() as tape:
    y = flow.bijector.forward(z)
    log_det = flow.bijector.forward_log_det_jacobian(z)
    reverse = tf.reduce_mean(tf.reduce_sum(y**2, axis=-1) / 2.0 - log_det)
    loss = reverse - tf.reduce_mean(flow.log_prob(x))
  return [loss, *tape.gradient(loss, flow.trainable_variables)]


def hessian_vector_product(flow, x, vector):
  with tf.GradientTape() as outer:
    outer.watch(x)
    with tf.GradientTape() as inner:
      inner.watch(x)
      log_prob = flow.log_prob(x)
    slope = tf.reduce_sum(inner.gradient(log_prob, x) * vector)
  return outer.gradient(slope, x)


def assert_same(one, two, **tolerance):
  for a, b in zip(tf.nest.flatten(one), tf.nest.flatten(two), strict=True):
    np.testing.assert_allclose(a, b, **(tolerance or {'rtol': 1e-10, 'atol': 1e-12}))


@pytest.mark.parametrize('shape', [[None, 3], [None, None], [None, None, 3]])
def test_unknown_batch_is_traced_once(shape):
  potential, bijector = bijectors.counting()
  flow = ma_keras.standard_normal_flow(bijector)
  signature = [tf.TensorSpec(shape, tf.float64)]
  log_prob = tf.function(flow.log_prob, input_signature=signature)
  for batch in (4, 7, 1, 0):
    x = points(*[2] * (len(shape) - 2), batch)
    assert_same(log_prob(x), flow.log_prob(tf.identity(x)))
  # One trace is the graph's, one that of the eager calls beside it.
  assert len(potential.traces) == 2
  assert potential.solves.numpy() == 8
  static = tf.function(bijector.forward, input_signature=signature).get_concrete_function()
  assert static.output_shapes == [*shape[:-1], 3]


def test_unknown_event_shape_is_checked():
  forward = generic(integrator='euler').forward
  unknown_size = tf.function(forward, input_signature=[tf.TensorSpec([None, None], tf.float64)])
  with pytest.raises(tf.errors.InvalidArgumentError, match='is not compatible'):
    unknown_size(tf.zeros([2, 4], tf.float64))
  unknown_rank = tf.function(forward, input_signature=[tf.TensorSpec(None, tf.float64)])
  np.testing.assert_array_equal(unknown_rank(points(2)), forward(points(2)))
  with pytest.raises(tf.errors.InvalidArgumentError, match=r'Events must have shape'):
    unknown_rank(tf.zeros([2, 4], tf.float64))


def test_xla_computes_the_same_values():
  """In single precision; a training step in double precision is below."""
  bijector = generic(tf.float32, integrator='heun')
  flow = ma_keras.standard_normal_flow(bijector)

  def values(x):
    # A new tensor for each: no value may come from the cache.
    calls = [getattr(bijector, method) for method in METHODS] + [flow.log_prob]
    return [call(tf.identity(x)) for call in calls]

  x = points(2, 2, dtype=tf.float32)
  with eager.eagerly():
    expected = values(x)
  assert_same(tf.function(values, jit_compile=True)(x), expected, rtol=1e-4)


def test_xla_compiles_a_training_step():
  """For every B if asked to: XLA specialises the one graph."""
  flow = ma_keras.standard_normal_flow(generic(integrator='euler'))
  signature = [tf.TensorSpec([None, 3], tf.float64)] * 2
  compiled = tf.function(
    lambda x, z: likelihood_step(flow, x, z), input_signature=signature, jit_compile=True
  )
  for batch in (4, 2):
    x, z = points(batch), points(batch, seed=2)
    with eager.eagerly():
      expected = likelihood_step(flow, x, z)
    assert_same(compiled(x, z), expected)


def test_xla_compiles_second_derivatives():
  """Also after an eager gradient: graphs built later must not inherit its bookkeeping."""
  flow = ma_keras.standard_normal_flow(generic(num_steps=2, integrator='euler'))
  likelihood_step(flow, points(4), points(4, seed=2))

  def product(x, vector):
    return hessian_vector_product(flow, x, vector)

  arguments = points(4), points(4, seed=2)
  plain = tf.function(product, autograph=False)(*arguments)
  compiled = tf.function(product, autograph=False, jit_compile=True)(*arguments)
  assert_same(compiled, plain)
  assert np.max(np.abs(plain)) > 0.1


def vectorized(call):
  return tf.function(
    lambda x: tf.vectorized_map(call, x, fallback_to_while_loop=False), autograph=False
  )


def test_vectorized_map_is_the_batch():
  flow = ma_keras.standard_normal_flow(generic(integrator='euler'))
  for call in (flow.bijector.forward, flow.log_prob):
    with eager.eagerly():
      expected = call(points(4))
    assert_same(vectorized(call)(points(4)), expected)


def test_vectorized_map_stays_small_after_a_gradient():
  flow = ma_keras.standard_normal_flow(generic(integrator='euler'))

  def size():
    graph = vectorized(flow.log_prob).get_concrete_function(points(4)).graph.as_graph_def()
    return sum(len(function.node_def) for function in graph.library.function)

  before = size()
  likelihood_step(flow, points(4), points(4, seed=2))
  assert size() == before > 100


class Exported(tf.Module):
  """What a SavedModel needs: the variables, and two tf.functions; not the TFP objects."""

  def __init__(self, flow):
    super().__init__()
    self.weights = list(flow.variables)
    spec = tf.TensorSpec([None, 3], tf.float64)
    self.log_prob = tf.function(flow.log_prob, input_signature=[spec])
    self.sample = tf.function(
      lambda size, seed: flow.sample(size, seed=seed),
      input_signature=[tf.TensorSpec([], tf.int32), tf.TensorSpec([2], tf.int32)],
    )


def test_saved_model_runs_no_python(tmp_path):
  """A process with TensorFlow alone loads that of `export`: tests/saving/test_export.py."""
  flow = ma_keras.standard_normal_flow(generic(integrator='euler', gradient='plain'))
  tf.saved_model.save(Exported(flow), str(tmp_path / 'model'))
  model = tf.saved_model.load(str(tmp_path / 'model'))
  assert len(model.weights) == 3
  with eager.eagerly():
    sample, log_prob = flow.sample(5, seed=[1, 2]), flow.log_prob(points(4))
  assert_same(model.sample(5, [1, 2]), sample)
  assert_same(model.log_prob(points(4)), log_prob)
  saved = saved_model_pb2.SavedModel.FromString((tmp_path / 'model/saved_model.pb').read_bytes())
  library = saved.meta_graphs[0].graph_def.library.function
  kinds = {node.op for function in library for node in function.node_def}
  assert kinds & {'While', 'StatelessWhile'} and not any('PyFunc' in kind for kind in kinds)


def on_two_replicas():
  """In a process whose devices are not in use yet."""
  cpu = tf.config.list_physical_devices('CPU')[0]
  tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
  x, z = points(6), points(6, seed=2)
  one = likelihood_step(ma_keras.standard_normal_flow(generic(integrator='euler')), x, z)
  strategy = tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1'])
  with strategy.scope():
    flow = ma_keras.standard_normal_flow(generic(integrator='euler'))

  def half(points):
    take = lambda context: points[3 * context.replica_id_in_sync_group :][:3]  # noqa: E731
    return strategy.experimental_distribute_values_from_function(take)

  def step(x, z):
    parts = strategy.run(lambda x, z: likelihood_step(flow, x, z), args=(x, z))
    return [strategy.reduce('MEAN', part, axis=None) for part in parts]

  assert strategy.num_replicas_in_sync == 2
  assert_same(tf.function(step, autograph=False)(half(x), half(z)), one)
  assert_same(step(half(x), half(z)), one)  # Eager: each replica has a compiled flow of its own.


def test_two_replicas_are_one_device():
  apps.passes(on_two_replicas)
