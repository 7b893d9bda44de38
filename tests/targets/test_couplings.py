"""Couplings on a torus are the matrix that they stand for, and need none."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras.targets import Ising, lattice
from ma_keras.targets.couplings import MatrixCouplings, TorusCouplings


@pytest.mark.parametrize('leading', [[], [0], [2, 3]])
@pytest.mark.parametrize('side, coupling', [(2, 0.7), (3, 0.3), (4, -0.5), (5, 0.0)])
def test_a_torus_is_its_matrix(side, coupling, leading):
  torus = TorusCouplings(side, coupling)
  matrix = MatrixCouplings(lattice.coupling_matrix(side, side, coupling), tf.float64)
  x = tf.constant(np.random.default_rng(0).normal(size=[*leading, side**2]))
  np.testing.assert_allclose(np.sort(torus.eigenvalues), matrix.eigenvalues, atol=1e-13)
  np.testing.assert_allclose(torus.covariance, matrix.covariance, atol=1e-13)
  for method in ('product', 'solve'):
    ours, expected = (getattr(couplings, method)(x) for couplings in (torus, matrix))
    np.testing.assert_allclose(ours, expected, rtol=1e-11, atol=1e-12)


def test_a_large_torus_inverts_its_covariance_and_counts_bonds_exactly():
  """10,000 sites: a matrix of them takes 800 MB, and its inverse minutes."""
  target = Ising(100, 0.5)
  x = tf.random.stateless_normal([3, target.event_size], [0, 1])
  y = target.couplings.solve(x)
  np.testing.assert_allclose(target.couplings.product(y) + target.shift * y, x, atol=1e-4)
  spins = np.ones([100, 100], np.float32)
  spins[3:5, 7:10] = -1.0  # An island of 2 x 3 sites has ten bonds around it.
  energy = float(target.spin_energy(spins.reshape(-1)))
  assert energy == -0.5 * (20_000 - 2 * 10)
