"""The lattice matrices equal their bond lists, and their spectra the closed forms."""

import numpy as np
import pytest

from ma_keras.targets import lattice
from tests.support import reference

SHAPES = [(2, 2), (2, 3), (3, 2), (3, 4), (4, 4), (5, 5)]
BOUNDARIES = ['periodic', 'open']


@pytest.mark.parametrize('boundary', BOUNDARIES)
@pytest.mark.parametrize('rows, columns', SHAPES)
def test_adjacency_counts_the_bonds(rows, columns, boundary):
  expected = np.zeros([rows * columns] * 2)
  for i, j in reference.bonds(rows, columns, boundary):
    expected[i, j] += 1
    expected[j, i] += 1
  np.testing.assert_array_equal(lattice.adjacency(rows, columns, boundary), expected)
  np.testing.assert_array_equal(lattice.degrees(rows, columns, boundary), expected.sum(axis=0))


@pytest.mark.parametrize('boundary', BOUNDARIES)
@pytest.mark.parametrize('rows, columns', SHAPES)
def test_closed_form_spectra_equal_the_numerical_ones(rows, columns, boundary):
  adjacency = lattice.adjacency(rows, columns, boundary)
  laplacian = np.diag(adjacency.sum(axis=0)) - adjacency
  np.testing.assert_allclose(
    lattice.adjacency_eigenvalues(rows, columns, boundary),
    np.linalg.eigvalsh(adjacency),
    atol=1e-13,
  )
  np.testing.assert_allclose(
    lattice.laplacian_eigenvalues(rows, columns, boundary),
    np.linalg.eigvalsh(laplacian),
    atol=1e-13,
  )


@pytest.mark.parametrize('side', [2, 3, 4, 6])
def test_periodic_quadratic_form_equals_the_rolled_sum(side):
  spins = np.random.default_rng(0).choice([-1.0, 1.0], size=[side, side])
  rolled = sum(np.sum(spins * np.roll(spins, 1, axis)) for axis in (0, 1))
  flat = spins.ravel()
  assert 0.5 * flat @ lattice.adjacency(side, side) @ flat == rolled


def test_every_periodic_site_has_four_bonds_even_at_side_two():
  assert set(lattice.adjacency(2, 2).sum(axis=0)) == {4.0}
  assert set(lattice.adjacency(2, 2, 'open').sum(axis=0)) == {2.0}


def test_coupling_matrix_scales_the_adjacency():
  np.testing.assert_array_equal(
    lattice.coupling_matrix(3, 4, -0.3, 'open'), -0.3 * lattice.adjacency(3, 4, 'open')
  )


@pytest.mark.parametrize(
  'arguments, message',
  [
    ((1, 3), '`rows` must be at least 2, and whole, got 1'),
    ((2, 3, 'mirror'), "`boundary` .* got 'mirror'"),
  ],
)
def test_errors_name_the_argument(arguments, message):
  with pytest.raises(ValueError, match=message):
    lattice.adjacency(*arguments)
