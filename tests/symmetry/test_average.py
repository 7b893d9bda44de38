"""The group average is invariant, its gradient equivariant, and its derivatives exact."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras import flow, integrators
from ma_keras.flow import Horizon
from ma_keras.potentials import Hutchinson
from ma_keras.symmetry import GroupAverage, dihedral, square_lattice, translations
from tests.potentials import cases as potentials
from tests.symmetry import cases

ALL = pytest.mark.parametrize('name', cases.GROUPS)
HORIZON = Horizon(4, 0.2)


def average(name):
  return GroupAverage(cases.layer(), cases.GROUPS[name]())


@pytest.mark.slow
@ALL
def test_value_is_the_mean_over_the_images(name):
  group, x = cases.GROUPS[name](), cases.points(3)
  values = [cases.layer()(0.0, x @ m.T) for m in cases.matrices(group)]
  np.testing.assert_allclose(average(name)(0.0, x), np.mean(values, axis=0), rtol=1e-13)


@ALL
def test_every_element_leaves_the_potential_alone_and_turns_the_gradient(name):
  """phi(g x) = phi(x), grad phi(g x) = g grad phi(x), laplacian phi(g x) = laplacian phi(x)."""
  group, potential, x = cases.GROUPS[name](), average(name), cases.points(2)
  images = tf.constant(group.apply(x.numpy()))
  bare = cases.layer()(0.0, images).numpy()
  assert np.all(np.ptp(bare, axis=-1) > 1e-3)
  value, (velocity, laplacian) = potential(0.0, x), potential.gradient_and_laplacian(0.0, x)
  moved, (turned, same) = potential(0.0, images), potential.gradient_and_laplacian(0.0, images)
  np.testing.assert_allclose(moved, np.tile(value[:, None], group.order), atol=1e-13)
  np.testing.assert_allclose(turned, group.apply(velocity.numpy()), atol=1e-14)
  np.testing.assert_allclose(same, np.tile(laplacian[:, None], group.order), atol=1e-14)


@pytest.mark.parametrize('name', ['inversion', 'translations', 'dihedral and inversion'])
def test_derivatives_equal_differences_and_the_hessian(name):
  potentials.assert_derivatives_are_exact(average(name), 0.0, cases.points(2))


@pytest.mark.slow
@pytest.mark.parametrize('name', ['square lattice', 'dihedral and inversion'])
def test_the_flow_is_equivariant(name):
  """g x flows to g x(T), and its density is that of x."""
  group, potential, x = cases.GROUPS[name](), average(name), cases.points(2)
  images = tf.constant(group.apply(x.numpy()))
  solve = lambda x: flow.solve(potential, integrators.RK4, HORIZON, x)  # noqa: E731
  end, change = solve(x)
  ends, changes = solve(images)
  np.testing.assert_allclose(ends, group.apply(end.numpy()), atol=1e-13)
  np.testing.assert_allclose(changes, np.tile(change[:, None], group.order), atol=1e-13)
  assert np.max(np.abs(end - x)) > 1e-2 and np.all(np.abs(change) > 1e-3)


@pytest.mark.slow
@pytest.mark.parametrize('mode', ['eager', 'xla'])
def test_gradients_of_variables_equal_those_of_the_mean_written_out(mode):
  layer, group, x = cases.layer(), square_lattice(cases.SIDE), cases.points(2)
  dense = [tf.constant(m) for m in cases.matrices(group)]

  def gradients(pair):
    with tf.GradientTape() as tape:
      velocity, laplacian = pair()
      loss = tf.reduce_sum(velocity**2) + tf.reduce_sum(laplacian**2)
    return tape.gradient(loss, layer.trainable_variables)

  def written_out():
    pairs = [layer.gradient_and_laplacian(0.0, tf.matmul(x, m, transpose_b=True)) for m in dense]
    velocity = tf.add_n([v @ m for (v, _), m in zip(pairs, dense)]) / group.order
    return velocity, tf.add_n([l for _, l in pairs]) / group.order

  potential = GroupAverage(layer, group)
  averaged = lambda: gradients(lambda: potential.gradient_and_laplacian(0.0, x))  # noqa: E731
  if mode != 'eager':
    averaged = tf.function(averaged, jit_compile=True)
  for one, two in zip(averaged(), gradients(written_out)):
    np.testing.assert_allclose(one, two, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize('leading', [[], [0], [2, 3]])
def test_any_leading_rank(leading):
  potential, x = average('dihedral'), cases.points(*leading)
  velocity, laplacian = potential.gradient_and_laplacian(0.0, x)
  assert potential(0.0, x).shape == leading and laplacian.shape == leading
  rows = [potential.gradient(0.0, row) for row in tf.reshape(x, [-1, cases.EVENT_SIZE])]
  np.testing.assert_allclose(velocity, np.reshape(rows, x.shape), atol=1e-14)


def test_averages_over_time_dependent_and_prepared_potentials():
  class Clock(type(cases.layer())):
    def _gradient_and_laplacian(self, t, x):
      gradient, laplacian = super()._gradient_and_laplacian(t, x)
      return t * gradient, t * laplacian

  clock = Clock(cases.EVENT_SIZE, 4, dtype=tf.float64, seed=1)
  potential, x = GroupAverage(clock, dihedral(cases.SIDE)), cases.points(2)
  half, whole = (potential.laplacian(t, x) for t in (0.5, 1.0))
  np.testing.assert_allclose(2.0 * half, whole, rtol=1e-13)
  np.testing.assert_allclose(potential.prepared().laplacian(1.0, x), whole, rtol=1e-13)


def test_reseeding_reaches_the_potential_inside():
  inner = cases.layer().with_laplacian(Hutchinson(seed=0, probe='gaussian'))
  potential, x = GroupAverage(inner, dihedral(cases.SIDE)), cases.points(3)
  one, two, again = (potential.with_seed(s).laplacian(0.0, x) for s in (1, 2, 1))
  assert np.all(one != two)
  np.testing.assert_array_equal(one, again)
  assert potential.with_seed(1).potential.kernel is inner.kernel


def test_sizes_must_agree():
  with pytest.raises(ValueError, match=r'`group` acts on 16 coordinates, .* event_size=9'):
    GroupAverage(cases.layer(), translations(4))
