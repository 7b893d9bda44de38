"""Every gradient mode against `store`, in value and in every derivative."""

import functools
import itertools

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import flow, integrators
from ma_keras.flow import Horizon, gradients
from ma_keras.potentials.time_basis import TimeBasis
from tests.potentials import cases as potentials
from tests.support import flows
from tests.symmetry import cases as symmetric

EXACT = {
  'plain': ('heun', 'plain'),
  'recompute': ('heun', 'recompute'),
  'recompute by segments': ('heun', gradients.Recompute(2)),
  'recompute in one': ('heun', gradients.Recompute(50)),
  'recompute, implicit': ('gauss4', 'recompute'),
  'recompute, nodes': ('rk4_gauss', 'recompute'),
  'recompute, nodes of three steps': ('rk4_gauss3', 'recompute'),
  'reversible': ('gauss4', 'reversible'),
  'reversible, order 2': ('implicit_midpoint', 'reversible'),
}
POTENTIALS = {
  'one hidden layer': potentials.one_hidden_layer,
  'mlp in time': potentials.CASES['mlp in time'],
}
HORIZON = Horizon(3, 0.08)


def solution(potential, integrator, mode, horizon=HORIZON, reverse=False, points=None):
  """Ends, changes of ln p, and the derivatives of a number made of both."""
  x = potentials.points(4) if points is None else points
  variables = potential.trainable_variables
  with tf.GradientTape() as tape:
    tape.watch(x)
    y, change = flow.solve(
      potential, integrators.get(integrator), horizon, x, reverse, gradient=mode
    )
    total = tf.reduce_sum(tf.sin(y)) + tf.reduce_sum(tf.square(change))
  derivatives = tape.gradient(total, [x, *variables], unconnected_gradients='zero')
  return [y, change, *derivatives]


@functools.cache
def stored(name, integrator, reverse):
  """`solution` in the default mode, which several modes are compared with."""
  return solution(POTENTIALS[name](), integrator, 'store', reverse=reverse)


@pytest.mark.slow
@pytest.mark.parametrize(
  'mode, name, reverse',
  [
    ('plain', 'one hidden layer', False),
    ('recompute', 'one hidden layer', True),
    ('recompute by segments', 'one hidden layer', False),
    ('recompute by segments', 'mlp in time', True),
    ('recompute in one', 'one hidden layer', True),
    ('recompute, implicit', 'one hidden layer', False),
    ('recompute, nodes', 'one hidden layer', True),
    ('recompute, nodes', 'mlp in time', False),
    ('reversible', 'one hidden layer', False),
    ('reversible, order 2', 'one hidden layer', True),
    ('reversible, order 2', 'mlp in time', False),
  ],
)
def test_modes_agree_with_store(mode, name, reverse):
  potential, (integrator, gradient) = POTENTIALS[name](), EXACT[mode]
  expected = stored(name, integrator, reverse)
  actual = solution(potential, integrator, gradient, reverse=reverse)
  for one, two in zip(actual, expected, strict=True):
    np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
  'build, integrator, gradient',
  [
    (potentials.separable, 'heun', gradients.Recompute(2)),
    (potentials.one_hidden_layer, 'implicit_midpoint', 'reversible'),
  ],
)
def test_modes_agree_with_store_under_xla(build, integrator, gradient):
  """By tapes; one-hidden-layer flows by hand, under XLA as well, are those of test_units.py."""
  potential = build()
  compiled = tf.function(solution, jit_compile=True, autograph=False)
  actual, expected = (
    solve(potential, integrator, mode)
    for solve, mode in ((compiled, gradient), (solution, 'store'))
  )
  for one, two in zip(actual, expected, strict=True):
    np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
  'build, integrator, gradient',
  [
    (potentials.separable, 'heun', 'recompute'),
    (potentials.one_hidden_layer, 'implicit_midpoint', 'adjoint'),
  ],
)
def test_a_compiled_flow_is_differentiated_from_outside(build, integrator, gradient):
  """What plain loops cannot do: XLA around the flow alone, the tape around that.

  One mode that keeps nothing unless asked, and one whose pass is the function's own.
  """
  potential, x, tableau = build(), potentials.points(4), integrators.get(integrator)
  variables = list(potential.trainable_variables)

  @tf.function(jit_compile=True, autograph=False)
  def compiled_flow(x):
    return flow.solve(potential, tableau, HORIZON, x, gradient=gradient)

  def derivatives(function):
    with tf.GradientTape() as tape:
      tape.watch(x)
      y, change = function(x)
      total = tf.reduce_sum(tf.sin(y)) + tf.reduce_sum(tf.square(change))
    return tape.gradient(total, [x, *variables])

  expected = derivatives(lambda x: flow.solve(potential, tableau, HORIZON, x))
  for one, two in zip(derivatives(compiled_flow), expected, strict=True):
    np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
  'integrator, order', [('midpoint', 2), ('rk4', 4), ('rk4_gauss', 4), ('rk4_gauss3', 4)]
)
def test_the_adjoint_converges_at_the_order_of_the_integrator(integrator, order):
  potential = potentials.one_hidden_layer()
  errors = []
  for d in (3, 6):
    horizon = Horizon(d, 1.0 / d)
    expected, actual = (
      solution(potential, integrator, mode, horizon) for mode in ('store', 'adjoint')
    )
    errors.append([flows.max_error(one, two) for one, two in zip(actual[2:], expected[2:])])
  assert min(errors[0]) > 0
  np.testing.assert_allclose(flows.observed_orders(errors), [[order] * 4], atol=0.1)


