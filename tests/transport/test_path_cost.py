"""Path energy, displacement and straightness of flows that are known."""

import json
import sys

import numpy as np
import pytest
import scipy.integrate
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras import potentials, transport

RATES = np.array([0.8, -0.5])
SIZES = {'num_points': 2000, 'batch_size': 500}


def flow(num_steps=8, matrix=None):
  """phi = x'Ax/2, x(t) = exp(A t) x."""
  potential = potentials.Quadratic(np.diag(RATES) if matrix is None else matrix, tf.float64)
  return ma_keras.MongeAmpereBijector(potential, num_steps, 2.0 / num_steps)


class Translation(potentials.Potential):
  """phi = a.x: all points move at one constant velocity."""

  def __call__(self, t, x):
    return 3.0 * x[..., 0] - 4.0 * x[..., 1]


@pytest.fixture(scope='module')
def stretching():
  """The cost of x(T) = exp(A T) x."""
  return transport.transport_cost(flow(), seed=1, **SIZES)


@pytest.mark.slow
def test_a_stretching_flow_spends_what_its_formula_says(stretching):
  """T integral |v|^2 = T sum a (exp(2 a T) - 1)/2, |x(T) - x(0)|^2 = sum (exp(a T) - 1)^2."""
  cost = stretching
  energy = 2.0 * np.sum(RATES * (np.exp(4.0 * RATES) - 1) / 2)
  square = np.sum((np.exp(2.0 * RATES) - 1) ** 2)
  assert (cost.num_points, cost.num_steps) == (2000, 8)
  for found, exact in ((cost.path_energy, energy), (cost.squared_displacement, square)):
    assert found.value == pytest.approx(exact, abs=4 * found.error)
    assert 0 < found.error < 0.05 * exact and 0 < abs(found.change) < 0.01 * exact
  assert cost.straightness.value == pytest.approx(energy / square, abs=4 * cost.straightness.error)
  assert 0 < cost.straightness.error < 0.1 * cost.straightness.value
  assert not cost.doubts()


@pytest.mark.slow
def test_w2_lies_between_its_bounds(stretching):
  """A symmetric, positive map is optimal, so that exchanging ends gains nothing: all are W2^2."""
  cost = stretching
  exact = np.sum((np.exp(2.0 * RATES) - 1) ** 2)
  assert cost.lower.value == pytest.approx(exact, abs=4 * cost.lower.error)
  assert cost.repaired.value == pytest.approx(cost.squared_displacement.value, rel=1e-6)
  assert cost.distance.debiased.value == pytest.approx(exact, abs=5 * cost.distance.debiased.error)
  assert cost.distance.upper.value > cost.distance.debiased.value


class RotatingStrain(potentials.Potential):
  """phi = x'A(t)x/2, A(t) = [[cos wt, sin wt], [sin wt, -cos wt]]: paths turn, ends are rotated."""

  RATE = 2.0

  def __call__(self, t, x):
    c, s = tf.cos(self.RATE * t), tf.sin(self.RATE * t)
    return c * (x[..., 0] ** 2 - x[..., 1] ** 2) / 2.0 + s * x[..., 0] * x[..., 1]


@pytest.mark.slow
def test_a_map_that_is_not_optimal_gains_by_exchanging_ends():
  """x(T) = M x(0): the distance is Bures' of 1 and M M', the displacement that of M."""
  w, time = RotatingStrain.RATE, 2.0
  strain = lambda t, m: (_strain(w * t) @ m.reshape(2, 2)).ravel()  # noqa: E731
  m = scipy.integrate.solve_ivp(strain, (0, time), np.eye(2).ravel(), rtol=1e-10).y[:, -1]
  m = m.reshape(2, 2)
  unit = transport.Gaussian(np.zeros(2), np.eye(2))
  exact = unit.squared_distance(transport.Gaussian(np.zeros(2), m @ m.T))
  displacement = np.sum((m - np.eye(2)) ** 2)
  bijector = ma_keras.MongeAmpereBijector(RotatingStrain(2), 20, time / 20, dtype=tf.float64)
  cost = transport.transport_cost(bijector, seed=3, **SIZES)
  assert displacement > 1.2 * exact
  assert cost.lower.value == pytest.approx(exact, abs=4 * cost.lower.error)
  squared = cost.squared_displacement
  assert squared.value == pytest.approx(displacement, abs=4 * squared.error)
  assert exact - 4 * cost.repaired.error < cost.repaired.value < (exact + displacement) / 2
  assert cost.path_energy.value > squared.value and cost.straightness.value > 1


def _strain(angle):
  return np.array([[np.cos(angle), np.sin(angle)], [np.sin(angle), -np.cos(angle)]])


def test_constant_speed_on_straight_lines_is_straight(eagerly):
  bijector = ma_keras.MongeAmpereBijector(Translation(2), 2, 0.5, dtype=tf.float64)
  cost = transport.transport_cost(bijector, num_points=64, batch_size=64)
  assert cost.straightness == pytest.approx((1.0, 0.0, 0.0), abs=1e-12)
  assert cost.path_energy.value == pytest.approx(25.0, rel=1e-12)
  assert cost.repaired.value == pytest.approx(25.0, rel=1e-9)


@pytest.mark.slow
def test_a_flow_that_moves_nothing_has_no_straightness(eagerly):
  cost = transport.transport_cost(flow(matrix=np.zeros((2, 2))), num_points=16, batch_size=16)
  assert np.isnan(cost.straightness.value) and cost.path_energy.value == 0
  assert cost.summary()['straightness']['value'] is None and not cost.doubts()
  json.loads(json.dumps(cost.summary(), allow_nan=False))


def test_steps_that_are_too_large_are_doubted_and_infinity_is_told(eagerly):
  stiff = flow(1, np.diag([3.0, -3.0]))
  assert (
    'Halving the 1 steps changes the path energy by'
    in transport.transport_cost(stiff, num_points=64, batch_size=64).doubts()
  )
  burst = flow(1, np.diag([1e60, 0.0]))
  cost = transport.transport_cost(burst, num_points=16, batch_size=16)
  assert 'not finite' in cost.doubts() and cost.distance is None


@pytest.mark.slow
def test_without_pot_the_rest_is_measured(monkeypatch):
  monkeypatch.setitem(sys.modules, 'ot', None)
  cost = transport.transport_cost(flow(), num_points=32, batch_size=16)
  assert cost.distance is cost.repaired is None and np.isfinite(cost.lower.value)
  assert 'W2^2 >= ' in str(cost) and "pip install 'ma_keras[transport]'" in str(cost)


@pytest.mark.slow
def test_the_line_has_all_of_it(eagerly):
  text = str(transport.transport_cost(flow(), num_points=64, batch_size=64))
  for part in (
    'path energy = ',
    'squared displacement = ',
    'straightness = ',
    'W2^2 = ',
    '(steps)',
  ):
    assert part in text


@pytest.mark.parametrize('sizes', [{'num_points': 15}, {'num_points': 2.5}, {'batch_size': 0}])
def test_sizes_are_checked(sizes):
  with pytest.raises(ValueError, match='`num_points` must be at least 16'):
    transport.transport_cost(flow(), **sizes)


def test_the_base_must_have_the_events_of_the_flow():
  base = tfp.distributions.MultivariateNormalDiag(tf.zeros(3, tf.float64))
  with pytest.raises(ValueError, match=r'`base` must have events \[2\]'):
    transport.transport_cost(flow(), num_points=16, batch_size=16, base=base)
