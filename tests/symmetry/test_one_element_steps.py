"""The flow of one random element per interval, step by step and derivative by derivative."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras import flow, integrators
from ma_keras.flow import Horizon
from ma_keras.potentials import autodiff
from ma_keras.symmetry import OneElementPerInterval, square_lattice
from tests.symmetry import cases

H, STEPS = 0.25, 3
HORIZON = Horizon(STEPS, H)
TABLEAU = integrators.MIDPOINT


def build():
  return OneElementPerInterval(cases.layer(), square_lattice(cases.SIDE), H, seed=3)


def rotated_by_hand(potential, element):
  """grad phi and laplacian phi of phi~(g x), with g as a dense matrix."""

  def rates(t, state):
    velocity, laplacian = potential.gradient_and_laplacian(t, cases.dense_act(element, state[0]))
    return cases.dense_act(element.inverse(), velocity), -laplacian

  return rates


def rotated_by_tapes(potential, element):
  """The same from the value of phi~ alone."""

  def rates(t, state):
    phi = lambda t, y: potential(t, cases.dense_act(element, y))  # noqa: E731
    velocity, laplacian = autodiff.gradient_and_laplacian(phi, t, state[0])
    return velocity, -laplacian

  return rates


def written_out(potential, x, rotated):
  """The flow in a Python loop, drawing its elements one by one."""
  h, state = tf.constant(H, x.dtype), (x, tf.zeros_like(x[..., 0]))
  for k in range(STEPS):
    element = potential._draw((k + 0.5) * h)
    rates = rotated(potential.potential, element)
    state = integrators.step(TABLEAU, rates, k * h, h, state)
  return state


@pytest.mark.parametrize('rotated', [rotated_by_hand, rotated_by_tapes])
def test_every_step_integrates_the_rotated_potential(rotated):
  potential, x = build(), cases.points(2)
  end, change = flow.solve(potential, TABLEAU, HORIZON, x)
  expected, expected_change = written_out(potential, x, rotated)
  np.testing.assert_allclose(end, expected, atol=1e-13)
  np.testing.assert_allclose(change, expected_change, atol=1e-13)


def first_derivatives(solve, variables, x):
  """d/d(variables, x) of a functional of both outputs."""
  with tf.GradientTape() as tape:
    tape.watch(x)
    end, change = solve(x)
    loss = tf.reduce_sum(end**3) + tf.reduce_sum(change**2)
  return tape.gradient(loss, [*variables, x])


def second_derivatives(solve, variables, x):
  """The same of the norm of the slope in x."""
  with tf.GradientTape() as tape:
    tape.watch(x)
    norm = tf.reduce_sum(first_derivatives(solve, [], x)[0] ** 2)
  return tape.gradient(norm, [*variables, x])


@pytest.mark.slow
@pytest.mark.parametrize(
  'derivatives, mode',
  [
    (first_derivatives, 'eager'),
    (first_derivatives, 'xla'),
    (second_derivatives, 'eager'),
    (second_derivatives, 'graph'),
  ],
)
def test_derivatives_equal_those_of_dense_matrices(derivatives, mode):
  potential, x = build(), cases.points(2)
  variables = potential.trainable_variables

  def through_the_flow():
    solve = lambda x: flow.solve(potential, TABLEAU, HORIZON, x)  # noqa: E731
    return derivatives(solve, variables, x)

  if mode != 'eager':
    through_the_flow = tf.function(through_the_flow, jit_compile=mode == 'xla')
  by_hand = lambda x: written_out(potential, x, rotated_by_hand)  # noqa: E731
  for one, two in zip(through_the_flow(), derivatives(by_hand, variables, x)):
    assert np.any(one != 0.0)
    np.testing.assert_allclose(one, two, rtol=1e-10, atol=1e-12)
