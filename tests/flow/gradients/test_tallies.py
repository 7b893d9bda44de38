"""Sums along paths: what they are, how they differentiate, and what stiffness is good for."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras import distributions, flow, integrators
from ma_keras.flow import Horizon, gradients, tallies
from tests.flow.gradients import test_units
from tests.potentials import cases
from tests.support import flows

HORIZON = Horizon(2, 0.08)
# A symmetric method that has defects, as none of ours has.
SYMMETRIC = dataclasses.replace(integrators.GAUSS4, defects=((1.0, -1.0),))


def by_hand(potential, x, horizon):
  """RK4 written out: |h (k2 - k3)|^2 + |h (k1 - k2 - k3 + k4)|^2 over steps, Laplacians, too."""
  h, total = horizon.step_size, 0.0
  for _ in range(horizon.num_steps):
    stages, points = [], [x]
    for fraction in (0.5, 0.5, 1.0, None):
      velocity, laplacian = potential.gradient_and_laplacian(0.0, points[-1])
      stages.append(np.concatenate([velocity, laplacian[:, np.newaxis]], axis=1))
      if fraction:
        points.append(x + fraction * h * velocity)
    k1, k2, k3, k4 = stages
    total += np.sum((h * (k2 - k3)) ** 2 + (h * (k1 - k2 - k3 + k4)) ** 2, axis=1)
    x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)[:, :-1]
  return total


class Fastest(tallies.Tally):
  """A tally of one's own that is no integral: sum_k h^2 max_i |v_i|^2 |x_i|^2 of the stages."""

  name = 'fastest'

  def increment(self, step):
    squares = [
      tf.reduce_sum(tf.square(v), -1) * tf.reduce_sum(tf.square(x), -1)
      for v, x in zip(step.velocities, step.points)
    ]
    return tf.square(step.h) * tf.reduce_max(tf.stack(squares), axis=0)


class Work(tallies.Integral):
  """A tally of one's own that is an integral, of variables and time as well: (phi l)^2 (1 + t)."""

  name = 'work'

  def rate(self, potential, t, x, velocity, laplacian):
    return tf.square(potential(t, x) * laplacian) * (1.0 + t)


INTEGRALS = (tallies.KineticEnergy(), tallies.HamiltonJacobi(), Work())


def solution(potential, gradient, x, integrator='rk4', reverse=False, known=INTEGRALS):
  tableau = integrators.get(integrator)
  with tf.GradientTape() as tape:
    tape.watch(x)
    y, change, *sums = flow.solve(
      potential, tableau, HORIZON, x, reverse, gradient=gradient, tallies=known
    )
    total = tf.reduce_sum(tf.sin(y)) + tf.reduce_sum(change**2)
    for k, one in enumerate(sums):
      total += (k + 2.0) * tf.reduce_sum(tf.sin(one))
  unconnected = tf.UnconnectedGradients.ZERO
  by = [x, *potential.trainable_variables]
  return [y, change, *sums, *tape.gradient(total, by, unconnected_gradients=unconnected)]


def assert_same(one, two, tolerance=1e-9):
  for a, b in zip(one, two, strict=True):
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * np.abs(b).max())


