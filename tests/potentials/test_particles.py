"""Potentials of particles: invariance, and Laplacians against tapes in many coordinates."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras import MongeAmpereBijector, bases
from ma_keras.potentials import autodiff
from tests.potentials.cases import embedded_atoms, pairs

T = tf.constant(0.4, tf.float64)


def with_background(particles, dimensions):
  return embedded_atoms(particles, dimensions, background=True)


MAKERS = pytest.mark.parametrize('make', [pairs, embedded_atoms, with_background])


def positions(n, d, seed=0):
  return np.random.default_rng(seed).normal(size=(3, n, d))


def events(x):
  return tf.constant(x.reshape(len(x), -1))


@MAKERS
@pytest.mark.parametrize('n, d', [(5, 3), (6, 2)])
def test_closed_forms_are_those_of_the_value(make, n, d):
  potential, x = make(n, d), events(positions(n, d))
  velocity, laplacian = potential.gradient_and_laplacian(T, x)
  by_tapes = autodiff.gradient_and_laplacian(potential, T, x)
  np.testing.assert_allclose(velocity, by_tapes[0], atol=1e-12)
  np.testing.assert_allclose(laplacian, by_tapes[1], atol=1e-10)


@MAKERS
def test_permutations_rotations_reflections_translations_leave_it_alone(make):
  potential, x = make(5, 3), positions(5, 3)
  rng = np.random.default_rng(1)
  orthogonal, _ = np.linalg.qr(rng.normal(size=(3, 3)))
  phi = potential(T, events(x)).numpy()
  for moved in (x[:, rng.permutation(5)], x @ orthogonal, -x, x + rng.normal(size=3)):
    np.testing.assert_allclose(potential(T, events(moved)), phi, rtol=1e-12)


@MAKERS
def test_coinciding_particles_have_finite_derivatives(make):
  x = np.zeros((1, 4, 3))
  potential = make(4, 3)
  velocity, laplacian = potential.gradient_and_laplacian(T, events(x))
  assert np.all(np.isfinite(velocity)) and np.all(np.isfinite(laplacian))


@pytest.mark.slow
@MAKERS
def test_a_flow_stays_mean_free_and_its_density_is_that_of_the_subspace(make):
  """ln det of the map of an orthonormal basis of the subspace, by central differences."""
  n, d, h = 3, 2, 1e-5
  bijector = MongeAmpereBijector(make(n, d), num_steps=40, step_size=0.0025)
  z = bases.MeanFreeNormal(n, d, tf.float64).sample(2, seed=[0, 1])
  across = np.linalg.svd(np.kron(np.ones((1, n)), np.eye(d)))[2][d:]
  shifts = h * np.concatenate([across, -across])
  ends = bijector.forward(z[:, tf.newaxis] + shifts).numpy()
  means = ends.reshape(2, len(shifts), n, d).mean(axis=2)
  np.testing.assert_allclose(means, 0.0, atol=1e-13)
  columns = (ends[:, : len(across)] - ends[:, len(across) :]) @ across.T / (2 * h)
  log_det = np.linalg.slogdet(columns)[1]
  np.testing.assert_allclose(bijector.forward_log_det_jacobian(z), log_det, atol=1e-6)
