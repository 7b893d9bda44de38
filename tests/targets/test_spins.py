"""Spins with any couplings: sums over all states, integrals over all fields."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from ma_keras.targets import CoupledSpins, Ising, SolvedTarget, lattice
from ma_keras.targets.spins import enumerated_log_partition


def glass(n, seed=0, scale=0.5):
  """Gaussian couplings of all pairs (Sherrington & Kirkpatrick)."""
  draws = scale * np.random.default_rng(seed).normal(size=(n, n))
  return np.triu(draws, 1) + np.triu(draws, 1).T


@pytest.mark.parametrize('n', [1, 2, 3, 6, 7])
def test_enumeration_by_halves_equals_the_sum_over_states(n):
  couplings = glass(n)
  states = np.array(list(itertools.product((-1, 1), repeat=n)))
  weights = [
    np.exp(sum(couplings[i, j] * s[i] * s[j] for i in range(n) for j in range(i))) for s in states
  ]
  assert enumerated_log_partition(couplings) == pytest.approx(np.log(np.sum(weights)), rel=1e-12)


def test_appendix_b_holds_for_a_spin_glass():
  """Gauss-Hermite along the axes of K + alpha I, against the sum over states."""
  target = CoupledSpins(glass(3), dtype=tf.float64)
  values, vectors = np.linalg.eigh(target.covariance)
  nodes, weights = np.polynomial.hermite_e.hermegauss(60)
  grid = np.array(list(itertools.product(nodes, repeat=3)))
  weight = np.prod(np.array(list(itertools.product(weights, repeat=3))), axis=-1)
  x = (grid * np.sqrt(values)) @ vectors.T
  integrand = np.exp(-target.energy(x).numpy() + 0.5 * np.sum(grid**2, axis=-1))
  integral = np.sqrt(np.prod(values)) * np.sum(weight * integrand)
  assert target.exact_log_partition() == pytest.approx(np.log(integral), abs=1e-7)


@pytest.mark.parametrize('boundary', ['periodic', 'open'])
def test_a_lattice_is_one_of_them(boundary):
  ising = Ising(4, 0.4, boundary, dtype=tf.float64)
  same = CoupledSpins(lattice.coupling_matrix(4, 4, 0.4, boundary), dtype=tf.float64)
  x = np.random.default_rng(1).normal(size=[5, 16])
  np.testing.assert_allclose(same.energy(x), ising.energy(x), rtol=1e-10)
  np.testing.assert_allclose(same.force(x), ising.force(x), rtol=1e-10)
  assert same.exact_log_partition() == pytest.approx(ising.exact_log_partition(), rel=1e-12)


def test_is_a_solved_target_up_to_twenty_spins():
  assert isinstance(CoupledSpins(glass(4)), SolvedTarget)
  with pytest.raises(ValueError, match=r'join 21 spins.*up to 20'):
    CoupledSpins(glass(21)).exact_log_partition()


@pytest.mark.parametrize('once', [True, False])
def test_both_remedies_mean_what_the_message_says(once):
  """-sum over pairs of their energy, pairs once in a triangle or twice in halves that differ."""
  full, rng = glass(4, seed=1), np.random.default_rng(2)
  skew = np.triu(rng.normal(size=full.shape), 1)
  given = np.triu(full) if once else full + skew - skew.T
  with pytest.raises(
    ValueError, match=r'K \+ K\.T if .* once.*\(K \+ K\.T\)/2 if .* twice'
  ) as caught:
    CoupledSpins(given)
  assert ('seems to stand once' in str(caught.value)) == once
  remedied = given + given.T if once else (given + given.T) / 2
  target = CoupledSpins(remedied, dtype=tf.float64)
  s = np.array([1.0, -1.0, -1.0, 1.0])
  pairs = sum(full[i, j] * s[i] * s[j] for i in range(4) for j in range(i))
  assert target.spin_energy(s).numpy() == pytest.approx(-pairs, rel=1e-12)


@pytest.mark.parametrize(
  'entry, message',
  [
    ((1, 1, 0.5), r'got 0\.5 at \[1, 1\].*K - np\.diag\(np\.diag\(K\)\)'),
    ((0, 2, np.nan), r'1 entries that are not finite, the first at \[0, 2\].*write 0'),
  ],
)
def test_a_bad_entry_is_named_with_its_remedy(entry, message):
  couplings = glass(3)
  couplings[entry[0], entry[1]] = entry[2]
  with pytest.raises(ValueError, match=message):
    CoupledSpins(couplings)
