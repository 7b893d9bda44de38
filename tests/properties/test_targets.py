"""Energies: exact partition functions, forces, and the symmetries of their lattices."""

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from ma_keras import symmetry, targets
from ma_keras.targets import kaufman
from tests.properties import strategies
from tests.support import reference

SIDES = st.integers(2, 4)
# Above -1, where an odd torus is not so frustrated that eight digits of Kaufman's sum are lost.
COUPLINGS = st.floats(-1.0, 2.0)
BOUNDARIES = st.sampled_from(['periodic', 'open'])
MAGNITUDES = st.sampled_from([1e-3, 1.0, 1e3])


@strategies.examples(40)
@hypothesis.given(rows=SIDES, columns=st.integers(2, 3), coupling=COUPLINGS, boundary=BOUNDARIES)
def test_partition_functions_equal_enumeration(rows, columns, coupling, boundary):
  """ln Z over all 2^N states, of either sign of K, frustrated or not."""
  solve = {'periodic': kaufman.log_partition, 'open': kaufman.open_log_partition}[boundary]
  exact = reference.enumerate_log_partition(rows, columns, coupling, boundary)
  assert solve(rows, columns, coupling) == pytest.approx(exact, rel=1e-10)


@strategies.examples(20)
@hypothesis.given(n=st.integers(1, 9), scale=st.floats(0.0, 3.0), seed=strategies.SEEDS)
def test_any_couplings_equal_enumeration(n, scale, seed):
  """The half sum of `enumerated_log_partition` is that over all states."""
  upper = np.triu(scale * np.random.default_rng(seed).normal(size=(n, n)), 1)
  states = 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1) - 1
  exponents = np.sum(states @ upper * states, axis=-1)
  exact = np.logaddexp.reduce(exponents)
  found = targets.spins.enumerated_log_partition(upper + upper.T)
  assert found == pytest.approx(exact, rel=1e-12, abs=1e-12)


def ising(side, boundary, coupling):
  return targets.Ising(side, coupling, boundary, tf.float64)


def phi4(side, boundary, coupling):
  return targets.Phi4(side, -4.0 * coupling, 2.0 + coupling, boundary, tf.float64)


@pytest.mark.parametrize('build', [ising, phi4])
@strategies.examples(12)
@hypothesis.given(
  side=SIDES,
  boundary=BOUNDARIES,
  coupling=COUPLINGS,
  magnitude=MAGNITUDES,
  seed=strategies.SEEDS,
)
def test_energies_have_the_symmetries_of_their_lattice(
  build, side, boundary, coupling, magnitude, seed
):
  """E(g x) = E(x) for the turns and mirrors of the square, x -> -x, and on a torus the shifts."""
  space = symmetry.square_lattice if boundary == 'periodic' else symmetry.dihedral
  group = space(side) * symmetry.inversion(side**2)
  target = build(side, boundary, coupling)
  x = strategies.points(side**2, seed=seed, magnitude=magnitude)
  images = target.energy(tf.constant(group.apply(x)))
  np.testing.assert_allclose(images, np.full(group.order, target.energy(x)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('build', [ising, phi4])
@strategies.examples(10)
@hypothesis.given(
  side=SIDES,
  boundary=BOUNDARIES,
  coupling=COUPLINGS,
  leading=strategies.LEADING,
  seed=strategies.SEEDS,
)
def test_forces_fall_off_the_energy_at_any_leading_rank(
  build, side, boundary, coupling, leading, seed
):
  target = build(side, boundary, coupling)
  x = strategies.points(*leading, side**2, seed=seed)
  with tf.GradientTape() as tape:
    tape.watch(x)
    energy = target.energy(x)
  assert energy.shape == leading
  np.testing.assert_allclose(target.force(x), -tape.gradient(energy, x), rtol=1e-10, atol=1e-10)
