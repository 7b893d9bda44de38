"""`batch_size`: the same flow so many rows at a time, forwards and backwards."""

import functools

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import symmetry
from ma_keras.flow import gradients
from ma_keras.potentials import Hutchinson
from ma_keras.seeds import PerSample
from tests.potentials import cases as potentials
from tests.support import eager
from tests.support.bijectors import generic, points
from tests.symmetry import cases as symmetric

SEED = tf.constant([3, 4])
SMALL = {'num_steps': 2, 'integrator': 'euler'}


def per_sample(batch):
  return PerSample(SEED, tf.range(batch), batch)


def random_elements(batch):
  group = symmetry.square_lattice(symmetric.SIDE)
  return symmetry.OneElementPerInterval(symmetric.layer(), group, 0.1, seed=per_sample(batch))


# Potentials with draws for every row: those of a chunk must be those of the whole batch.
RANDOM = {
  'elements': random_elements,
  'probes': lambda batch: symmetric.layer().with_laplacian(Hutchinson(seed=2)),
  'probes of samples': lambda batch: symmetric.layer().with_laplacian(
    Hutchinson(seed=per_sample(batch))
  ),
  'sum': lambda batch: random_elements(batch) + symmetric.layer(seed=1),
}


def likelihood(bijector, x, **options):
  """ln p and its derivatives by x and all variables."""
  flow = ma_keras.standard_normal_flow(bijector)
  with tf.GradientTape() as tape:
    tape.watch(x)
    log_prob = flow.log_prob(x, **options)
    total = tf.reduce_sum(tf.sin(log_prob))
  return [log_prob, *tape.gradient(total, [x, *bijector.trainable_variables])]


@functools.cache
def small():
  """One flow for several tests, and its likelihoods of five points."""
  bijector = generic(**SMALL)
  with eager.eagerly():
    return bijector, likelihood(bijector, points(5))


