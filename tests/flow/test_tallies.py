"""Time derivatives of potentials, and what a tally is."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras.flow import tallies
from ma_keras.potentials import TimeBasis
from tests.potentials import cases

IN_TIME = [name for name in cases.CASES if 'in time' in name or 'hyper' in name]


def difference(potential, t, x, step=1e-6):
  """d phi/dt by central differences."""
  after, before = (potential(tf.constant(t + sign * step, x.dtype), x) for sign in (1, -1))
  return (after - before) / (2.0 * step)


@pytest.mark.parametrize('name', [*IN_TIME, 'sum', 'softplus', 'quadratic'])
def test_the_time_derivative_is_that_of_the_value(name):
  potential = cases.CASES[name]()
  x = tf.constant(np.random.default_rng(1).normal(size=(2, 3, potential.event_size)))
  rate = potential.time_derivative(0.4, x)
  assert rate.shape == [2, 3]
  np.testing.assert_allclose(rate, difference(potential, 0.4, x), rtol=1e-6, atol=1e-8)


def test_a_subclass_that_changes_the_value_changes_its_time_derivative():
  class Faster(type(cases.in_time())):
    def __call__(self, t, x):
      return super().__call__(2.0 * t, x)

  basis = TimeBasis(1.5, 3)
  potential = cases.generic(Faster(cases.EVENT_SIZE, 5, dtype=tf.float64, time_basis=basis))
  x = cases.points(4)
  expected = difference(potential, 0.3, x)
  assert np.abs(expected).max() > 0.01
  np.testing.assert_allclose(potential.time_derivative(0.3, x), expected, rtol=1e-6)


def test_a_basis_of_ones_own_is_differentiated_by_tapes():
  class Powers:
    size = 3

    def values(self, t):
      return tf.stack([tf.ones_like(t), t, t**2], axis=-1)

  potential = cases.generic(
    type(cases.in_time())(cases.EVENT_SIZE, 5, dtype=tf.float64, time_basis=Powers())
  )
  x = cases.points(4)
  expected = difference(potential, 0.3, x)
  np.testing.assert_allclose(potential.time_derivative(0.3, x), expected, rtol=1e-6)


def test_tallies_of_a_class_are_one_key():
  assert tallies.Stiffness() == tallies.get('stiffness') != tallies.KineticEnergy()
  assert len({tallies.Stiffness(), tallies.Stiffness(), tallies.KineticEnergy()}) == 2
  assert repr(tallies.HamiltonJacobi()) == 'HamiltonJacobi()'


class Nameless(tallies.Tally):
  """A tally that nobody can ask for."""

  def increment(self, step):
    return step.laplacians[0]


@pytest.mark.parametrize('tally', ['heat', 3, None, Nameless()])
def test_what_is_no_tally_is_refused(tally):
  with pytest.raises(ValueError, match='A tally must be one of'):
    tallies.get(tally)


class Power(tallies.KineticEnergy):
  """integral |v|^p / 2 dt."""

  def __init__(self, power):
    self.power = power

  def rate(self, potential, t, x, velocity, laplacian):
    return super().rate(potential, t, x, velocity, laplacian) ** (self.power / 2.0)


@pytest.mark.slow
def test_tallies_with_other_attributes_are_other_keys():
  """Compiled functions are kept by them: two powers must not share one."""
  assert Power(2) == Power(2) != Power(4)
  bijector = ma_keras.MongeAmpereBijector(cases.in_time(), 2, 0.1)
  one, two = (bijector.solve(cases.points(3), tallies=[Power(p)]).tallies for p in (2, 4))
  assert np.all(np.abs(one['kinetic'] - two['kinetic']) > 1e-3)


def test_a_gradient_without_its_value_has_no_time_derivative():
  class Other(type(cases.in_time())):
    def _gradient_and_laplacian(self, t, x):
      return 2.0 * x, 2.0 * tf.ones_like(x[..., 0]) * x.shape[-1]

  potential = Other(cases.EVENT_SIZE, 5, dtype=tf.float64)
  with pytest.raises(ValueError, match=r'Other defines its gradient.*define __call__ as well'):
    potential.time_derivative(0.1, cases.points(2))
