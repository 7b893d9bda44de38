"""The cluster chain samples the Boltzmann distribution."""

import itertools

import numpy as np
import pytest

from ma_keras import samplers
from ma_keras.samplers import wolff
from ma_keras.targets import CRITICAL_COUPLING, lattice, thermodynamics


def configurations(couplings, seed, count, updates=2):
  return np.array(list(itertools.islice(wolff.chain(couplings, seed, updates), 100, 100 + count)))


def exponent(spins, couplings):
  """1/2 s.K s of configurations [n, N]."""
  return 0.5 * np.einsum('ni,ij,nj->n', spins, couplings, spins)


@pytest.mark.slow
@pytest.mark.parametrize(
  'boundary, coupling', [('open', 0.2), ('periodic', CRITICAL_COUPLING), ('open', 0.6)]
)
def test_the_energy_is_exact(boundary, coupling):
  couplings = lattice.coupling_matrix(4, 4, coupling, boundary)
  energies = -exponent(configurations(couplings, 1, 6000), couplings) / coupling / 16
  found = samplers.expectation(energies, blocks=40)
  assert abs(found.value - thermodynamics.exact(4, coupling, boundary).energy) < 4 * found.error
  assert found.error < 0.02


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['glass', 'side of two'])
def test_every_state_has_its_probability(kind):
  """Chi-squared over all states, frustrated or not."""
  rng = np.random.default_rng(2)
  couplings = lattice.coupling_matrix(2, 2, 0.25)
  if kind == 'glass':
    couplings = np.triu(rng.normal(size=(6, 6)) * 0.5, 1)
    couplings = couplings + couplings.T
  n = len(couplings)
  states = np.array(list(itertools.product((-1, 1), repeat=n)))
  expected = np.exp(exponent(states, couplings))
  expected *= 8000 / expected.sum()
  spins = configurations(couplings, 0, 8000, updates=6)
  counts = np.bincount(((spins + 1) // 2) @ (2 ** np.arange(n)[::-1]), minlength=2**n)
  chi_squared, degrees = np.sum((counts - expected) ** 2 / expected), 2**n - 1
  assert chi_squared < degrees + 5 * np.sqrt(2 * degrees)


def test_equal_seeds_give_equal_chains():
  couplings = lattice.coupling_matrix(4, 4, 0.4)
  one, two, other = (configurations(couplings, seed, 20) for seed in (1, 1, 2))
  np.testing.assert_array_equal(one, two)
  assert np.any(one != other)


def test_configurations_are_one_update_apart_by_default():
  couplings = lattice.coupling_matrix(4, 4, 0.4)
  single, double = wolff.chain(couplings, 1), wolff.chain(couplings, 1, updates=2)
  one, two, three, four = itertools.islice(single, 4)
  np.testing.assert_array_equal([two, four], list(itertools.islice(double, 2)))
  assert np.any(one != two) and np.any(three != four)


@pytest.mark.parametrize(
  'couplings, updates, message',
  [
    (np.ones([2, 3]), 1, 'couplings'),
    (np.array([[0, 1], [2, 0]]), 1, 'couplings'),
    (np.full([2, 2], np.nan), 1, 'couplings'),
    (np.eye(2), 0, 'updates'),
  ],
)
def test_errors_name_the_argument(couplings, updates, message):
  with pytest.raises(ValueError, match=message):
    wolff.chain(couplings, 0, updates)
