"""One compiled function of a flow serves any number of points, and of equal steps."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import flow, integrators
from tests.potentials import cases


def traces(bijector):
  functions = [*bijector._calls._in_any_steps.values(), *bijector._calls._functions.values()]
  return sum(function.experimental_get_tracing_count() for function in functions)


@pytest.mark.slow
@pytest.mark.parametrize('potential', ['softplus', 'mlp in time'])
def test_flows_in_any_number_of_steps_share_a_trace(potential):
  """In eager calls that nobody differentiates; results are those of a loop over so many steps."""
  potential = cases.CASES[potential]()
  bijector = ma_keras.MongeAmpereBijector(potential, 3, 0.2, 'midpoint')
  for x in (cases.points(4), cases.points(2)):
    for ours in (bijector, bijector.refined(), bijector.copy(num_steps=5, step_size=0.01)):
      solution = ours.solve(x, reverse=True)
      end, change = flow.solve(potential, integrators.MIDPOINT, ours.horizon, x, reverse=True)
      np.testing.assert_allclose(solution.x, end, rtol=1e-12, atol=1e-12)
      np.testing.assert_allclose(solution.log_density_change, change, rtol=1e-12)
  assert traces(bijector) == traces(bijector.refined(3)) == 1
  assert not bijector.copy(gradient='recompute')._calls._in_any_steps


@pytest.mark.slow
def test_a_tape_has_a_trace_of_its_own():
  bijector = ma_keras.MongeAmpereBijector(cases.one_hidden_layer(), 2, 0.2, 'euler')
  x = cases.points(3)
  plain = bijector.forward(tf.identity(x))
  with tf.GradientTape() as tape:
    tape.watch(x)
    recorded = bijector.forward(x)
  assert tape.gradient(recorded, x) is not None and traces(bijector) == 2
  np.testing.assert_allclose(recorded, plain, rtol=1e-12)
