"""Averages over rotations: exact for polynomials, nearly so for smooth potentials."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import bases, flow, integrators, potentials, symmetry
from tests.potentials import cases

SPACES = pytest.mark.parametrize('n, d', [(3, 2), (2, 3)])
EITHER = pytest.mark.parametrize('reflecting', [True, False])


class Power(potentials.Potential):
  """phi = (sum_i a_i . x_i)^p: a polynomial in the positions that no rotation leaves alone."""

  def __init__(self, n, d, power):
    super().__init__(n * d)
    self.vectors, self.power = np.random.default_rng(power).normal(size=(n, d)), power

  def __call__(self, t, x):
    return tf.reduce_sum(x * self.vectors.ravel(), axis=-1) ** self.power


def average(potential, n, d, degree, reflecting=True):
  return symmetry.GroupAverage(
    potential, symmetry.RotationQuadrature(n, d, degree, reflecting=reflecting)
  )


def layer(n, d, **options):
  return cases.generic(potentials.OneHiddenLayer(n * d, 6, dtype=tf.float64, seed=0, **options))


def turned(x, n, d, seed=0):
  """x after one random orthogonal map of space."""
  matrix = np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]
  return tf.constant((np.reshape(x, [-1, n, d]) @ matrix.T).reshape(x.shape)), matrix


@SPACES
@EITHER
def test_weights_and_maps(n, d, reflecting):
  group = symmetry.RotationQuadrature(n, d, 5, reflecting)
  matrices, weights = group.rule
  assert group.order == {2: 6, 3: 6 * 6 * 3}[d] * (2 if reflecting else 1) == len(matrices)
  assert np.all(weights > 0) and np.sum(weights) == pytest.approx(1, rel=1e-14)
  np.testing.assert_allclose(
    matrices @ np.swapaxes(matrices, 1, 2), np.tile(np.eye(d), (group.order, 1, 1)), atol=1e-14
  )
  determinants = np.linalg.det(matrices)
  assert weights @ determinants == pytest.approx(0 if reflecting else 1, abs=1e-14)


def test_means_over_the_rotations_of_space_are_known(rng):
  """With B = sum_i x_i a_i' the mean of tr(R B)^p over SO(3) is |B|^2/3 at p = 2, det B at 3."""
  x = rng.normal(size=(3, 3))
  for power, reflecting, expected in [
    (1, False, lambda b: 0.0),
    (2, False, lambda b: np.sum(b**2) / 3),
    (2, True, lambda b: np.sum(b**2) / 3),
    (3, False, np.linalg.det),
    (3, True, lambda b: 0.0),
  ]:
    potential = Power(3, 3, power)
    value = average(potential, 3, 3, power, reflecting)(0.0, tf.constant(x.ravel()))
    assert value.numpy() == pytest.approx(expected(x.T @ potential.vectors), abs=1e-13)


def test_means_over_the_rotations_of_the_plane_are_known(rng):
  """Over O(2) the mean of tr(R B)^2 is |B|^2/2; over SO(2) there is det B, the area, beside it."""
  x, potential = rng.normal(size=(3, 2)), Power(3, 2, 2)
  b = x.T @ potential.vectors
  half = np.sum(b**2) / 2
  for reflecting, expected in [(True, half), (False, half + np.linalg.det(b))]:
    value = average(potential, 3, 2, 2, reflecting)(0.0, tf.constant(x.ravel()))
    assert value.numpy() == pytest.approx(expected, rel=1e-13)


@SPACES
@pytest.mark.parametrize('degree', [2, 5])
def test_polynomials_up_to_the_degree_become_invariant_and_no_further(rng, n, d, degree):
  """Of one degree more the Laplacian is still invariant: it is of two degrees less."""
  x = tf.constant(rng.normal(size=(4, n * d)))
  image, matrix = turned(x, n, d)

  def differences(power):
    phi = average(Power(n, d, power) + Power(n, d, power - 1), n, d, degree, d == 2)
    velocity, laplacian = phi.gradient_and_laplacian(0.0, x)
    there, same = phi.gradient_and_laplacian(0.0, image)
    back = (np.reshape(there, [4, n, d]) @ matrix).reshape(4, -1)
    pairs = [(phi(0.0, image), phi(0.0, x)), (back, velocity), (same, laplacian)]
    return [np.abs(one - two).max() / np.abs(two).max() for one, two in pairs]

  assert max(differences(degree)) < 1e-12
  value, gradient, laplacian = differences(degree + 1)
  assert min(value, gradient) > 1e-2 and laplacian < 1e-12


