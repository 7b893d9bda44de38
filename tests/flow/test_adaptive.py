"""Adaptive steps against closed forms, and against many fixed ones."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras.flow import adaptive
from tests.potentials import cases
from tests.support import flows
from tests.symmetry import cases as symmetric

DIRECTIONS = pytest.mark.parametrize('reverse', [False, True])


@pytest.mark.slow
@pytest.mark.parametrize('name, reverse', [('steady', False), ('breathing', True)])
def test_the_closed_form_is_reached_to_the_tolerance(name, reverse):
  potential, x = flows.POTENTIALS[name](), flows.points(4)
  expected = flows.exact(name, x, 1.2, reverse)
  errors, costs = [], []
  for tolerance in (1e-4, 1e-9):
    found = tf.function(adaptive.solve)(potential, 1.2, x, reverse, tolerance, tolerance)
    errors.append(max(flows.max_error(a, b) for a, b in zip(found[:2], expected)))
    costs.append(int(found.num_evaluations))
  assert errors[0] < 1e-3 and errors[1] < 1e-7
  assert costs[0] < costs[1] < 2000


@pytest.mark.slow
def test_the_bijector_certifies_its_own_likelihood():
  """The error of d fixed steps, by adaptive ones, is that of step halving times 16/15."""
  potential, x = cases.one_hidden_layer(), cases.points(3)
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 1.2)
  found = bijector.adaptive(x, reverse=True, rtol=1e-9, atol=1e-9)
  flow = ma_keras.standard_normal_flow(bijector)
  error = flow.log_prob(x) - (flow.distribution.log_prob(found.x) - found.log_density_change)
  change = bijector.certificate(x, reverse=True).log_prob_change
  np.testing.assert_allclose(error, 16 / 15 * change, rtol=0.1)


@pytest.mark.slow
@DIRECTIONS
def test_jumps_in_time_are_followed(reverse):
  from ma_keras.symmetry import OneElementPerInterval, square_lattice

  layer = symmetric.layer()
  potential = OneElementPerInterval(layer, square_lattice(symmetric.SIDE), 0.25, seed=1)
  x = symmetric.points(2)
  bijector = ma_keras.MongeAmpereBijector(potential, 4, 0.25).refined(16)
  found = bijector.adaptive(x, reverse, rtol=1e-10, atol=1e-10)
  expected = bijector.inverse(x) if reverse else bijector.forward(x)
  np.testing.assert_allclose(found.x, expected, atol=1e-5)


@pytest.mark.parametrize('argument', ['rtol', 'atol', 'time'])
def test_errors_name_the_argument(argument):
  arguments = {'time': 1.0, 'rtol': 1e-3, 'atol': 1e-3, argument: 0.0}
  with pytest.raises(ValueError, match=rf'`{argument}` must be positive, got 0\.0'):
    adaptive.solve(cases.one_hidden_layer(), x=cases.points(2), **arguments)
