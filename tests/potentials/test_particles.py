"""Potentials of particles: invariance, and Laplacians against tapes in many coordinates."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras import MongeAmpereBijector, bases, potentials
from ma_keras.potentials import autodiff
from ma_keras.potentials.time_basis import TimeBasis
from tests.potentials.cases import (
  embedded_atoms,
  embedded_cluster,
  embedded_dipoles,
  moving_cluster,
  pairs,
)

T = tf.constant(0.4, tf.float64)


def with_background(particles, dimensions, **options):
  return embedded_atoms(particles, dimensions, background=True, **options)


def moving_dipoles(particles, dimensions, **options):
  bases = {'basis': TimeBasis(1.5, 2), 'layer_basis': TimeBasis(1.5, 3)}
  return embedded_dipoles(particles, dimensions, **bases, **options)


MAKERS = pytest.mark.parametrize(
  'make',
  [
    *(pairs, embedded_atoms, with_background, embedded_cluster, moving_cluster),
    *(embedded_dipoles, moving_dipoles),
  ],
)


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


KINDS = {'species': (0, 1, 0, 2, 1, 0), 'box': None}
BOX = {'species': None, 'box': (6.0, 7.0)}
BOTH = {'species': (0, 0, 1, 1, 0, 0), 'box': (7.0, 6.0)}
OTHERS = pytest.mark.parametrize('options', [KINDS, BOX, BOTH], ids=['kinds', 'box', 'both'])


def other(make, options):
  """Six particles in the plane, of several kinds or in a periodic box."""
  return make(6, 2, **options)


@pytest.mark.slow
@OTHERS
@MAKERS
def test_closed_forms_with_kinds_and_in_boxes_are_those_of_the_value(make, options):
  potential, x = other(make, options), events(3 * positions(6, 2))
  velocity, laplacian = potential.gradient_and_laplacian(T, x)
  by_tapes = autodiff.gradient_and_laplacian(potential, T, x)
  np.testing.assert_allclose(velocity, by_tapes[0], atol=1e-12)
  np.testing.assert_allclose(laplacian, by_tapes[1], atol=1e-10)


@MAKERS
def test_like_particles_alone_are_permuted(make):
  potential, x = other(make, KINDS), positions(6, 2)
  phi = potential(T, events(x)).numpy()
  alike, unlike = [2, 4, 5, 3, 1, 0], [1, 0, 2, 3, 4, 5]
  np.testing.assert_allclose(potential(T, events(x[:, alike])), phi, rtol=1e-12)
  assert np.min(np.abs(potential(T, events(x[:, unlike])).numpy() - phi)) > 1e-3


@MAKERS
def test_one_kind_of_all_is_none(make):
  x = events(positions(6, 2))
  one, none = make(6, 2, species=(0,) * 6), make(6, 2)
  np.testing.assert_array_equal(one(T, x), none(T, x))


@MAKERS
def test_images_of_a_box_are_one_particle(make):
  """A lattice vector added to one particle changes nothing, and phi is smooth where images swap."""
  potential, x = other(make, BOX), 3 * positions(6, 2)
  phi = potential(T, events(x)).numpy()
  moved = x.copy()
  moved[:, 2] += np.array([12.0, -7.0])
  np.testing.assert_allclose(potential(T, events(moved)), phi, rtol=1e-11)
  halfway = np.zeros((2, 6, 2)) + np.arange(6)[:, np.newaxis] * np.array([0.9, 1.1])
  halfway[:, 0] = halfway[:, 3] + np.array([[3.0 - 1e-9, 0.3], [3.0 + 1e-9, 0.3]])
  velocity, laplacian = potential.gradient_and_laplacian(T, events(halfway))
  np.testing.assert_allclose(velocity[0], velocity[1], atol=1e-7)
  np.testing.assert_allclose(laplacian[0], laplacian[1], atol=1e-6)


@pytest.mark.parametrize(
  'options, message',
  [
    ({'species': (0, 2)}, r'`species` must hold a kind 0, 1, .* got \(0, 2\)'),
    ({'species': (0, 1, 1)}, r'for each of 2 particles'),
    ({'species': 'ab'}, r'`species` must be a kind'),
    ({'box': (4.0,)}, r'`box` must hold 2 positive lengths, got \(4.0,\)'),
    ({'box': (4.0, -4.0)}, r'`box` must hold 2 positive lengths'),
    ({'box': (4.0, 8.0)}, r'`reach` must be at most 2, half the shortest side of the box, got 3'),
  ],
)
def test_what_is_no_kind_and_no_box_is_refused(options, message):
  for make in (potentials.Pairs, potentials.EmbeddedAtoms):
    with pytest.raises(ValueError, match=message):
      make(2, 2, reach=3.0, **options)


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


def cluster_with_background(particles, dimensions, basis):
  return embedded_cluster(particles, dimensions, basis, background=True)


@pytest.mark.parametrize('make', [cluster_with_background, embedded_dipoles])
def test_layers_have_their_time_derivative_in_closed_form(make, monkeypatch):
  """Tapes through phi take several times as long."""
  constant = make(3, 2, TimeBasis(1.5, 3))
  x, h = events(positions(3, 2)), tf.constant(1e-5, tf.float64)
  by_differences = (constant(T + h, x) - constant(T - h, x)) / (2 * h)
  monkeypatch.setattr(autodiff, 'time_derivative', None)
  np.testing.assert_allclose(constant.time_derivative(T, x), by_differences, atol=1e-9)


def test_dipoles_are_zero_in_the_middle_and_not_at_the_ends():
  """Three particles in a row: the pulls of two neighbours on the middle one cancel."""
  chain = events(np.array([[[-1.0, 0.2], [0.0, 0.2], [1.0, 0.2]]]))
  dipoles = embedded_dipoles(3, 2)._dipoles(chain)
  lengths = np.linalg.norm([part.numpy() for part in dipoles.vectors], axis=0)[..., 0]
  np.testing.assert_allclose(lengths[:, 1], 0.0, atol=1e-14)
  np.testing.assert_allclose(lengths[:, 0], lengths[:, 2], rtol=1e-13)
  assert np.min(lengths[:, 0]) > 1e-2


def test_whole_floats_are_sizes():
  cluster = potentials.EmbeddedCluster(3, 2, hidden_units=2.0, cluster_units=3.0, shells=4.0)
  assert cluster.cluster_mixing.shape == (2, 3) and cluster.mixing.shape == (4, 2)
