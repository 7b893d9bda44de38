"""A potential of a few directions flows as it does on those alone."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras.potentials import (
  OneHiddenLayer,
  Projected,
  Quadratic,
  Separable,
  TimeBasis,
  overrides,
)
from tests.potentials import cases

N, D, STEPS = 5, 2, 6
DIRECTIONS = np.linalg.qr(np.random.default_rng(3).normal(size=(N, D)))[0]
X = tf.constant(np.random.default_rng(4).normal(size=(7, N)))


def inner(kind):
  options = {'dtype': tf.float64, 'seed': 1, 'time_basis': TimeBasis(0.6, 2)}
  dense = OneHiddenLayer(D, 4, **options)
  potential = dense if kind == 'dense' else dense + Separable(D, 3, **options)
  return cases.generic(potential)


@pytest.mark.parametrize('mode', ['store', 'recompute', 'plain'])
@pytest.mark.parametrize('kind', ['dense', 'sum'])
def test_points_move_within_the_directions_as_the_flow_on_them_says(kind, mode):
  potential = inner(kind)
  options = {'num_steps': STEPS, 'step_size': 0.1, 'gradient': mode}
  small = ma_keras.MongeAmpereBijector(potential, **options)
  large = ma_keras.MongeAmpereBijector(Projected(potential, DIRECTIONS), **options)
  within = tf.matmul(X, DIRECTIONS)

  moved, change = large.forward(X), large.forward_log_det_jacobian(X, 1)
  expected = small.forward(within)
  np.testing.assert_allclose(moved, X + (expected - within) @ DIRECTIONS.T, atol=1e-13)
  np.testing.assert_allclose(change, small.forward_log_det_jacobian(within, 1), atol=1e-13)
  assert np.std(change) > 0.01


@pytest.mark.parametrize('kind', ['dense', 'sum'])
def test_weights_have_the_gradients_of_the_flow_on_the_directions(kind):
  potential = inner(kind)
  options = {'num_steps': STEPS, 'step_size': 0.1}
  small = ma_keras.MongeAmpereBijector(potential, **options)
  large = ma_keras.MongeAmpereBijector(Projected(potential, DIRECTIONS), **options)
  gradients = []
  for bijector, x in ((small, tf.matmul(X, DIRECTIONS)), (large, X)):
    with tf.GradientTape() as tape:
      solution = bijector.solve(x, tallies=[ma_keras.tallies.Stiffness()])
      value = tf.reduce_sum(solution.log_density_change + solution.tallies['stiffness'])
    gradients.append(tape.gradient(value, potential.trainable_variables))
  for one, other in zip(*gradients, strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-13)


def test_a_hidden_layer_is_solved_in_its_own_coordinates_and_a_sum_beside_its_rest():
  assert Projected(inner('dense'), DIRECTIONS).units().kernel.shape == [N, 4]
  units = Projected(inner('sum'), DIRECTIONS).units()
  assert isinstance(units.rest, Projected) and units.rest.event_size == N
  drawn = inner('dense').with_laplacian(ma_keras.potentials.Hutchinson(seed=0))
  assert Projected(drawn, DIRECTIONS).units() is None
  assert not Projected(drawn, DIRECTIONS).self_contained


def test_directions_of_single_precision_are_made_orthonormal_and_kept_apart():
  given = DIRECTIONS.astype(np.float32)
  kept = Projected(inner('dense'), given).directions
  np.testing.assert_allclose(kept.T @ kept, np.eye(D), atol=1e-15)
  np.testing.assert_allclose(kept, given, atol=1e-7)
  mine = DIRECTIONS.copy()
  again = Projected(inner('dense'), mine)
  mine[:] = 0.0
  np.testing.assert_array_equal(again.directions, DIRECTIONS)
  with pytest.raises(ValueError, match='read-only'):
    again.directions[:] = 0.0


@pytest.fixture(scope='module', params=['quadratic', 'dense', 'nested'])
def projected_sum(request):
  """A sum within a sum, and what the plain mode says of it."""
  other = Quadratic(np.diag([0.1, 0.2, 0.3, 0.1, 0.2]), tf.float64)
  if request.param == 'dense':
    other = cases.generic(OneHiddenLayer(N, 3, dtype=tf.float64))
  potential = Projected(inner('sum'), DIRECTIONS) + other
  if request.param == 'nested':
    potential = Projected(potential, np.linalg.qr(np.eye(N) + 0.1)[0]) + other
  return potential, change_and_gradients(potential, 'plain')


def change_and_gradients(potential, mode):
  """The change of ln p along a flow of eight steps, and its gradients by the variables."""
  bijector = ma_keras.MongeAmpereBijector(potential, 8, 0.02, gradient=mode)
  with tf.GradientTape() as tape:
    change = bijector.forward_log_det_jacobian(X, 1)
  return change, tape.gradient(change, potential.trainable_variables)


@pytest.mark.parametrize('mode', ['store', 'recompute', 'adjoint'])
def test_a_projected_sum_within_a_sum_flows_alike_in_every_mode(projected_sum, mode):
  """A sum whose widest layer is itself part of a sum once lost the rest of that one."""
  potential, (plain_change, plain_gradients) = projected_sum
  change, gradients = change_and_gradients(potential, mode)
  np.testing.assert_allclose(change, plain_change, atol=1e-12)
  tolerance = 1e-3 if mode == 'adjoint' else 1e-10  # The adjoint has an integrator's error.
  for one, another in zip(gradients, plain_gradients, strict=True):
    np.testing.assert_allclose(one, another, rtol=tolerance, atol=tolerance)


def test_a_subclass_that_changes_phi_is_not_taken_for_self_contained():
  class Scaled(Projected):
    def _gradient_and_laplacian(self, t, x):
      gradient, laplacian = super()._gradient_and_laplacian(t, x)
      return 2.0 * gradient, 2.0 * laplacian

  assert Projected(inner('dense'), DIRECTIONS).self_contained
  scaled = Scaled(inner('dense'), DIRECTIONS)
  assert not overrides.is_self_contained(scaled) and overrides.units(scaled) is None


def test_what_is_no_potential_is_refused():
  with pytest.raises(TypeError, match='`potential` must be a Potential, got function'):
    Projected(lambda t, x: x, DIRECTIONS)


@pytest.mark.parametrize(
  'directions, message',
  [
    (np.eye(N, 3), r'must be real numbers \[N, 2\].* got shape \[5, 3\]'),
    (np.ones(N), r'must be real numbers \[N, 2\]'),
    (np.eye(2)[:1], r'N no less, got shape \[1, 2\]'),
    (1j * np.eye(N, D), 'must be real numbers'),
    ([[1.0], [0.0, 1.0]], 'must be real numbers'),
    (np.ones([N, D]), 'must have orthonormal columns'),
    (1.01 * np.eye(N, D), 'must have orthonormal columns'),
    (np.full([N, D], np.nan), 'must have orthonormal columns of finite numbers'),
  ],
)
def test_directions_that_are_none_are_refused(directions, message):
  with pytest.raises(ValueError, match=message):
    Projected(OneHiddenLayer(D, 3), directions)