def assert_close(one, two):
  for a, b in zip(one, two, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.slow
def test_chunks_are_the_whole():
  """By the compiled calls of a bijector."""
  bijector, expected = small()
  assert_close(likelihood(bijector.copy(batch_size=2), points(5)), expected)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('batch_size', [2, 8])
def test_one_call_has_a_batch_size_of_its_own(batch_size):
  bijector, expected = small()
  options = {'bijector_kwargs': {'batch_size': batch_size}}
  assert_close(likelihood(bijector, points(5), **options), expected)
  assert_close(likelihood(bijector.copy(batch_size=batch_size), points(5)), expected)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('gradient', ['plain', 'recompute', 'adjoint'])
def test_every_mode_goes_in_chunks(gradient):
  bijector = generic(gradient=gradient, **SMALL)
  assert_close(likelihood(bijector.copy(batch_size=2), points(5)), likelihood(bijector, points(5)))


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('name', ['value only', 'mlp in time'])
def test_potentials_with_tapes_of_their_own_go_in_chunks(name):
  bijector = ma_keras.MongeAmpereBijector(
    potentials.CASES[name](), 2, 0.1, 'euler', dtype=tf.float64
  )
  chunked, x = bijector.copy(batch_size=2), potentials.points(5)
  log_det = bijector.forward_log_det_jacobian(x)
  assert np.ptp(log_det) > 0.01
  assert_close([chunked.forward_log_det_jacobian(x)], [log_det])
  assert_close(likelihood(chunked, x)[:2], likelihood(bijector, tf.identity(x))[:2])


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('name', RANDOM)
def test_rows_keep_their_draws(name):
  bijector = ma_keras.MongeAmpereBijector(RANDOM[name](5), 2, 0.1, 'euler')
  x = symmetric.points(5)
  whole = likelihood(bijector, x)
  assert_close(likelihood(bijector.copy(batch_size=2), tf.identity(x)), whole)
  assert np.ptp(whole[0]) > 0.1


@pytest.mark.slow
@pytest.mark.parametrize('jit_compile, batches', [(False, (5, 4)), (True, (5,))])
def test_chunks_in_graphs_of_any_batch(jit_compile, batches):
  """XLA compiles the graph anew for every batch size: one will do."""
  bijector, _ = small()
  spec = tf.TensorSpec([None, 3], tf.float64)
  compiled = tf.function(
    lambda x: likelihood(bijector.copy(batch_size=2), x),
    input_signature=[spec],
    jit_compile=jit_compile,
    autograph=False,
  )
  for batch in batches:
    with eager.eagerly():
      expected = likelihood(bijector, points(batch))
    assert_close(compiled(points(batch)), expected)


def solved(bijector, x, **options):
  solution = bijector.solve(x, tallies=['stiffness', 'kinetic'], **options)
  return tf.nest.flatten([part for part in solution if part is not None])


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_every_call_of_the_bijector_goes_in_chunks():
  """Leading axes are rows, and come back."""
  bijector = generic(num_steps=2, integrator='heun')
  chunked, x = bijector.copy(batch_size=2), points(3, 2)
  assert_close([chunked.forward(x)], [bijector.forward(x)])
  assert_close(*(solved(each, x, reverse=True) for each in (chunked, bijector)))
  y, z = points(5), points(5, seed=2)
  assert_close(*(solved(each, y, score=z) for each in (chunked, bijector)))
  times = [0.0, 0.1, 0.4]
  assert_close(chunked.trajectory(x, times), bijector.trajectory(x, times))
  sample = ma_keras.standard_normal_flow(chunked).sample([2, 3], seed=[1, 2])
  assert_close([sample], [ma_keras.standard_normal_flow(bijector).sample([2, 3], seed=[1, 2])])


@pytest.mark.slow
def test_second_derivatives_go_through_chunks():
  bijector, x = generic(num_steps=1, integrator='euler'), points(3)

  def bend(bijector):
    flow = ma_keras.standard_normal_flow(bijector)

    @tf.function(autograph=False)
    def compiled(x):
      with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
          inner.watch(x)
          log_prob = tf.reduce_sum(tf.sin(flow.log_prob(x)))
        total = tf.reduce_sum(tf.square(inner.gradient(log_prob, x)))
      return outer.gradient(total, [x, *bijector.trainable_variables])

    return compiled(x)

  assert_close(bend(bijector.copy(batch_size=2)), bend(bijector))


def test_an_error_in_a_chunk_leaves_nothing_behind():
  """A strategy's scope is entered afterwards as before."""

  class Broken(ma_keras.potentials.Potential):
    def __call__(self, t, x):
      raise ArithmeticError('ours')

  bijector = ma_keras.MongeAmpereBijector(Broken(3), 1, 0.1, batch_size=2)
  with pytest.raises(ArithmeticError, match='ours'):
    tf.function(bijector.forward, autograph=False)(tf.zeros([5, 3]))
  with tf.distribute.MirroredStrategy(['CPU:0']).scope():
    tf.Variable(0.0)


@pytest.mark.usefixtures('eagerly')
def test_the_cache_tells_batch_sizes_apart():
  """A value solved with one batch size is not taken for that of another; its own is."""
  bijector, _ = small()
  x = points(3)
  y = bijector.forward(x, batch_size=2)
  assert bijector.forward(x, batch_size=2) is y
  assert bijector.forward(x) is not y and bijector.inverse(y, batch_size=2) is x
  log_det = bijector.forward_log_det_jacobian(x, batch_size=2)
  np.testing.assert_allclose(log_det, bijector.forward_log_det_jacobian(x), rtol=1e-12)


def test_errors_name_the_argument():
  with pytest.raises(ValueError, match='`batch_size` must be a positive integer, got 0'):
    generic(batch_size=0)
  with pytest.raises(ValueError, match=r'`batch_size` must be a positive integer, got 2\.5'):
    generic().forward(points(3), batch_size=2.5)
  layer = potentials.one_hidden_layer().with_laplacian(Hutchinson(seed=2))
  average = symmetry.GroupAverage(layer, symmetry.inversion(potentials.EVENT_SIZE))
  with pytest.raises(ValueError, match='does not go with a GroupAverage of random potentials'):
    ma_keras.MongeAmpereBijector(average, 2, 0.1, batch_size=2).forward(potentials.points(3))
  assert gradients.by('store', None) == gradients.Store()