@SPACES
def test_defects_of_smooth_potentials_fall_faster_than_any_power(rng, n, d):
  phi, x = layer(n, d), tf.constant(rng.normal(size=(4, n * d)))
  group = symmetry.ParticleSymmetries(n, d, permuting=False)
  defects = [
    [np.max(part) for part in symmetry.defect(average(phi, n, d, degree), group, 0.0, x, 4)]
    for degree in (1, 3, 9)
  ]
  assert np.all(np.divide(defects[1], defects[0]) < 0.3)
  assert np.all(np.divide(defects[2], defects[1]) < 3e-3)


@SPACES
def test_derivatives_are_exact_and_leading_axes_any(rng, n, d):
  phi = average(layer(n, d, time_basis=potentials.TimeBasis(1.0, 2)), n, d, 2)
  x = tf.constant(rng.normal(size=(2, n * d)))
  cases.assert_derivatives_are_exact(phi, 0.3, x)
  rate = (phi(0.31, x) - phi(0.29, x)) / 0.02
  np.testing.assert_allclose(phi.time_derivative(0.3, x), rate, rtol=1e-10)
  velocity, laplacian = phi.gradient_and_laplacian(0.3, x)
  whole = phi.gradient_and_laplacian(0.3, x[:, tf.newaxis])
  np.testing.assert_allclose(whole[0][:, 0], velocity, rtol=1e-13)
  np.testing.assert_allclose(phi.laplacian(0.3, x[1]), laplacian[1], rtol=1e-13)
  assert phi.gradient(0.3, x[:0]).shape == (0, n * d)


@pytest.mark.slow
def test_nested_averages_know_neither_order_nor_direction_and_nor_does_the_flow(rng):
  """Permutations around rotations: the log density of a set in the plane, to rounding."""
  inner = average(layer(3, 2), 3, 2, 32)
  phi = symmetry.GroupAverage(inner, symmetry.particle_permutations(3, 2))
  x = rng.normal(size=(2, 3, 2))
  x -= x.mean(axis=1, keepdims=True)
  image = turned(x, 3, 2)[0].numpy()[:, [2, 0, 1]]
  x, image = (tf.constant(points.reshape(2, 6)) for points in (x, image))
  np.testing.assert_allclose(phi(0.0, image), phi(0.0, x), rtol=1e-13)
  assert np.all(np.abs(inner(0.0, image) - inner(0.0, x)) > 1e-4)
  for part in symmetry.defect(phi, symmetry.ParticleSymmetries(3, 2), 0.0, x, 4):
    assert np.all(part < 1e-13)
  fluid = ma_keras.standard_normal_flow(ma_keras.MongeAmpereBijector(phi, 4, 0.2))
  log_prob = fluid.log_prob(x)
  np.testing.assert_allclose(fluid.log_prob(image), log_prob, rtol=1e-12)
  assert np.all(np.abs(log_prob - bases.StandardNormal(6, tf.float64).log_prob(x)) > 1e-2)


@pytest.mark.slow
def test_it_trains_under_xla(rng):
  phi = average(layer(2, 3), 2, 3, 2)
  x = tf.constant(rng.normal(size=(3, 6)))

  def gradients(mode):
    with tf.GradientTape() as tape:
      ends = flow.solve(phi, integrators.get('euler'), flow.Horizon(2, 0.2), x, gradient=mode)
      loss = sum(tf.reduce_sum(end**2) for end in ends)
    return tape.gradient(loss, phi.trainable_variables)

  compiled = tf.function(gradients, jit_compile=True)('store')
  for one, two in zip(compiled, gradients('plain')):
    np.testing.assert_allclose(one, two, rtol=1e-11, atol=1e-13)


def test_other_spaces_and_degrees_are_refused():
  with pytest.raises(ValueError, match=r'`dimensions` must be 2 or 3, got 4'):
    symmetry.RotationQuadrature(3, 4, 2)
  with pytest.raises(ValueError, match=r'`degree` must lie in 1..100, got 0'):
    symmetry.RotationQuadrature(3, 2, 0)
  with pytest.raises(ValueError, match='`particles` must be a positive integer, got 0'):
    symmetry.RotationQuadrature(0, 2, 2)
  with pytest.raises(ValueError, match='acts on 6 coordinates'):
    average(layer(2, 2), 3, 2, 2)
