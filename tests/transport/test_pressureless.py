"""A pressureless fluid: one step, the potential in time, and where it stops being convex."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import potentials, transport
from ma_keras.potentials import autodiff

N, TIME = 3, 0.8
DOUBLE = {'dtype': tf.float64}
RATES = np.array([0.7, -0.4, 1.3])
POTENTIALS = {
  'convex': lambda: transport.ConvexLayer(N, 5, seed=1, **DOUBLE),
  'of any sign': lambda: potentials.OneHiddenLayer(N, 6, seed=1, **DOUBLE),
}


def points(*shape):
  return tf.constant(np.random.default_rng(shape).normal(size=(*shape, N)))


@pytest.fixture(scope='module', params=POTENTIALS)
def potential(request):
  return POTENTIALS[request.param]()


def test_hopf_lax_of_a_quadratic():
  """phi_0 = z.Dz/2 becomes x.D(1 + t D)^-1 x/2."""
  phi = transport.HopfLax(potentials.Quadratic(np.diag(RATES), **DOUBLE))
  x, t = points(4), tf.constant(TIME, tf.float64)
  rates = RATES / (1 + TIME * RATES)
  np.testing.assert_allclose(phi(t, x), 0.5 * np.square(x) @ rates, rtol=1e-10)
  gradient, laplacian = phi.gradient_and_laplacian(t, x)
  np.testing.assert_allclose(gradient, x * rates, rtol=1e-10)
  np.testing.assert_allclose(laplacian, np.full(4, rates.sum()), rtol=1e-10)


def test_hopf_lax_is_the_least_of_all_ways(potential):
  """phi(t, x) <= phi_0(z) + |x - z|^2/2t for every z, with equality for one."""
  phi, x, t = transport.HopfLax(potential), points(1), tf.constant(TIME, tf.float64)
  z = x + tf.constant(0.7 * np.random.default_rng(5).normal(size=(400, N)))
  ways = potential(t, z) + tf.reduce_sum(tf.square(x - z), axis=-1) / (2 * TIME)
  assert np.all(ways > phi(t, x)[0])
  z = phi.origin(t, x)
  way = potential(t, z) + tf.reduce_sum(tf.square(x - z), axis=-1) / (2 * TIME)
  np.testing.assert_allclose(way, phi(t, x), rtol=1e-12)


@pytest.mark.slow
def test_its_derivatives_are_those_of_its_value(potential):
  phi, x, t = transport.HopfLax(potential), points(2), tf.constant(TIME, tf.float64)
  expected = autodiff.gradient_and_laplacian(phi, t, x)
  for value, derivative in zip(phi.gradient_and_laplacian(t, x), expected):
    np.testing.assert_allclose(value, derivative, rtol=1e-7, atol=1e-10)
  rate = autodiff.time_derivative(phi, t, x)
  np.testing.assert_allclose(phi.time_derivative(t, x), rate, rtol=1e-7)
  np.testing.assert_allclose(rate, -0.5 * tf.reduce_sum(expected[0] ** 2, -1), rtol=1e-7)


def test_it_starts_from_the_potential(potential):
  x, zero = points(3), tf.zeros([], tf.float64)
  phi = transport.HopfLax(potential)
  np.testing.assert_allclose(phi(zero, x), potential(zero, x), rtol=1e-12)
  np.testing.assert_allclose(phi.laplacian(zero, x), potential.laplacian(zero, x), rtol=1e-9)


@pytest.mark.slow
def test_one_step_is_the_flow_of_its_potential_in_time(potential):
  flow, z = transport.PressurelessFlow(potential, TIME), points(4)
  in_time = ma_keras.MongeAmpereBijector(flow.potential_in_time, 8, TIME / 8)
  solution = in_time.solve(z, tallies=['hamilton_jacobi', 'kinetic'])
  x = flow.forward(z)
  np.testing.assert_allclose(solution.x, x, rtol=1e-9)
  log_det = flow.forward_log_det_jacobian(z, 1)
  np.testing.assert_allclose(-solution.log_density_change, log_det, rtol=1e-5, atol=1e-8)
  np.testing.assert_allclose(solution.tallies['hamilton_jacobi'], np.zeros(4), atol=1e-9)
  energy = tf.reduce_sum(tf.square(x - z), axis=-1) / (2 * TIME)
  np.testing.assert_allclose(solution.tallies['kinetic'], energy, rtol=1e-9)


def test_there_and_back_on_straight_lines(potential):
  flow, z = transport.PressurelessFlow(potential, TIME), points(2, 2)
  x = flow.forward(z)
  np.testing.assert_allclose(flow.inverse(tf.constant(x.numpy())), z, rtol=1e-9)
  paths = flow.positions(z, [0.0, TIME / 2, TIME])
  np.testing.assert_allclose(paths[0], z)
  np.testing.assert_allclose(paths[1], (z + x) / 2)
  np.testing.assert_allclose(paths[2], x)


def test_the_smallest_eigenvalue_is_that_of_the_jacobian(potential):
  flow, z = transport.PressurelessFlow(potential, TIME), points(5)
  with tf.GradientTape() as tape:
    tape.watch(z)
    x = flow.forward(z)
  eigenvalues = np.linalg.eigvalsh(tape.batch_jacobian(x, z))[:, 0]
  convexity = flow.convexity(z)
  assert convexity.smallest == pytest.approx(eigenvalues.min(), rel=1e-9)
  assert convexity.worst == np.argmin(eigenvalues) and convexity.points == 5 and convexity.holds
  assert convexity.by_construction == isinstance(potential, transport.ConvexLayer)


def test_beyond_a_shock_there_is_no_number():
  """1 - 0.4 T is negative from T = 2.5 on."""
  phi = potentials.Quadratic(np.diag(RATES), **DOUBLE)
  z = points(3)
  assert transport.PressurelessFlow(phi, 2.4).convexity(z).holds
  late = transport.PressurelessFlow(phi, 2.6)
  convexity = late.convexity(z)
  assert convexity.smallest == pytest.approx(1 - 0.4 * 2.6, rel=1e-12)
  assert not convexity.holds and 'NOT CONVEX at 3 points' in str(convexity)
  for value in (late.forward(z), late.inverse(z), late.forward_log_det_jacobian(z, 1)):
    assert np.all(np.isnan(value))
  assert np.all(np.isnan(late.potential_in_time(tf.constant(2.6, tf.float64), z)))
  with pytest.raises(tf.errors.InvalidArgumentError, match='is not convex'):
    late.copy(validate_args=True).forward(z)


def test_arguments_are_checked():
  for time in (0.0, -1.0, np.inf, 'long'):
    with pytest.raises(ValueError, match='`time` must be positive and finite'):
      transport.PressurelessFlow(transport.ConvexLayer(2, 3), time)
  with pytest.raises(TypeError, match='`potential` must be a ma_keras'):
    transport.PressurelessFlow(lambda x: x)
  with pytest.raises(ValueError, match='`z` must hold one point at least'):
    transport.PressurelessFlow(transport.ConvexLayer(2, 3)).convexity(np.zeros([0, 2]))