@pytest.mark.slow
def test_the_adjoint_of_a_symplectic_method_is_exact():
  """Gauss methods conserve the bilinear invariant dL/dx . delta x (Sanz-Serna 2016): no bias."""
  potential = potentials.one_hidden_layer()
  expected, actual = (
    solution(potential, 'implicit_midpoint', mode) for mode in ('store', 'adjoint')
  )
  for one, two in zip(actual, expected, strict=True):
    np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize('gradient', ['recompute', 'adjoint'])
def test_symmetrised_potentials_flow_back_through_their_elements(gradient):
  from ma_keras.symmetry import OneElementPerInterval, square_lattice

  layer = symmetric.layer()
  potential = OneElementPerInterval(layer, square_lattice(symmetric.SIDE), 0.02, seed=1)
  horizon = Horizon(4, 0.02)
  expected, actual = (
    solution(potential, 'rk4', mode, horizon, points=symmetric.points(4))
    for mode in ('store', gradient)
  )
  for one, two in zip(actual, expected, strict=True):
    np.testing.assert_allclose(one, two, rtol=1e-9 if gradient == 'recompute' else 1e-5, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
  'gradient, tableau',
  [
    ('store', 'euler'),
    ('recompute', 'implicit_midpoint'),
    ('reversible', 'implicit_midpoint'),
    ('adjoint', 'euler'),
  ],
)
def test_the_graph_does_not_grow_with_the_number_of_steps(gradient, tableau):
  potential = potentials.one_hidden_layer()

  def size(d):
    graph = tf.function(
      lambda: solution(potential, tableau, gradient, Horizon(d, 0.01)), autograph=False
    ).get_concrete_function()
    inner = [f.node_def for f in graph.graph.as_graph_def().library.function]
    return len(graph.graph.as_graph_def().node) + sum(len(nodes) for nodes in inner)

  assert size(5) == size(100)  # A thousand zeros have a node of their own.


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_the_bijector_takes_a_mode_and_trains_alike():
  potential, x = potentials.one_hidden_layer(), potentials.points(5)

  def derivatives(**arguments):
    bijector = ma_keras.MongeAmpereBijector(potential, 3, 0.1, **arguments)
    distribution = ma_keras.standard_normal_flow(bijector)
    with tf.GradientTape() as tape:
      loss = tf.reduce_mean(distribution.log_prob(x))
    return tape.gradient(loss, distribution.trainable_variables)

  for one, two in itertools.pairwise(
    [
      derivatives(),
      derivatives(gradient='recompute'),
      derivatives(gradient=gradients.Recompute(2)),
    ]
  ):
    for a, b in zip(one, two, strict=True):
      np.testing.assert_allclose(a, b, rtol=1e-9)


def test_errors_name_the_argument():
  potential = potentials.one_hidden_layer()
  with pytest.raises(ValueError, match=r"`gradient` must be one of .* got 'magic'"):
    ma_keras.MongeAmpereBijector(potential, 5, 0.1, gradient='magic')
  with pytest.raises(ValueError, match=r"time-symmetric integrator, got 'rk4'.*gauss4"):
    ma_keras.MongeAmpereBijector(potential, 5, 0.1, gradient='reversible')
  with pytest.raises(ValueError, match='`segment` must be a positive integer, got 0'):
    gradients.Recompute(0)


def test_the_adjoint_equation_has_functions_of_time_at_all_of_its_stages():
  """Its stages are those of the solve seen from the end, of which the midpoint rule has others."""
  basis, z = TimeBasis(0.02, 3), tf.constant([[0.3, -0.5, 0.2, 0.9]], tf.float64)
  phi = potentials.embedded_atoms(2, 2, basis)

  def gradient(mode):
    bijector = ma_keras.MongeAmpereBijector(phi, 20, 0.001, integrator='midpoint', gradient=mode)
    with tf.GradientTape() as tape:
      loss = tf.reduce_sum(tf.square(bijector.forward(z))) + bijector.forward_log_det_jacobian(z, 1)
    return tape.gradient(loss, phi.mixing)

  np.testing.assert_allclose(gradient('adjoint'), gradient('plain'), rtol=1e-3, atol=1e-5)
