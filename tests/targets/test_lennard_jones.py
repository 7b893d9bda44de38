"""Lennard-Jones particles of several kinds: loops over pairs, and a partition function."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from ma_keras import samplers, targets

SPECIES = (0, 0, 1, 0, 1)
DEPTHS = ((1.0, 1.5), (1.5, 0.5))  # Kob & Andersen 1995.
RADII = ((1.0, 0.8), (0.8, 0.88))
MIXTURE = {'depths': DEPTHS, 'radii': RADII}


def pair_energy(r, a, b, bond=2.0):
  ratio = RADII[a][b] / r
  return DEPTHS[a][b] * bond * (ratio**12 - 2 * ratio**6)


@pytest.mark.parametrize('species', [SPECIES, SPECIES[:4]])
@pytest.mark.parametrize('convention, bond', [('directed', 2.0), ('undirected', 1.0)])
def test_energy_by_loops_over_pairs_of_kinds(species, convention, bond):
  n = len(species)
  target = targets.LennardJones(n, convention, tf.float64, species=species, **MIXTURE)
  x = 1.3 * np.random.default_rng(n).normal(size=(4, n, 3))
  x -= x.mean(axis=1, keepdims=True)
  expected = [
    0.5 * np.sum(row**2)
    + sum(
      pair_energy(np.linalg.norm(row[i] - row[j]), species[i], species[j], bond)
      for i, j in itertools.combinations(range(n), 2)
    )
    for row in x
  ]
  np.testing.assert_allclose(target.energy(x.reshape(4, -1)), expected, rtol=1e-12)


def test_energy_in_a_box_vanishes_continuously_for_every_kind_of_pair():
  """u of a kind, less its own value at half the shortest side."""
  box = (3.0, 4.0, 5.0)
  target = targets.LennardJones(3, dtype=tf.float64, box=box, species=(0, 1, 1), **MIXTURE)
  x = np.array([[0.0, 0, 0], [1.1, 0, 0], [4.2, 3.1, 0.3]])  # The third one's image: 1.2, -.9, .3.
  sides = np.array(box)
  expected = 0.0
  for i, j in itertools.combinations(range(3), 2):
    gap = x[i] - x[j]
    r = np.linalg.norm(gap - sides * np.round(gap / sides))
    kinds = min(i, 1), min(j, 1)
    expected += (pair_energy(r, *kinds) - pair_energy(1.5, *kinds)) if r < 1.5 else 0.0
  assert expected != 0.0
  np.testing.assert_allclose(target.energy(x.ravel()), expected, rtol=1e-12)


def test_tables_of_ones_and_one_kind_change_nothing(rng):
  x = rng.normal(size=(3, 15))
  plain = targets.LennardJones(5, dtype=tf.float64).energy(x)
  ones = targets.LennardJones(5, dtype=tf.float64, species=SPECIES).energy(x)
  scaled = targets.LennardJones(
    5, dtype=tf.float64, species=[0] * 5, depths=[[1.0]], radii=np.array([[1.0]])
  )
  np.testing.assert_array_equal(ones, plain)
  np.testing.assert_array_equal(scaled.energy(x), plain)


def test_the_partition_function_of_two_unlike_particles():
  """Z = int exp(-E(y)) dy, y = (x_1 - x_2)/sqrt 2: 4 pi/2^1.5 int r^2 exp(-u_01(r) - r^2/4) dr."""
  target = targets.LennardJones(2, dtype=tf.float64, species=(0, 1), **MIXTURE)
  r = np.linspace(0.3, 14.0, 100_001)
  radial = 4.0 * np.pi * 2.0**-1.5 * r**2 * np.exp(-pair_energy(r, 0, 1) - r**2 / 4.0)
  exact = np.sum(radial) * (r[1] - r[0])
  within = targets.MeanFreeCoordinates(target)
  nodes, weights = np.polynomial.legendre.leggauss(500)
  axis, weights = 4.0 * (nodes + 1.0), 4.0 * weights  # In cylinder coordinates, half of space.
  across, along = np.meshgrid(axis, axis, indexing='ij')
  y = np.stack([across, np.zeros_like(across), along], axis=-1).reshape(-1, 3)
  density = np.reshape(np.exp(-within.energy(y)), across.shape)
  total = 4.0 * np.pi * np.einsum('i,j,ij', weights * axis, weights, density)
  assert total == pytest.approx(exact, rel=1e-6)


def test_forces_virial_and_minima_are_those_of_the_kinds():
  """One bond of unlike particles: it rests where 2 u'(r) + r/2 vanishes, near its own radius."""
  target = targets.LennardJones(2, dtype=tf.float32, species=(0, 1), **MIXTURE)
  end = samplers.inherent_structures(target, np.array([[0.7, 0, 0, -0.7, 0, 0]], np.float32))
  assert end.converged.all()
  r = np.linalg.norm(end.positions[0, :3] - end.positions[0, 3:])
  grid = np.linspace(0.7, 0.9, 200_001)
  lowest = np.argmin(pair_energy(grid, 0, 1) + grid**2 / 4)
  assert r == pytest.approx(grid[lowest], abs=1e-5)
  at = targets.LennardJones(2, dtype=tf.float64, species=(0, 1), **MIXTURE)
  x, step = np.array([0.5, 0, 0, -0.5, 0, 0]), 1e-6
  slope = (at.energy(x * (1 + step)) - at.energy(x * (1 - step))) / (2 * step)
  np.testing.assert_allclose(at.virial(x), slope, rtol=1e-8)
  np.testing.assert_allclose(at.distances(x), [1.0])


@pytest.mark.parametrize('name', ['depths', 'radii'])
@pytest.mark.parametrize(
  'table',
  [
    ((1.0, 1.5), (1.4, 0.5)),
    ((1.0,),),
    ((1.0, 1.0, 1.0),) * 3,
    ((1.0, 0.0), (0.0, 1.0)),
    ((1.0, -1.0), (-1.0, 1.0)),
    ((1.0, np.nan), (np.nan, 1.0)),
    ((1.0, np.inf), (np.inf, 1.0)),
    ((1.0, 2.0), (2.0,)),
    1.0,
    'AB',
  ],
)
def test_wrong_tables_are_told_by_name(name, table):
  with pytest.raises(ValueError, match=rf'`{name}` must be a symmetric table of 2 rows of 2 pos'):
    targets.LennardJones(3, species=(0, 0, 1), **{name: table})


def test_tables_need_kinds_and_kinds_a_particle_each():
  with pytest.raises(ValueError, match=r'`depths` are of pairs of kinds: pass `species`'):
    targets.LennardJones(3, depths=DEPTHS)
  with pytest.raises(ValueError, match=r'`species` must hold a kind 0, 1, \.\.\. for each of 3'):
    targets.LennardJones(3, species=(0, 1))
