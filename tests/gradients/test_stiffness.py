"""The stiffness that a solve meets: what it is, how it differentiates, and what it is good for."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras import distributions, flow, gradients, integrators, objectives
from ma_keras.flow import Horizon
from tests import flows
from tests.gradients import test_units
from tests.potentials import cases

HORIZON = Horizon(5, 0.08)
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


def solution(potential, gradient, x, integrator='rk4', reverse=False):
  tableau = integrators.get(integrator)
  with tf.GradientTape() as tape:
    tape.watch(x)
    y, change, stiffness = flow.solve(
      potential, tableau, HORIZON, x, reverse, gradient=gradient, stiffness=True
    )
    total = tf.reduce_sum(tf.sin(y)) + tf.reduce_sum(change**2) + 1e3 * tf.reduce_sum(stiffness)
  return [y, change, stiffness, *tape.gradient(total, [x, *potential.trainable_variables])]


@pytest.mark.parametrize('gradient', ['store', 'plain', 'recompute'])
def test_the_definition(gradient):
  potential, x = cases.one_hidden_layer(), cases.points(3)
  expected = by_hand(potential, x, HORIZON)
  stiffness = flow.solve(potential, integrators.RK4, HORIZON, x, gradient=gradient, stiffness=True)[
    2
  ]
  assert np.all(expected > 0)
  np.testing.assert_allclose(stiffness, expected, rtol=1e-10)


@pytest.mark.parametrize('integrator', ['rk4', 'heun'])
@pytest.mark.parametrize('reverse', [False, True])
@pytest.mark.parametrize('gradient', ['store', gradients.Recompute(2)])
@pytest.mark.parametrize('build', [lambda: test_units.layer(4), lambda: test_units.rotated(12)])
def test_all_modes_and_derivatives_agree(build, gradient, reverse, integrator):
  """As a graph in one direction, eagerly in the other."""
  potential, x = build(), test_units.points()
  solve = solution if reverse else tf.function(solution)
  one = solve(potential, gradient, x, integrator, reverse)
  two = solution(potential, 'plain', x, integrator, reverse)
  for a, b in zip(one, two, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * np.abs(b).max())


def test_it_vanishes_with_the_step_at_the_order_of_its_defects():
  """RK4's defects are of order h^2, times h, squared, times 1/h steps: order 5."""
  potential, x = flows.steady(), flows.points(4)
  totals = [
    flow.solve(potential, integrators.RK4, Horizon(d, 1.2 / d), x, stiffness=True)[2]
    for d in (16, 32, 64)
  ]
  orders = np.log2(np.asarray(totals)[:-1] / np.asarray(totals)[1:])
  np.testing.assert_allclose(orders[-1], 5.0, atol=0.3)


@pytest.mark.parametrize('reverse', [False, True])
def test_the_bijector_gives_it_with_the_same_solve(reverse):
  potential, x = cases.one_hidden_layer(), cases.points(2, 3)
  bijector = ma_keras.MongeAmpereBijector(potential, 5, 0.08)
  y, log_det, stiffness = bijector.with_stiffness(x, reverse)
  value = bijector.inverse(x) if reverse else bijector.forward(x)
  det = (
    bijector.inverse_log_det_jacobian(x, 1) if reverse else bijector.forward_log_det_jacobian(x, 1)
  )
  np.testing.assert_allclose(y, value, rtol=1e-12)
  np.testing.assert_allclose(log_det, det, rtol=1e-11)
  assert stiffness.shape == [2, 3] and np.all(stiffness > 0)


def test_objectives_are_the_plain_ones_beside_their_stiffness():
  potential, x = cases.one_hidden_layer(), cases.points(6)
  distribution = ma_keras.standard_normal_flow(ma_keras.MongeAmpereBijector(potential, 5, 0.08))
  *pushed, _ = distributions.push_forward_and_stiffness(distribution, x)
  for value, expected in zip(pushed, distributions.push_forward(distribution, x)):
    np.testing.assert_allclose(value, expected, rtol=1e-12)
  value, _ = objectives.negative_log_likelihood_and_stiffness(distribution, x)
  expected = objectives.negative_log_likelihood(distribution, x)
  np.testing.assert_allclose(value, expected, rtol=1e-12)


def corners(count, seed, spread=0.05):
  """Four narrow Gaussians at (+-1, +-1), and the entropy that no honest model can undercut."""
  rng = np.random.default_rng(seed)
  x = rng.choice([-1.0, 1.0], size=(count, 2)) + spread * rng.normal(size=(count, 2))
  return tf.constant(x), np.log(4) + np.log(2 * np.pi * np.e * spread**2)


def trained_in_one_step(weight):
  """Test NLL in nats at 1, 4 and 16 steps of a flow that was trained with a single one."""
  potential = ma_keras.potentials.OneHiddenLayer(2, 32, dtype=tf.float64, seed=0)
  bijector = ma_keras.MongeAmpereBijector(potential, 1, 1.0)
  distribution = ma_keras.standard_normal_flow(bijector)
  optimizer, x = tf_keras.optimizers.Adam(1e-2, global_clipnorm=1.0), corners(256, seed=0)[0]
  optimizer.build(potential.trainable_variables)

  @tf.function
  def step():
    with tf.GradientTape() as tape:
      nll, stiffness = objectives.negative_log_likelihood_and_stiffness(distribution, x)
      loss = tf.reduce_mean(nll + weight * stiffness)
    variables = potential.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))

  for _ in range(600):
    step()
  test = corners(2000, seed=1)[0]
  finer = [ma_keras.standard_normal_flow(bijector.refined(factor)) for factor in (1, 4, 16)]
  return [-float(tf.reduce_mean(f.log_prob(test))) for f in finer]


def test_without_the_penalty_training_cheats_the_integrator_and_with_it_it_does_not():
  cheated, honest, entropy = trained_in_one_step(0.0), trained_in_one_step(1.0), corners(2, 0)[1]
  assert cheated[0] < entropy - 0.5  # Better than possible, by its own account ...
  assert cheated[1] > cheated[0] + 1.0  # ... and far worse with four times the steps.
  assert abs(honest[1] - honest[0]) < 0.02
  assert abs(honest[2] - honest[1]) < 0.005
  assert honest[2] < cheated[2]


def test_methods_and_modes_without_stiffness_say_so():
  potential, x = cases.one_hidden_layer(), cases.points(2)
  for arguments, message in (
    ({'integrator': 'euler'}, r"`integrator` 'euler' has no stages"),
    ({'gradient': 'adjoint'}, r"`gradient='adjoint'` has no stiffness"),
    (
      {'gradient': 'reversible', 'integrator': SYMMETRIC},
      r"`gradient='reversible'` has no stiffness",
    ),
  ):
    bijector = ma_keras.MongeAmpereBijector(potential, 5, 0.1, **arguments)
    with pytest.raises(ValueError, match=message):
      bijector.with_stiffness(x)
  with pytest.raises(ValueError, match=r"`integrator` 'euler' has no stages"):
    flow.solve(potential, integrators.EULER, Horizon(5, 0.1), x, stiffness=True)
  with pytest.raises(ValueError, match='rows of `defects`'):
    integrators.Tableau('mine', 1, ((),), (1.0,), (0.0,), defects=((1.0,),))
