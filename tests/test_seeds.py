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


def test_integers_are_the_same_eager_in_a_graph_and_under_xla():
  """A flow compiled with XLA must meet the group elements of one that is not."""

  def draw(seed):
    return seeds.integers([50], seeds.fold_in(seeds.split(seed, 2, 'a')[1], 7), 2048)

  seed = tf.constant([3, 4])
  eager, graph, xla = draw(seed), tf.function(draw)(seed), tf.function(draw, jit_compile=True)(seed)
  np.testing.assert_array_equal(eager, graph)
  np.testing.assert_array_equal(eager, xla)


def test_integers_are_uniform():
  counts = np.bincount(seeds.integers([80000], seeds.stateless(1, 'a'), 8).numpy(), minlength=8)
  assert np.sum((counts - 10000) ** 2 / 10000) < 26  # Chi squared of 7 degrees, p = 0.0005.


def test_fresh_seeds_are_fresh():
  assert np.any(seeds.fresh() != seeds.fresh())


@pytest.mark.parametrize('bad', [None, -1])
def test_bad_seeds_are_named(bad):
  with pytest.raises(ValueError, match=f'`seed`.*{bad}'):
    seeds.stateless(bad, 'a')
