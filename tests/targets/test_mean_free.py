"""Coordinates of the mean-free subspace: an isometry that knows nothing of the centre of mass."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras import targets


@pytest.mark.parametrize('n', [2, 5, 13])
def test_the_coordinates_are_an_isometry_of_the_subspace(rng, n):
  within = targets.MeanFreeCoordinates(targets.LennardJones(n, dtype=tf.float64))
  y = rng.normal(size=(3, 2, within.event_size))
  x = within.positions(y).numpy()
  np.testing.assert_allclose(x.reshape(3, 2, n, 3).mean(axis=2), 0.0, atol=1e-14)
  np.testing.assert_allclose(np.sum(x**2, axis=-1), np.sum(y**2, axis=-1), rtol=1e-13)
  np.testing.assert_allclose(within.coordinates(x), y, atol=1e-13)


def test_energies_are_those_of_the_particles_wherever_their_centre_is(rng):
  target = targets.DoubleWells(tf.float64)
  within = targets.MeanFreeCoordinates(target)
  x = 3.0 * rng.normal(size=[5, 8]) + np.tile([10.0, -7.0], 4)
  np.testing.assert_allclose(within.energy(within.coordinates(x)), target.energy(x), rtol=1e-11)
  assert within.event_size == target.degrees_of_freedom and within.dtype == target.dtype


def test_what_has_no_particles_is_refused():
  with pytest.raises(TypeError, match='Particles, got Ising'):
    targets.MeanFreeCoordinates(targets.Ising(2))


def test_bad_shapes_are_refused_by_name():
  within = targets.MeanFreeCoordinates(targets.DoubleWells())
  with pytest.raises(ValueError, match='`y` must have event size 6'):
    within.energy(tf.zeros([3, 8]))
