"""A map starts where the moments of both ends are, and trains from there."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras import transport


def ends():
  random = np.random.default_rng(0)
  z = random.normal(size=(500, 3)) @ random.normal(size=(3, 3)) + 5.0
  return z, random.normal(size=(400, 3)) @ random.normal(size=(3, 3)) - 2.0


def test_without_units_to_speak_of_it_is_the_map_of_gaussians():
  z, x = ends()
  affine = transport.Gaussian.of_samples(z).optimal_map(transport.Gaussian.of_samples(x))
  optimal = transport.start_from_moments(z, x, 5, stretch=1e-9, dtype=tf.float64)
  slope = optimal.forward(z).numpy() - affine(z)
  np.testing.assert_allclose(slope, np.broadcast_to(slope[0], slope.shape), atol=1e-6)
  assert optimal.modulus == pytest.approx(np.linalg.eigvalsh(affine.matrix)[0] / 20)


def test_units_stretch_the_map_by_a_part_of_it():
  z, x = ends()
  affine = transport.Gaussian.of_samples(z).optimal_map(transport.Gaussian.of_samples(x))
  optimal = transport.start_from_moments(z, x, 50, stretch=0.2, dtype=tf.float64)
  jacobian = optimal.modulus * 3 + optimal.potential.laplacian(0.0, z).numpy()
  excess = jacobian - np.trace(affine.matrix)
  assert np.all(excess > 0) and np.max(excess) < 0.2 * np.trace(affine.matrix)


def test_the_mean_is_that_of_the_target():
  z, x = ends()
  optimal = transport.start_from_moments(z, x, 50, stretch=0.5, dtype=tf.float64)
  np.testing.assert_allclose(np.mean(optimal.forward(z), axis=0), np.mean(x, axis=0), atol=1e-9)


def test_ends_of_different_dimension_are_refused():
  z, x = ends()
  with pytest.raises(ValueError, match='Ends of a transport must have one dimension, got 3 and 2'):
    transport.start_from_moments(z, x[:, :2], 5)
