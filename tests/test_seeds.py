"""A number names a draw: the same always and everywhere, and independent of others."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras import seeds


def test_the_same_seed_and_salt_name_the_same_draw():
  one, again = (seeds.stateless(5, 'a').numpy() for _ in range(2))
  np.testing.assert_array_equal(one, again)


@pytest.mark.parametrize('other', [(6, 'a'), (5, 'b'), (5 + 2**31, 'a')])
def test_another_seed_or_salt_names_another(other):
  assert np.any(seeds.stateless(5, 'a') != seeds.stateless(*other))


def test_parts_and_numbers_of_a_series_differ():
  parts = [tuple(part.numpy()) for part in seeds.split(5, 4, 'a')]
  series = [tuple(seeds.fold_in(seeds.stateless(5, 'a'), k).numpy()) for k in range(4)]
  assert len(set(parts + series)) == 8


@pytest.mark.slow
def test_integers_are_the_same_eager_in_a_graph_and_under_xla():
  """A flow compiled with XLA must meet the group elements of one that is not."""

  def draw(seed):
    return seeds.integers([50], seeds.fold_in(seeds.split(seed, 2, 'a')[1], 7), 2048)

  seed = tf.constant([3, 4])
  eager, graph, xla = draw(seed), tf.function(draw)(seed), tf.function(draw, jit_compile=True)(seed)
  np.testing.assert_array_equal(eager, graph)
  np.testing.assert_array_equal(eager, xla)


def test_the_generator_is_philox_on_every_device_and_for_xla_by_name():
  """Integers of TensorFlow's Philox, named; XLA has a generator of its own on TPUs."""
  key = tf.constant([3, 4])
  expected = tf.random.stateless_uniform([50], key, 0, 2048, tf.int32, alg='philox')
  np.testing.assert_array_equal(seeds.integers([50], key, 2048), expected)
  for jit_compile in (False, True):
    draw = tf.function(lambda: seeds.integers([50], key, 2048), jit_compile=jit_compile)
    kinds = {operation.type for operation in draw.get_concrete_function().graph.get_operations()}
    assert ('StatelessRandomGetKeyCounter' in kinds) != jit_compile


def test_integers_are_uniform():
  counts = np.bincount(seeds.integers([80000], seeds.stateless(1, 'a'), 8).numpy(), minlength=8)
  assert np.sum((counts - 10000) ** 2 / 10000) < 26  # Chi squared of 7 degrees, p = 0.0005.


def test_fresh_seeds_are_fresh():
  assert np.any(seeds.fresh() != seeds.fresh())


@pytest.mark.parametrize('bad', [None, -1])
def test_bad_seeds_are_named(bad):
  with pytest.raises(ValueError, match=f'`seed`.*{bad}'):
    seeds.stateless(bad, 'a')


def test_samples_meet_their_draws_in_whatever_share_of_the_batch():
  """Split, salted or numbered: rows of the global batch's draws, in the order asked for."""

  def draws(numbers):
    samples = seeds.PerSample(seeds.stateless(5, 'a'), tf.constant(numbers), batch_size=6)
    salted = seeds.stateless(seeds.split(samples, 2, 'b')[1], 'c')
    key = seeds.fold_in(salted, 3)
    return seeds.normal([4], key, tf.float64).numpy(), seeds.integers([], key, 1000).numpy()

  (normals, integers), (some, few) = draws(range(6)), draws([4, 1])
  assert normals.shape == (6, 4) and integers.shape == (6,)
  assert len(np.unique(normals)) == 24 and len(np.unique(integers)) > 1
  np.testing.assert_array_equal(some, normals[[4, 1]])
  np.testing.assert_array_equal(few, integers[[4, 1]])
