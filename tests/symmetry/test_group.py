"""The tables are groups: closed, with inverses, of the right order, acting as they say."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from ma_keras.symmetry import (
  Group,
  action,
  dihedral,
  inversion,
  permutations,
  square_lattice,
  translations,
)
from tests.support import reference
from tests.symmetry import cases

ALL = pytest.mark.parametrize('name', cases.GROUPS)


def rows(matrices):
  return {tuple(m.ravel()) for m in matrices}


@ALL
def test_closed_with_inverses_and_without_repetition(name):
  """By dense matrices: every product and every transpose is an element; the identity is first."""
  dense = cases.matrices(cases.GROUPS[name]())
  elements = rows(dense)
  assert len(elements) == len(dense)
  np.testing.assert_array_equal(dense[0], np.eye(cases.EVENT_SIZE))
  assert rows(np.swapaxes(dense, 1, 2)) == elements
  products = np.einsum('gij,hjk->ghik', dense, dense).reshape(-1, *dense.shape[1:])
  assert rows(products) == elements


@ALL
def test_the_table_of_inverses_undoes_row_by_row(name):
  group = cases.GROUPS[name]()
  expected = np.swapaxes(cases.matrices(group), 1, 2)
  np.testing.assert_array_equal(cases.matrices(group.inverse()), expected)


@pytest.mark.parametrize('side', [2, 3, 4, 5])
def test_orders(side):
  assert translations(side).order == side**2
  assert dihedral(side).order == 8
  assert square_lattice(side).order == 8 * side**2
  assert inversion(side).order == 2
  assert (square_lattice(side) * inversion(side**2)).order == 16 * side**2
  assert square_lattice(side).size == side**2


@ALL
def test_action_equals_the_loops(name):
  group, x = cases.GROUPS[name](), cases.points(2, 3).numpy()
  images = group.apply(x)
  assert images.shape == (2, 3, group.order, group.size)
  for b, c, g in itertools.product(range(2), range(3), range(group.order)):
    expected = reference.element_loops(group.index[g], group.sign[g], x[b, c])
    np.testing.assert_array_equal(images[b, c, g], expected)


@pytest.mark.parametrize('side', [2, 3, 4])
def test_translations_roll_the_lattice(side):
  x = np.random.default_rng(0).normal(size=[side, side])
  images = translations(side).apply(x.ravel())
  for row, (i, j) in zip(images, itertools.product(range(side), repeat=2)):
    np.testing.assert_array_equal(row.reshape(side, side), np.roll(x, (-i, -j), (0, 1)))


@pytest.mark.parametrize('side', [2, 3, 4])
def test_dihedral_elements_rotate_and_reflect(side):
  x = np.random.default_rng(0).normal(size=[side, side])
  expected = [np.rot90(y, k).ravel() for y in (x, x[::-1]) for k in range(4)]
  assert rows(dihedral(side).apply(x.ravel())) == rows(expected)


def test_inversion_is_the_identity_and_the_sign():
  x = cases.points().numpy()
  np.testing.assert_array_equal(inversion(cases.EVENT_SIZE).apply(x), [x, -x])


@pytest.mark.parametrize('first, second', itertools.permutations(['D4', 'T', 'signs'], 2))
def test_products_act_as_the_second_factor_then_the_first(first, second):
  """(g h) x = g (h x), with signs that do not commute with the permutations."""
  signs = np.array([[1] * 9, [1, -1, 1, 1, 1, 1, -1, 1, 1]], np.int8)
  groups = {
    'D4': dihedral(3),
    'T': translations(3),
    'signs': Group(np.tile(np.arange(9, dtype=np.int32), (2, 1)), signs),
  }
  g, h = groups[first], groups[second]
  x = cases.points(2).numpy()
  composed = np.swapaxes(g.apply(h.apply(x)), 1, 2)
  np.testing.assert_array_equal((g * h).apply(x), composed.reshape(2, -1, 9))


@ALL
@pytest.mark.parametrize('dtype', [tf.float32, tf.float64])
@pytest.mark.parametrize('leading', [[], [0], [3], [2, 3]])
def test_the_tensorflow_action_equals_the_table(name, dtype, leading):
  group, x = cases.GROUPS[name](), cases.points(*leading, dtype=dtype)
  for g in (0, 1, group.order - 1):
    element = action.pick(group, tf.constant(g), dtype)
    image = action.act(element, x)
    assert image.dtype == dtype
    np.testing.assert_array_equal(image, group.apply(x.numpy())[..., g, :])
    np.testing.assert_array_equal(action.act(element.inverse(), image), x)


def derivatives(act, element, x):
  """First and second derivatives of a nonlinear functional of g x."""
  with tf.GradientTape() as outer:
    outer.watch(x)
    with tf.GradientTape() as inner:
      inner.watch(x)
      value = tf.reduce_sum(tf.sin(act(element, x)) * tf.range(1.0, 10.0, dtype=x.dtype))
    first = inner.gradient(value, x)
    norm = tf.reduce_sum(first**3)
  return first, outer.gradient(norm, x)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['square lattice', 'dihedral and inversion'])
@pytest.mark.parametrize('mode', ['eager', 'graph', 'xla'])
def test_derivatives_of_the_action_equal_those_of_dense_matrices(name, mode):
  group, x = cases.GROUPS[name](), cases.points(3)

  def of(act):
    function = lambda n: derivatives(act, action.pick(group, n, x.dtype), x)  # noqa: E731
    return function if mode == 'eager' else tf.function(function, jit_compile=mode == 'xla')

  gathered, dense = of(action.act), of(cases.dense_act)
  for g in (1, group.order // 2, group.order - 1):
    for one, two in zip(gathered(tf.constant(g)), dense(tf.constant(g))):
      np.testing.assert_allclose(one, two, rtol=1e-13)


@pytest.mark.parametrize('index', [[[0, 0]], [[0, 2]], [0, 1], [[[0, 1]]]])
def test_rows_must_be_permutations(index):
  with pytest.raises(ValueError, match='`index` must hold one permutation'):
    permutations(np.array(index))


@pytest.mark.parametrize('sign', [[[1, 2]], [[1, 0]], [[1, 1], [1, 1]]])
def test_signs_must_be_signs(sign):
  with pytest.raises(ValueError, match='`sign` must hold'):
    Group(np.array([[0, 1]]), np.array(sign))


def test_factors_must_act_on_the_same_coordinates():
  with pytest.raises(ValueError, match='act on 9 and 16 coordinates'):
    _ = translations(3) * dihedral(4)
