"""The certificate falls as h^4 and is as large as the error it stands for."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import certificate, integrators
from ma_keras.flow import Horizon
from tests import flows

RK4 = integrators.RK4
DIRECTIONS = pytest.mark.parametrize('reverse', [False, True])


def certify(name, x, steps, reverse, tableau=RK4):
  potential, horizon = flows.POTENTIALS[name](), Horizon(steps, 1.2 / steps)
  compiled = tf.function(lambda x: certificate.certify(potential, tableau, horizon, x, reverse))
  return compiled(x)


@DIRECTIONS
def test_errors_fall_at_the_order(reverse):
  x = flows.points(4)
  errors = [
    [np.max(np.abs(error)) for error in certify('breathing', x, steps, reverse)]
    for steps in (16, 32)
  ]
  (orders,) = flows.observed_orders(errors)
  np.testing.assert_allclose(orders[:2], [4.0, 4.0], atol=0.2)
  np.testing.assert_allclose(orders[2], 5.0, atol=0.3)


@pytest.mark.parametrize('tableau', [integrators.MIDPOINT, RK4], ids=lambda t: t.name)
@DIRECTIONS
def test_step_halving_is_the_true_error_but_for_a_known_factor(tableau, reverse):
  """error(h) = 2^p / (2^p - 1) |y(h) - y(h/2)| to leading order in h."""
  x = flows.points(4)
  result = certify('breathing', x, 40, reverse, tableau)
  end, change = ma_keras.flow.solve(flows.Breathing(), tableau, Horizon(40, 0.03), x, reverse)
  exact_end, exact_change = flows.exact('breathing', x, 1.2, reverse)
  factor = 2**tableau.order / (2**tableau.order - 1)
  np.testing.assert_allclose(
    np.max(np.abs(end - exact_end), axis=-1), factor * result.position_error, rtol=0.1
  )
  largest = np.max(np.abs(change - exact_change))
  np.testing.assert_allclose(
    change - exact_change, factor * result.log_density_error, atol=0.1 * largest
  )


@DIRECTIONS
def test_definitions(reverse):
  """The three numbers, from flows run by hand."""
  potential, x, horizon = flows.POTENTIALS['breathing'](), flows.points(2, 3), Horizon(3, 0.3)
  result = certificate.certify(potential, RK4, horizon, x, reverse)
  end, change = ma_keras.flow.solve(potential, RK4, horizon, x, reverse)
  fine, fine_change = ma_keras.flow.solve(potential, RK4, Horizon(6, 0.15), x, reverse)
  back, _ = ma_keras.flow.solve(potential, RK4, horizon, end, not reverse)
  np.testing.assert_array_equal(result.position_error, np.max(np.abs(end - fine), axis=-1))
  np.testing.assert_array_equal(result.log_density_error, change - fine_change)
  np.testing.assert_array_equal(result.round_trip_error, np.max(np.abs(back - x), axis=-1))
  assert np.all(result.position_error > 0) and np.all(result.round_trip_error > 0)


@pytest.mark.parametrize('leading', [[], [0], [2, 3]])
def test_one_certificate_per_point(leading):
  x = flows.points(*leading)
  for error in certify('steady', x, 2, reverse=False):
    assert error.shape == leading


def test_a_flow_that_is_integrated_exactly_has_no_error():
  """Constant velocity: every method is exact, there and back."""

  class Wind(ma_keras.potentials.Potential):
    def __call__(self, t, x):
      return x[..., 0] - 2.0 * x[..., 1]

  x = flows.points(5)
  result = certificate.certify(Wind(3), integrators.EULER, Horizon(4, 0.25), x)
  for error in result:
    np.testing.assert_allclose(error, np.zeros(5), atol=1e-15)


def test_a_stiff_flow_is_found_out():
  """h times the stiffness beyond RK4's stability: the certificate must not look small."""
  potential = ma_keras.potentials.Quadratic(-np.diag([40.0, 1.0, 1.0]), tf.float64)
  result = certificate.certify(potential, RK4, Horizon(10, 0.1), flows.points(4))
  assert np.all(result.position_error > 1.0) and np.all(result.round_trip_error > 1.0)


@DIRECTIONS
def test_the_bijector_reports_the_same(reverse):
  potential, x = flows.steady(), flows.points(4)
  bijector = ma_keras.MongeAmpereBijector(potential, 6, 0.2)
  expected = certificate.certify(potential, RK4, Horizon(6, 0.2), x, reverse)
  for one, two in zip(bijector.certificate(x, reverse), expected):
    np.testing.assert_allclose(one, two, atol=1e-15)
