"""Observables of all states with their weights are exact; those of a flow, within their errors."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import samplers, targets, training
from ma_keras.potentials import SpectralQuadratic

pytestmark = pytest.mark.slow


def all_states(side):
  bits = np.arange(2**side**2)[:, np.newaxis] >> np.arange(side**2)
  return (1 - 2 * (bits & 1)).astype(np.int8)


def observed(bijector, target, samples=20000):
  draws = training.draw(bijector, target, samples, min(samples, 4000), seed=0)
  return training.measure_observables(draws, target)


@pytest.mark.parametrize('boundary', ['periodic', 'open'])
def test_all_states_with_their_weights_are_exact(boundary):
  target = targets.Ising(3, 0.4, boundary, tf.float64)
  spins = all_states(3)
  log_weights = -target.spin_energy(tf.constant(spins, tf.float64)).numpy()
  rows = target.observables().moments(spins)
  found = {
    name: samplers.expectation(rows, log_weights, f).value
    for name, f in target.observables().statistics.items()
  }
  exact = targets.thermodynamics.exact(3, 0.4, boundary)
  assert found['energy'] == pytest.approx(exact.energy, abs=1e-8)
  assert found['specific heat'] == pytest.approx(exact.specific_heat, abs=1e-6)
  weights = np.exp(log_weights - log_weights.max())
  weights /= weights.sum()
  m = spins.mean(axis=1)
  assert found['magnetisation'] == pytest.approx(weights @ np.abs(m))
  assert found['susceptibility'] == pytest.approx(9 * weights @ m**2)
  binder = 1 - weights @ m**4 / (3 * (weights @ m**2) ** 2)
  assert found['Binder cumulant'] == pytest.approx(binder)
  if boundary == 'periodic':  # Every bond of a torus is a pair at distance one: u = -2 G(1).
    assert found['two-point function at 1'] == pytest.approx(-exact.energy / 2, abs=1e-8)


def test_a_flow_reweighted_has_the_exact_energy_and_specific_heat():
  """Far from criticality the Gaussian start is good enough to be reweighted."""
  target = targets.Ising(4, 0.2)
  potential = SpectralQuadratic(4)
  potential.start_gaussian(target.covariance, 1.0)
  bijector = ma_keras.MongeAmpereBijector(potential, 8, 1 / 8)
  found = {o.name: o for o in observed(bijector, target)}
  exact = targets.thermodynamics.exact(4, 0.2)
  for name, value in (('energy', exact.energy), ('specific heat', exact.specific_heat)):
    assert abs(found[name].reweighted.value - value) < 4 * found[name].reweighted.error
    assert found[name].integration_error < found[name].reweighted.error
  raw = found['energy'].raw
  assert abs(raw.value - exact.energy) > 4 * raw.error
  assert 'integration' in str(found['energy'])


@pytest.mark.usefixtures('eagerly')
def test_what_cannot_be_measured_is_refused():
  potential = SpectralQuadratic(4)
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.5)
  with pytest.raises(ValueError, match='coupling'):
    observed(bijector, targets.Ising(4, 0.0), 100)
  with pytest.raises(ValueError, match='100 samples'):
    observed(bijector, targets.Ising(4), 10)


def test_spins_with_any_couplings_are_measured_in_units_of_kt():
  bonds = np.random.default_rng(0).normal(size=[9, 9])
  target = targets.CoupledSpins(np.triu(bonds, 1) + np.triu(bonds, 1).T, tf.float64)
  spins = all_states(3)
  energies = target.spin_energy(tf.constant(spins, tf.float64)).numpy()
  rows = target.observables().moments(spins)
  found = {
    name: samplers.expectation(rows, -energies, f).value
    for name, f in target.observables().statistics.items()
  }
  weights = np.exp(energies.min() - energies)
  weights /= weights.sum()
  assert found['energy'] == pytest.approx(weights @ energies / 9)
  variance = weights @ energies**2 - (weights @ energies) ** 2
  assert found['specific heat'] == pytest.approx(variance / 9)
  assert not [name for name in found if 'two-point' in name]


def test_a_free_field_has_the_two_point_function_of_its_covariance():
  """phi^4 without its quartic term, and the flow that is exactly its Gaussian."""
  target = targets.Phi4(4, 1.0, 0.0)
  covariance = np.linalg.inv(4 * np.eye(16) - targets.lattice.adjacency(4, 4) + np.eye(16))
  potential = SpectralQuadratic(4)
  potential.start_gaussian(covariance, 1.0)
  bijector = ma_keras.MongeAmpereBijector(potential, 8, 1 / 8)
  found = {o.name: o for o in observed(bijector, target)}
  assert 'energy' not in found
  for r in (1, 2):
    estimate = found[f'two-point function at {r}'].reweighted
    assert abs(estimate.value - covariance[0, r]) < 4 * estimate.error
  susceptibility = found['susceptibility'].reweighted
  assert abs(susceptibility.value - covariance.sum() / 16) < 4 * susceptibility.error


class Oscillator:
  """E = |x|^2/2 on R^4, whose mean of |x|^2 is asked for."""

  event_size, dtype = 4, tf.float64

  def energy(self, x):
    return 0.5 * tf.reduce_sum(tf.square(x), axis=-1)

  def configurations(self, x, seed):
    return tf.square(x)

  def observables(self):
    moments = lambda squares: squares.sum(axis=-1, keepdims=True)  # noqa: E731
    return targets.Observables(moments, {'square': lambda mean: mean[0]})


@pytest.mark.parametrize('named', [True, False])
@pytest.mark.usefixtures('eagerly')
def test_a_target_says_what_is_measured_of_it(named):
  target = Oscillator()
  bijector = ma_keras.MongeAmpereBijector(SpectralQuadratic(2, dtype=tf.float64), 2, 0.5)
  if named:
    (square,) = observed(bijector, target, 4000)
    assert square.name == 'square'
    assert abs(square.raw.value - 4.0) < 4 * square.raw.error
  else:
    bare = type('Bare', (), {name: getattr(target, name) for name in ('event_size', 'dtype')})()
    bare.energy = target.energy
    found = [observable.name for observable in observed(bijector, bare, 200)]
    assert found == ['magnetisation', 'susceptibility', 'Binder cumulant']