@pytest.mark.parametrize('gradient', ['store', 'plain', 'recompute'])
def test_stiffness_is_what_it_is_by_hand(gradient):
  potential, x = cases.one_hidden_layer(), cases.points(3)
  expected = by_hand(potential, x, HORIZON)
  stiffness = flow.solve(
    potential, integrators.RK4, HORIZON, x, gradient=gradient, tallies=[tallies.Stiffness()]
  )[2]
  assert np.all(expected > 0)
  np.testing.assert_allclose(stiffness, expected, rtol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize(
  'gradient, reverse, integrator',
  [
    ('store', False, 'rk4'),
    ('store', True, 'heun'),
    (gradients.Recompute(2), False, 'heun'),
    (gradients.Recompute(2), True, 'rk4'),
  ],
)
@pytest.mark.parametrize('build', [lambda: test_units.layer(4), lambda: test_units.rotated(12)])
def test_all_modes_and_derivatives_agree(build, gradient, reverse, integrator):
  """Eagerly; graphs are below. Every pair of arguments meets."""
  potential, x = build(), test_units.points()
  known = (tallies.Stiffness(), tallies.KineticEnergy(), Fastest())
  one = solution(potential, gradient, x, integrator, reverse, known)
  assert_same(one, solution(potential, 'plain', x, integrator, reverse, known))


@pytest.mark.slow
def test_tallies_in_moving_frames_in_a_graph():
  potential, x = test_units.rotated(12), test_units.points()
  known = (tallies.Stiffness(), Fastest())
  graph = tf.function(solution, autograph=False)
  one = graph(potential, 'store', x, 'heun', known=known)
  assert_same(one, solution(potential, 'plain', x, 'heun', known=known))


@pytest.mark.slow
@pytest.mark.parametrize(
  'name, gradient',
  [
    ('amplitudes in time', 'store'),
    ('sum', 'store'),
    ('sum', 'recompute'),
    ('mlp in time', 'recompute'),
    ('lattice in time', 'recompute'),
  ],
)
def test_every_potential_has_every_tally(name, gradient):
  """The last two have no pass of their own: `store` is `plain` for them."""
  potential, x = cases.CASES[name](), cases.points(3)
  known = (tallies.Stiffness(), tallies.HamiltonJacobi(), Fastest())
  one, two = (solution(potential, mode, x, 'heun', known=known) for mode in (gradient, 'plain'))
  assert_same(one, two)


@pytest.mark.slow
@pytest.mark.parametrize(
  'gradient, known',
  [
    ('store', (tallies.Stiffness(), tallies.KineticEnergy())),
    (gradients.Recompute(2), (tallies.Stiffness(), tallies.HamiltonJacobi(), Work())),
  ],
)
def test_compiled_by_xla_they_are_the_same(gradient, known):
  potential, x = cases.in_time(), cases.points(3)
  compiled = tf.function(solution, jit_compile=True, autograph=False)
  one = compiled(potential, gradient, x, 'heun', known=known)
  assert_same(one, solution(potential, 'plain', x, 'heun', known=known))


@pytest.mark.slow
@pytest.mark.parametrize('reverse', [False, True])
def test_steps_that_are_undone_have_every_tally(reverse):
  potential, x = cases.in_time(), cases.points(3)
  known = (tallies.Stiffness(), Fastest(), Work())
  one, two = (
    solution(potential, mode, x, SYMMETRIC, reverse, known) for mode in ('reversible', 'plain')
  )
  assert_same(one, two)


@pytest.mark.slow
@pytest.mark.parametrize('reverse', [False, True])
def test_integrals_have_an_adjoint_equation(reverse):
  """That of a Gauss method is its discrete adjoint, without bias (Sanz-Serna 2016)."""
  potential, x = cases.in_time(), cases.points(3)
  one, two = (
    solution(potential, mode, x, 'implicit_midpoint', reverse, INTEGRALS)
    for mode in ('adjoint', 'plain')
  )
  assert_same(one, two)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('reverse', [False, True])
@pytest.mark.parametrize('gradient', [*gradients.MODES])
def test_the_kinetic_energy_of_a_quadratic_potential(gradient, reverse):
  """phi = x.Ax/2: |v|^2/2 = sum_i a_i^2 e^(2 a_i t) x_i^2 / 2 in the eigenbasis of A."""
  potential, x = cases.quadratic(), cases.points(3)
  time = -0.1 if reverse else 0.1
  rates, vectors = np.linalg.eigh(0.5 * (potential.matrix + tf.transpose(potential.matrix)))
  squares = np.square(x.numpy() @ vectors)
  expected = np.abs(np.sum(rates * np.expm1(2 * rates * time) * squares / 4, axis=1))
  integrator = 'gauss4' if gradient == 'reversible' else 'rk4'
  bijector = ma_keras.MongeAmpereBijector(potential, 8, 0.0125, integrator, gradient)
  energy = bijector.solve(x, reverse, [tallies.KineticEnergy()]).tallies['kinetic']
  np.testing.assert_allclose(energy, expected, rtol=1e-7)


class Pressureless(ma_keras.potentials.Potential):
  """phi = x.A(t)x/2 with A' = -A^2, A = A_0 (1 + t A_0)^-1: parcels go straight on."""

  START = np.diag([0.7, -0.4, 1.3, 0.2])

  def __init__(self):
    super().__init__(4)

  def __call__(self, t, x):
    rates = tf.constant(np.diag(self.START))
    return tf.reduce_sum(rates / (1.0 + t * rates) * tf.square(x), axis=-1) / 2.0


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_the_hamilton_jacobi_residual_of_a_pressureless_flow_is_zero():
  x = cases.points(5)
  bijector = ma_keras.MongeAmpereBijector(Pressureless(), 10, 0.1, dtype=tf.float64)
  solution = bijector.solve(x, tallies=['hamilton_jacobi', 'kinetic'])
  np.testing.assert_allclose(solution.tallies['hamilton_jacobi'], np.zeros(5), atol=1e-10)
  displacement = x @ Pressureless.START  # Straight lines at constant speed: |v|^2 T / 2.
  expected = 0.5 * np.sum(np.square(displacement), axis=1)
  np.testing.assert_allclose(solution.tallies['kinetic'], expected, rtol=1e-6)


@pytest.mark.slow
def test_it_vanishes_with_the_step_at_the_order_of_its_defects():
  """RK4's defects are of order h^2, times h, squared, times 1/h steps: order 5."""
  potential, x = flows.steady(), flows.points(4)
  totals = [
    flow.solve(potential, integrators.RK4, Horizon(d, 0.6 / d), x, tallies=[tallies.Stiffness()])[2]
    for d in (16, 32)
  ]
  np.testing.assert_allclose(np.log2(totals[0] / totals[1]), [5.0] * 4, atol=0.3)


@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('reverse', [False, True])
def test_the_bijector_gives_it_with_the_same_solve(reverse):
  potential, x = cases.one_hidden_layer(), cases.points(2, 3)
  bijector = ma_keras.MongeAmpereBijector(potential, 5, 0.08)
  y, change, sums, score = bijector.solve(x, reverse, ['stiffness'])
  value = bijector.inverse(x) if reverse else bijector.forward(x)
  det = (
    bijector.inverse_log_det_jacobian(x, 1) if reverse else bijector.forward_log_det_jacobian(x, 1)
  )
  np.testing.assert_allclose(y, value, rtol=1e-12)
  np.testing.assert_allclose(-change, det, rtol=1e-11)
  assert sums['stiffness'].shape == [2, 3] and np.all(sums['stiffness'] > 0) and score is None


@pytest.mark.usefixtures('eagerly')
def test_densities_are_those_of_solves_without_tallies():
  potential, x = cases.one_hidden_layer(), cases.points(6)
  distribution = ma_keras.standard_normal_flow(ma_keras.MongeAmpereBijector(potential, 5, 0.08))
  log_prob, solution = distributions.solve(distribution, x, tallies=['stiffness'])
  for value, expected in zip((solution.x, log_prob), distributions.push_forward(distribution, x)):
    np.testing.assert_allclose(value, expected, rtol=1e-12)
  log_prob, _ = distributions.solve(distribution, x, reverse=True, tallies=['stiffness'])
  np.testing.assert_allclose(log_prob, distribution.log_prob(x), rtol=1e-12)


def corners(count, seed, spread=0.05):
  """Four narrow Gaussians at (+-1, +-1), and the entropy that no honest model can undercut."""
  rng = np.random.default_rng(seed)
  x = rng.choice([-1.0, 1.0], size=(count, 2)) + spread * rng.normal(size=(count, 2))
  return tf.constant(x), np.log(4) + np.log(2 * np.pi * np.e * spread**2)


def trained_in_one_step(*weights):
  """Test NLL in nats at 1, 4 and 16 steps of a flow that was trained with a single one.

  One row for every weight of the penalty; one trace serves all of them.
  """
  potential = ma_keras.potentials.OneHiddenLayer(2, 32, dtype=tf.float64, seed=0)
  bijector = ma_keras.MongeAmpereBijector(potential, 1, 1.0)
  distribution = ma_keras.standard_normal_flow(bijector)
  optimizer, x = tf_keras.optimizers.Adam(1e-2, global_clipnorm=1.0), corners(256, seed=0)[0]
  optimizer.build(potential.trainable_variables)

  @tf.function(autograph=False)
  def step(weight):
    with tf.GradientTape() as tape:
      log_prob, solution = distributions.solve(distribution, x, True, ['stiffness'])
      loss = tf.reduce_mean(weight * solution.tallies['stiffness'] - log_prob)
    variables = potential.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))

  variables = [*potential.trainable_variables, *optimizer.variables]
  start = [variable.numpy() for variable in variables]
  finer = [ma_keras.standard_normal_flow(bijector.refined(factor)) for factor in (1, 4, 16)]
  losses = []
  for weight in weights:
    for variable, value in zip(variables, start):
      variable.assign(value)
    for _ in range(600):
      step(tf.constant(weight, tf.float64))
    test = corners(2000, seed=1)[0]
    losses.append([-float(tf.reduce_mean(f.log_prob(test))) for f in finer])
  return losses


