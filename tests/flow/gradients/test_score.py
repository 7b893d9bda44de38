"""The score carried along a flow: the gradient of ln p, in every mode, at no other's expense."""

import functools

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import distributions, flow, integrators, symmetry
from ma_keras.flow import Horizon, gradients, tallies
from tests.potentials import cases
from tests.symmetry import cases as symmetric

pytestmark = pytest.mark.slow

BY_TAPES = 'separable log_cosh in time'
MODES = ['store', 'plain', 'recompute', gradients.Recompute(2), 'adjoint']
# Those that share the stages' work, and those that solve apart for the score; two under XLA.
WAYS = [
  *((name, mode, False) for name in (BY_TAPES, 'softplus') for mode in MODES),
  *((BY_TAPES, 'recompute', True), ('softplus', 'store', True)),
]


def by_tape(distribution, x):
  with tf.GradientTape() as tape:
    tape.watch(x)
    log_prob = distribution.log_prob(x)
  return tape.gradient(log_prob, x).numpy()


def carried(potential, num_steps, latents):
  """The flow, samples of it, and the score at each of them."""
  bijector = ma_keras.MongeAmpereBijector(potential, num_steps, cases.TIME / num_steps)
  distribution = ma_keras.standard_normal_flow(bijector)
  _, (x, _, _, score) = distributions.solve(distribution, latents, with_score=True)
  return distribution, x, score.numpy()


@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('name', ['lattice in time', 'softplus', 'mlp in time'])
def test_the_score_is_the_gradient_of_the_log_density(name):
  potential = cases.CASES[name]()
  distribution, x, score = carried(potential, 10, cases.points(3))
  np.testing.assert_allclose(score, by_tape(distribution, x), rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures('eagerly')
def test_its_error_is_that_of_the_integrator():
  potential, latents = cases.one_hidden_layer(), cases.points(3)
  exact = carried(potential, 16, latents)[-1]
  errors = [np.abs(carried(potential, d, latents)[-1] - exact).max() for d in (2, 4)]
  assert np.log2(errors[0] / errors[1]) == pytest.approx(4.0, abs=0.4)


@pytest.mark.usefixtures('eagerly')
def test_group_elements_turn_the_score_as_they_turn_points():
  group, interval = symmetry.square_lattice(symmetric.SIDE), cases.TIME / 10
  potential = symmetry.OneElementPerInterval(symmetric.layer(), group, interval, seed=3)
  distribution, x, score = carried(potential, 10, symmetric.points(4))
  np.testing.assert_allclose(score, by_tape(distribution, x), rtol=1e-5, atol=1e-6)


def solution(mode, potential, score=None, names=()):
  """What a solve returns, and the derivatives of a number made of all but the score."""
  x = cases.points(4)
  with tf.GradientTape() as tape:
    tape.watch(x)
    found = flow.solve(
      *(potential, integrators.HEUN, Horizon(3, 0.13), x),
      gradient=mode,
      tallies=tallies.all_of(names),
      score=score,
    )
    total = sum(
      tf.reduce_sum(tf.sin(part)) for part in (found[:-1] if score is not None else found)
    )
  derivatives = tape.gradient(total, [x, *potential.trainable_variables])
  return list(found), derivatives


@functools.cache
def carried_by_plain_loops(name):
  """The score of -x at the end, which every mode is compared with."""
  return solution('plain', cases.CASES[name](), -cases.points(4))[0][-1]


@pytest.mark.parametrize('name, mode, jit_compile', WAYS)
def test_carrying_it_changes_nothing_else(name, mode, jit_compile):
  potential = cases.CASES[name]()
  names = ('kinetic',) if mode == 'adjoint' else ('stiffness', 'kinetic')
  compiled = tf.function(solution, jit_compile=True, autograph=False)
  solve = compiled if jit_compile else solution
  initial = -cases.points(4)
  (*found, score), derivatives = solve(mode, potential, initial, names)
  expected, expected_derivatives = solution(mode, potential, None, names)
  for one, two in zip([*found, *derivatives], [*expected, *expected_derivatives], strict=True):
    np.testing.assert_allclose(one, two, rtol=1e-10, atol=1e-12)
  np.testing.assert_allclose(score, carried_by_plain_loops(name), rtol=1e-10, atol=1e-12)


@pytest.mark.usefixtures('eagerly')
def test_a_time_symmetric_flow_carries_it_too():
  potential = cases.one_hidden_layer()
  bijector = ma_keras.MongeAmpereBijector(potential, 4, 0.1, 'gauss4', 'reversible')
  distribution = ma_keras.standard_normal_flow(bijector)
  _, (x, _, _, score) = distributions.solve(distribution, cases.points(3), with_score=True)
  np.testing.assert_allclose(score, by_tape(distribution, x), rtol=1e-5, atol=1e-6)


def test_the_score_is_not_carried_back():
  bijector = ma_keras.MongeAmpereBijector(cases.one_hidden_layer(), 2, 0.1)
  distribution = ma_keras.standard_normal_flow(bijector)
  with pytest.raises(ValueError, match='leave out `reverse`'):
    distributions.solve(distribution, cases.points(2), reverse=True, with_score=True)
