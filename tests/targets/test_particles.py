"""Clusters of particles: energies against plain loops, and the virial theorem."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import potentials, targets, training


def lennard_jones(x, bond):
  x = x - x.mean(axis=0)
  r = [np.linalg.norm(a - b) for a, b in itertools.combinations(x, 2)]
  return sum(bond * (d**-12 - 2 * d**-6) for d in r) + 0.5 * np.sum(x**2)


def double_wells(x):
  r = [np.linalg.norm(a - b) - 4.0 for a, b in itertools.combinations(x, 2)]
  return sum(0.9 * d**4 - 4.0 * d**2 for d in r)


@pytest.mark.parametrize('convention, bond', [('directed', 2.0), ('undirected', 1.0)])
@pytest.mark.parametrize('n', [2, 5, 8])
def test_lennard_jones_energy_by_loops(convention, bond, n):
  target = targets.LennardJones(n, convention, tf.float64)
  x = 1.3 * np.random.default_rng(n).normal(size=(4, n, 3))
  expected = [lennard_jones(row, bond) for row in x]
  np.testing.assert_allclose(target.energy(x.reshape(4, -1)), expected, rtol=1e-12)
  assert target.event_size == 3 * n and target.degrees_of_freedom == 3 * (n - 1)


def test_double_wells_energy_by_loops():
  target, x = targets.DoubleWells(tf.float64), np.random.default_rng(0).normal(size=(4, 4, 2))
  expected = [double_wells(3 * row) for row in x]
  np.testing.assert_allclose(target.energy(3 * x.reshape(4, -1)), expected, rtol=1e-12)


@pytest.mark.parametrize(
  'target', [targets.DoubleWells(tf.float64), targets.LennardJones(5, dtype=tf.float64)]
)
def test_forces_pull_where_energies_fall(target):
  x = 1.5 * np.random.default_rng(0).normal(size=target.event_size)
  shifts = 1e-5 * np.eye(target.event_size)
  slopes = (target.energy(x + shifts) - target.energy(x - shifts)) / 2e-5
  np.testing.assert_allclose(target.force(x), -slopes, rtol=1e-6, atol=1e-6)
  np.testing.assert_allclose(target.virial(x), np.sum(x * slopes), rtol=1e-6)


def test_the_virial_is_the_number_of_degrees_of_freedom():
  """Two particles: the distance r has the density exp(-u(r) - r^2/4) r^2, by quadrature."""
  target = targets.LennardJones(2, dtype=tf.float64)
  r = np.linspace(0.5, 12.0, 20_001)
  x = np.zeros((len(r), 2, 3))
  x[:, 0, 0], x[:, 1, 0] = r / 2, -r / 2
  x = x.reshape(len(r), -1)
  weights = np.exp(-target.energy(x).numpy()) * r**2
  virial = np.sum(weights * target.virial(x)) / np.sum(weights)
  assert virial == pytest.approx(target.degrees_of_freedom, rel=1e-8)


def test_distances_hold_every_pair_once():
  target, x = targets.DoubleWells(tf.float64), np.random.default_rng(0).normal(size=(2, 4, 2))
  expected = [[np.linalg.norm(a - b) for a, b in itertools.combinations(row, 2)] for row in x]
  distances = target.distances(x.reshape(2, -1)).numpy()
  np.testing.assert_allclose(np.sort(distances), np.sort(expected), rtol=1e-12)


def test_observables_are_means_of_what_they_say():
  target, x = targets.DoubleWells(tf.float64), np.random.default_rng(0).normal(size=(50, 8))
  observables = target.observables()
  mean = observables.moments(target.configurations(x, seed=0).numpy()).mean(axis=0)
  energy = target.energy(x).numpy()
  assert observables.statistics['energy'](mean) == pytest.approx(energy.mean())
  assert observables.statistics['heat capacity'](mean) == pytest.approx(energy.var())
  assert observables.statistics['virial'](mean) == pytest.approx(target.virial(x).numpy().mean())
  distance = target.distances(x).numpy().mean()
  assert observables.statistics['pair distance'](mean) == pytest.approx(distance)


def test_the_base_is_mean_free_and_the_convention_is_named():
  target = targets.LennardJones(13)
  assert target.base().degrees_of_freedom == target.degrees_of_freedom == 36
  with pytest.raises(ValueError, match=r"`convention` must be one of .* got 'both'"):
    targets.LennardJones(13, 'both')
  with pytest.raises(ValueError, match='`particles` must be at least 2, and whole, got 1'):
    targets.LennardJones(1)


@pytest.mark.slow
def test_centres_of_mass_away_from_the_origin_are_refused_wherever_they_come_from(eagerly):
  """exp(-E) has no finite integral there: a base in all of space, or a potential that pushes."""
  target = targets.DoubleWells()
  distances = ma_keras.MongeAmpereBijector(potentials.Pairs(4, 2, reach=8.0, seed=0), 1, 0.1)
  places = ma_keras.MongeAmpereBijector(potentials.OneHiddenLayer(8, 4, seed=0), 1, 0.5)
  with pytest.raises(ValueError, match=r'Centres of mass .* pass base=target\.base\(\)'):
    training.VariationalFreeEnergy(distances, target, batch_size=8)
  with pytest.raises(ValueError, match=r'Centres of mass .* pass base=target\.base\(\)'):
    training.measure(distances, target, 8, 8, seed=0)
  with pytest.raises(ValueError, match=r'Centres of mass .* let phi depend on distances'):
    training.draw(places, target, 8, 8, seed=0, base=target.base())


def test_samples_of_chains_that_are_not_mean_free_are_refused(rng):
  target = targets.DoubleWells()
  bijector = ma_keras.MongeAmpereBijector(potentials.Pairs(4, 2, reach=8.0, seed=0), 1, 0.1)
  model = training.Jeffreys(bijector, target, batch_size=4, base=target.base())
  model.compile('adam')
  with pytest.raises(ValueError, match=r'Centres of mass .* subtract the mean over particles'):
    model.fit(rng.normal(size=(8, 8)), verbose=0)


BOX = (3.0, 3.5, 4.0)


def in_box(x, bond=2.0):
  """The energy of the nearest images, by loops over all images and pairs."""
  shifts = np.array(list(itertools.product((-1, 0, 1), repeat=3))) * np.array(BOX)
  level = bond * (1.5**-12 - 2 * 1.5**-6)
  total = 0.0
  for a, b in itertools.combinations(x % np.array(BOX), 2):
    d = np.min(np.linalg.norm(a - b + shifts, axis=1))
    total += bond * (d**-12 - 2 * d**-6) - level if d < 1.5 else 0.0
  return total


def test_energy_in_a_periodic_box_by_loops():
  target = targets.LennardJones(5, dtype=tf.float64, box=BOX)
  x = np.random.default_rng(0).uniform(-5.0, 5.0, size=(6, 5, 3))
  expected = [in_box(row) for row in x]
  assert np.ptp(expected) > 0.1
  np.testing.assert_allclose(target.energy(x.reshape(6, -1)), expected, rtol=1e-9)
  assert target.degrees_of_freedom == 15 and 'virial' not in target.observables().statistics


def test_forces_in_a_periodic_box_pull_where_energies_fall():
  target = targets.LennardJones(4, dtype=tf.float64, box=BOX)
  x = np.random.default_rng(3).uniform(0.0, 3.0, size=12)
  shifts = 1e-6 * np.eye(12)
  slopes = (target.energy(x + shifts) - target.energy(x - shifts)) / 2e-6
  np.testing.assert_allclose(target.force(x), -slopes, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_weights_of_a_flow_find_the_partition_function_of_a_box(eagerly):
  """Two particles: Z = V times the integral of exp(-u) over one box, by quadrature."""
  target = targets.LennardJones(2, dtype=tf.float64, box=BOX)
  sides = [(np.arange(60) + 0.5) / 60 * side for side in BOX]
  second = np.stack(np.meshgrid(*sides, indexing='ij'), axis=-1).reshape(-1, 3)
  energies = target.energy(np.concatenate([np.zeros_like(second), second], axis=1))
  volume = np.prod(BOX)
  exact = -np.log(volume**2 * np.mean(np.exp(-energies)))
  phi = potentials.Pairs(2, 3, reach=1.5, softening=0.5, box=BOX, dtype=tf.float64, seed=0)
  bijector = ma_keras.MongeAmpereBijector(phi, 4, 0.25)
  result = training.measure(
    bijector, target, num_samples=4000, batch_size=4000, seed=1, base=target.base()
  )
  error = 6 * result.reweighted_error
  assert abs(6 * result.reweighted_per_site - exact) < 4 * error and error < 0.05


def test_what_a_box_has_not_is_refused():
  target = targets.LennardJones(2, box=BOX)
  phi = potentials.Pairs(2, 3, reach=1.5, box=BOX, seed=0)
  bijector = ma_keras.MongeAmpereBijector(phi, 2, 0.5)
  with pytest.raises(ValueError, match=r'`base` has not the period of the box .*target.base()'):
    training.measure(bijector, target, num_samples=10, batch_size=10, seed=1)
  with pytest.raises(ValueError, match=r'`base` has not the period of the box'):
    training.VariationalFreeEnergy(bijector, target, batch_size=4)
  with pytest.raises(ValueError, match=r'`scale` is that of a normal'):
    target.base(scale=2.0)
  with pytest.raises(ValueError, match=r'`virial` depends on the image'):
    target.virial(np.zeros(6, np.float32))
  with pytest.raises(ValueError, match=r'`particles` are in a periodic box'):
    targets.MeanFreeCoordinates(target)
