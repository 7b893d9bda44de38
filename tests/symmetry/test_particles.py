"""Permutations, rotations and reflections of particles: orthogonal maps, drawn uniformly."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import seeds, symmetry
from ma_keras.symmetry import one_element
from ma_keras.symmetry.particles import ParticleElement
from tests.potentials import cases as potentials

SHAPES = pytest.mark.parametrize('n, d', [(3, 2), (2, 3), (4, 1)])


def drawn(group, number=None, seed=1, dtype=tf.float64):
  key = seeds.stateless(seed, salt='test')
  if number is not None:
    key = seeds.PerSample(key, tf.range(number), number)
  return group.draw(key, dtype)


def layer(event_size):
  potential = ma_keras.potentials.OneHiddenLayer(event_size, 4, dtype=tf.float64, seed=0)
  return potentials.generic(potential)


@SHAPES
def test_an_element_permutes_particles_and_turns_space(rng, n, d):
  element, x = drawn(symmetry.ParticleSymmetries(n, d)), rng.normal(size=(5, n, d))
  turned = element.act(tf.constant(x.reshape(5, -1))).numpy().reshape(5, n, d)
  index, matrix = element.index.numpy(), element.matrix.numpy()
  for i in range(n):
    np.testing.assert_allclose(turned[:, i], x[:, index[i]] @ matrix.T, atol=1e-14)
  np.testing.assert_allclose(matrix @ matrix.T, np.eye(d), atol=1e-13)
  assert sorted(index) == list(range(n))


@SHAPES
@pytest.mark.parametrize('number', [None, 6])
def test_inverse_and_product(rng, n, d, number):
  group, x = symmetry.ParticleSymmetries(n, d), tf.constant(rng.normal(size=(6, n * d)))
  g, h = drawn(group, number), drawn(group, number, seed=2)
  np.testing.assert_allclose(g.inverse().act(g.act(x)), x, atol=1e-13)
  np.testing.assert_allclose(g.after(h).act(x), g.act(h.act(x)), atol=1e-13)
  shared = drawn(group, seed=3)
  np.testing.assert_allclose(g.after(shared).act(x), g.act(shared.act(x)), atol=1e-13)
  np.testing.assert_allclose(shared.after(g).act(x), shared.act(g.act(x)), atol=1e-13)


def test_samples_have_elements_of_their_own_by_their_numbers(rng):
  group, x = symmetry.ParticleSymmetries(3, 2), tf.constant(rng.normal(size=6))
  images = drawn(group, 8).act(x).numpy()
  assert images.shape == (8, 6) and len(np.unique(images.round(6), axis=0)) == 8
  key = seeds.stateless(1, salt='test')
  last = group.draw(seeds.PerSample(key, tf.constant([7]), 8), tf.float64).act(x)
  np.testing.assert_allclose(last[0], images[7], atol=1e-14)


def test_draws_are_uniform():
  """Six permutations come equally often; matrices have the moments of Haar's measure."""
  element = drawn(symmetry.ParticleSymmetries(3, 3), 6000)
  _, counts = np.unique(element.index, axis=0, return_counts=True)
  np.testing.assert_allclose(counts / 6000, 1 / 6, atol=0.025)
  matrices = element.matrix.numpy()
  np.testing.assert_allclose(matrices.mean(axis=0), 0.0, atol=0.04)
  np.testing.assert_allclose((matrices**2).mean(axis=0), 1 / 3, atol=0.03)
  np.testing.assert_allclose((matrices**4).mean(axis=0), 1 / 5, atol=0.03)
  assert np.linalg.det(matrices).mean() == pytest.approx(0.0, abs=0.06)


@pytest.mark.parametrize('d', [1, 2, 3])
def test_options_leave_parts_out(d):
  group = symmetry.ParticleSymmetries(3, d, permuting=False, reflecting=False)
  element = drawn(group, 50)
  np.testing.assert_array_equal(element.index, np.tile(np.arange(3), (50, 1)))
  np.testing.assert_allclose(np.linalg.det(element.matrix), 1.0, rtol=1e-12)
  still = drawn(symmetry.ParticleSymmetries(3, d, rotating=False), 50)
  np.testing.assert_array_equal(still.matrix, np.tile(np.eye(d), (50, 1, 1)))


@pytest.mark.slow
def test_derivatives_are_exact_and_the_flow_is_a_bijection(rng):
  group = symmetry.ParticleSymmetries(2, 2)
  potential = symmetry.OneElementPerInterval(layer(4), group, 0.25, seed=3)
  potentials.assert_derivatives_are_exact(potential, 0.3, potentials.points(2))
  bijector = ma_keras.MongeAmpereBijector(potential, 4, 0.25)
  x = tf.constant(rng.normal(size=(3, 4)))
  by_stages = bijector.copy(gradient='plain')
  np.testing.assert_allclose(by_stages.forward(x), bijector.forward(x), atol=1e-12)
  assert np.abs(bijector.inverse(bijector.forward(tf.identity(x))) - x).max() < 1e-3


def test_nested_draws_of_other_groups_act_in_turn(rng):
  """A signed permutation around an element of particles makes no single element of either."""
  inner = symmetry.OneElementPerInterval(layer(4), symmetry.ParticleSymmetries(2, 2), 1.0, seed=1)
  outer = symmetry.OneElementPerInterval(inner, symmetry.inversion(4), 1.0, seed=2)
  x = tf.constant(rng.normal(size=(3, 4)))
  half = tf.constant(0.5, tf.float64)
  g, h = inner._draw(half), outer._draw(half)
  expected = layer(4)(0.0, g.act(h.act(x)))
  np.testing.assert_allclose(outer(half, x), expected, atol=1e-13)
  in_force = outer.on_interval(tf.zeros([], tf.float64), tf.ones([], tf.float64))
  np.testing.assert_allclose(in_force(half, x), expected, atol=1e-13)
  assert isinstance(in_force, one_element.Rotated) and isinstance(g, ParticleElement)


def test_all_permutations_make_an_average_that_knows_no_order(rng):
  group = symmetry.particle_permutations(3, 2)
  potential, x = symmetry.GroupAverage(layer(6), group), rng.normal(size=(3, 2))
  values = [
    layer(6)(0.0, x[list(order)].ravel()).numpy() for order in itertools.permutations(range(3))
  ]
  assert group.order == 6
  for order in ([0, 1, 2], [2, 0, 1]):
    assert potential(0.0, x[order].ravel()).numpy() == pytest.approx(np.mean(values), rel=1e-12)


def test_what_cannot_be_is_refused():
  with pytest.raises(ValueError, match=r'`particles` must lie in 1..7'):
    symmetry.particle_permutations(8, 3)
  with pytest.raises(ValueError, match='`dimensions` must be a positive integer, got 0'):
    symmetry.ParticleSymmetries(3, 0)
  with pytest.raises(ValueError, match='acts on 6 coordinates'):
    symmetry.OneElementPerInterval(layer(4), symmetry.ParticleSymmetries(3, 2), 0.1)
  with pytest.raises(TypeError, match=r'must be a symmetry\.Group, got ParticleSymmetries'):
    symmetry.GroupAverage(layer(6), symmetry.ParticleSymmetries(3, 2))
