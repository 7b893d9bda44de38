"""Minima of the energy: two particles in closed form, thirteen at the icosahedron."""

import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf

from ma_keras import samplers, targets


def icosahedron():
  golden = (1 + np.sqrt(5)) / 2
  shell = [(0, s, t * golden) for s in (-1, 1) for t in (-1, 1)]
  corners = [np.roll(corner, k) for corner in shell for k in range(3)]
  return 0.95 * np.array([np.zeros(3), *corners]) / np.sqrt(1 + golden**2)


@pytest.mark.slow
def test_two_particles_end_where_bond_and_trap_balance():
  target = targets.LennardJones(2, dtype=tf.float64)
  x = np.random.default_rng(0).normal(size=(20, 6))
  ends = samplers.inherent_structures(target, x)
  exact = scipy.optimize.minimize_scalar(
    lambda r: 2 * (r**-12 - 2 * r**-6) + r**2 / 4, bounds=(0.8, 1.2), method='bounded'
  )
  assert np.all(ends.converged) and not ends.doubts()
  np.testing.assert_allclose(ends.energies, exact.fun, atol=1e-6)
  np.testing.assert_allclose(target.distances(ends.positions)[:, 0], exact.x, atol=1e-4)
  assert np.all(ends.energies <= target.energy(x))


@pytest.mark.slow
def test_thirteen_particles_near_the_icosahedron_end_there():
  """-44.3268 bonds: Hoare & Pal, Adv. Phys. 20 (1971) 161."""
  target = targets.LennardJones(13, 'undirected', tf.float64)
  target.confinement = 0.0
  noise = 0.05 * np.random.default_rng(1).normal(size=(4, 13, 3))
  ends = samplers.inherent_structures(target, (icosahedron() + noise).reshape(4, -1))
  levels, counts = ends.levels()
  np.testing.assert_allclose(levels, [-44.326801], atol=1e-4)
  assert counts.tolist() == [4]


@pytest.mark.slow
@pytest.mark.parametrize('target', [targets.DoubleWells(), targets.LennardJones(5)])
def test_energies_in_float32_have_minima_as_well(target):
  """The targets' default: it is minimised in float64 all the same."""
  x = 2.0 * np.random.default_rng(4).normal(size=(4, target.event_size)).astype(np.float32)
  ends = samplers.inherent_structures(target, x)
  assert np.all(ends.converged) and target.dtype == tf.float32
  assert np.all(ends.energies <= target.energy(x).numpy())


def test_what_did_not_arrive_is_no_minimum():
  target = targets.LennardJones(5, dtype=tf.float64)
  x = 2.0 * np.random.default_rng(2).normal(size=(6, 15))
  ends = samplers.inherent_structures(target, x, max_iterations=1)
  assert not np.any(ends.converged) and np.all(np.isnan(ends.energies))
  assert ends.doubts()[0].startswith('6 of 6 configurations reached no minimum')
  assert [part.tolist() for part in ends.levels()] == [[], []]


@pytest.mark.parametrize(
  'x, message',
  [
    (np.zeros((2, 15)), r'`x` has the energy (nan|inf) in row 0'),
    (np.zeros(15), r'`x` must be configurations \[n, 15\]'),
  ],
)
def test_what_are_no_configurations_is_refused(x, message):
  with pytest.raises(ValueError, match=message):
    samplers.inherent_structures(targets.LennardJones(5, dtype=tf.float64), x)


def test_what_cannot_be_minimised_is_refused():
  x = np.ones((2, 15)) * np.arange(15)
  with pytest.raises(
    ValueError, match=r'`tolerance` must be a positive force .* got -1.0 and 1000'
  ):
    samplers.inherent_structures(targets.LennardJones(5, dtype=tf.float64), x, tolerance=-1.0)
  with pytest.raises(TypeError, match=r'`target` must be a targets.Particles, got Phi4'):
    samplers.inherent_structures(targets.Phi4(2, 1.0, 1.0), x)
