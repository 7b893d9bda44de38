"""The groups are groups, and tables of signed permutations multiply as their maps do."""

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from ma_keras import symmetry
from ma_keras.symmetry import action
from ma_keras.symmetry.group import Group
from tests.properties import strategies
from tests.symmetry import cases

GROUPS = {
  'inversion': lambda side: symmetry.inversion(side**2),
  'translations': symmetry.translations,
  'dihedral': symmetry.dihedral,
  'square lattice': symmetry.square_lattice,
  'dihedral and inversion': lambda side: symmetry.dihedral(side) * symmetry.inversion(side**2),
}


def elements(group):
  """The set of maps, x = (1, 2, ..., N) moved by each: no two different ones do the same to it."""
  return {tuple(row) for row in group.apply(np.arange(1.0, group.size + 1))}


@st.composite
def tables(draw, size):
  """Any signed permutations of that many coordinates, [G, N]; no group in general."""
  rng = np.random.default_rng(draw(strategies.SEEDS))
  order = draw(st.integers(1, 4))
  index = np.stack([rng.permutation(size) for _ in range(order)]).astype(np.int32)
  return Group(index, rng.choice([-1, 1], [order, size]).astype(np.int8))


SIZES = st.shared(st.integers(1, 6), key='size')


@pytest.mark.parametrize('name', GROUPS)
@strategies.examples(3)
@hypothesis.given(side=st.integers(2, 4))
def test_groups_are_closed_and_hold_the_identity_and_all_inverses(name, side):
  group = GROUPS[name](side)
  members = elements(group)
  assert tuple(np.arange(1.0, group.size + 1)) in members
  assert elements(group * group) == members
  assert elements(group.inverse()) == members


@strategies.examples(40)
@hypothesis.given(g=SIZES.flatmap(tables), h=SIZES.flatmap(tables), seed=strategies.SEEDS)
def test_products_of_tables_are_products_of_matrices(g, h, seed):
  """(g h) x = g (h x), g^-1 (g x) = x and |g x| = |x|, by dense matrices."""
  x = np.random.default_rng(seed).normal(size=g.size)
  one, two = cases.matrices(g), cases.matrices(h)
  products = np.einsum('gij,hjk,k->ghi', one, two, x).reshape(-1, g.size)
  np.testing.assert_allclose((g * h).apply(x), products, atol=1e-14)
  back = np.einsum('gij,gj->gi', cases.matrices(g.inverse()), g.apply(x))
  np.testing.assert_array_equal(back, np.tile(x, (g.order, 1)))
  np.testing.assert_allclose(np.linalg.norm(g.apply(x), axis=-1), np.linalg.norm(x), rtol=1e-14)


@strategies.examples(20)
@hypothesis.given(
  g=SIZES.flatmap(tables), h=SIZES.flatmap(tables), rows=st.integers(0, 3), seed=strategies.SEEDS
)
def test_elements_of_a_flow_compose_as_their_tables_do(g, h, rows, seed):
  """act(g h, x) = act(g, act(h, x)), one element for all points, or one for each of them."""
  x = strategies.points(rows, g.size, seed=seed)
  rng = np.random.default_rng(seed)
  for shape in ((), (rows,)):
    first, second = (
      action.pick(t, tf.constant(rng.integers(t.order, size=shape), tf.int32), tf.float64)
      for t in (g, h)
    )
    both = action.act(action.compose(first, second), x)
    np.testing.assert_array_equal(both, action.act(first, action.act(second, x)))
    np.testing.assert_array_equal(action.act(first.inverse(), action.act(first, x)), x)


@pytest.mark.parametrize('name', GROUPS)
@strategies.examples(2)
@hypothesis.given(seed=strategies.SEEDS)
def test_the_average_of_any_potential_is_invariant(name, seed):
  """phi(g x) = phi(x) for every g, and so is the Laplacian; the gradient turns along."""
  group = GROUPS[name](cases.SIDE)
  average = symmetry.GroupAverage(cases.layer(seed=seed % 2**16), group)
  x = strategies.points(cases.EVENT_SIZE, seed=seed)
  images = tf.constant(group.apply(x))
  velocity, laplacian = average.gradient_and_laplacian(0.0, images)
  expected, divergence = average.gradient_and_laplacian(0.0, x)
  np.testing.assert_allclose(
    average(0.0, images), np.full(group.order, average(0.0, x)), rtol=1e-11
  )
  np.testing.assert_allclose(velocity, group.apply(expected), atol=1e-11)
  np.testing.assert_allclose(laplacian, np.full(group.order, divergence), atol=1e-11)


@strategies.examples(40)
@hypothesis.given(
  dimensions=st.sampled_from([2, 3]),
  degree=st.integers(1, 9),
  reflecting=st.booleans(),
  seed=strategies.SEEDS,
)
def test_quadratures_of_rotations_are_invariant_up_to_their_degree(
  dimensions, degree, reflecting, seed
):
  """The means of tr(A R)^m, m <= L, which span the polynomials, are those of Q R and of R Q."""
  rng = np.random.default_rng(seed)
  matrices, weights = symmetry.RotationQuadrature(1, dimensions, degree, reflecting).rule
  a, turn = rng.normal(size=(2, dimensions, dimensions))
  turn = np.linalg.qr(turn)[0]
  if not reflecting:
    turn[:, 0] *= np.linalg.det(turn)

  def means(maps):
    traces = np.einsum('ij,kji->k', a / np.linalg.norm(a), maps)
    return weights @ traces[:, np.newaxis] ** np.arange(degree + 1)

  np.testing.assert_allclose(means(turn @ matrices), means(matrices), atol=1e-13)
  np.testing.assert_allclose(means(matrices @ turn), means(matrices), atol=1e-13)