@pytest.mark.slow
def test_without_the_penalty_training_cheats_the_integrator_and_with_it_it_does_not():
  (cheated, honest), entropy = trained_in_one_step(0.0, 1.0), corners(2, 0)[1]
  assert cheated[0] < entropy - 0.5  # Better than possible, by its own account ...
  assert cheated[1] > cheated[0] + 1.0  # ... and far worse with four times the steps.
  assert abs(honest[1] - honest[0]) < 0.02
  assert abs(honest[2] - honest[1]) < 0.005
  assert honest[2] < cheated[2]


def test_what_does_not_go_with_a_tally_says_so():
  potential, x = cases.one_hidden_layer(), cases.points(2)
  for arguments, message in (
    ({'integrator': 'euler'}, r"`integrator` 'euler' has no stages.*'rk4'"),
    ({'integrator': 'gauss4', 'gradient': 'reversible'}, r"'gauss4' has no stages.*'recompute'"),
    ({'gradient': 'adjoint'}, r"\['stiffness'\] are not: use gradient='store' or 'recompute'"),
  ):
    bijector = ma_keras.MongeAmpereBijector(potential, 5, 0.1, **arguments)
    with pytest.raises(ValueError, match=message):
      bijector.solve(x, tallies=['stiffness'])
  with pytest.raises(ValueError, match=r"`integrator` 'euler' has no stages"):
    flow.solve(potential, integrators.EULER, Horizon(5, 0.1), x, tallies=[tallies.Stiffness()])
  with pytest.raises(ValueError, match='rows of `defects`'):
    integrators.Tableau('mine', 1, ((),), (1.0,), (0.0,), defects=((1.0,),))
  bijector = ma_keras.MongeAmpereBijector(potential, 5, 0.1)
  with pytest.raises(ValueError, match=r"must be one of .*'kinetic'.* got 'heat'"):
    bijector.solve(x, tallies=['heat'])
  with pytest.raises(ValueError, match='different names'):
    bijector.solve(x, tallies=['kinetic', tallies.KineticEnergy()])
