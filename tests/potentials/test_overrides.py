"""Case 20: a subclass's definition of phi is what every gradient mode integrates."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from ma_keras import flow, integrators, symmetry
from ma_keras.potentials import (
  MLP,
  DeepLattice,
  DeepLocallyConnected,
  Hutchinson,
  KerasModel,
  Lattice,
  LocallyConnected,
  Magnetisation,
  OneHiddenLayer,
  Potential,
  Projected,
  Quadratic,
  Separable,
  SpectralQuadratic,
  SpinLattice,
  Sum,
  TimeBasis,
)
from tests.potentials import cases

N, H, STEPS = cases.EVENT_SIZE, 0.2, 2
GROUP = symmetry.inversion(N)
# A method a class overrides -> by how much velocity and Laplacian grow with it.
HOOKS = {
  '__call__': (2.0, 2.0),
  '_gradient': (2.0, 2.0),
  '_gradient_and_laplacian': (2.0, 2.0),
  'gradient': (2.0, 2.0),
  'laplacian': (1.0, 2.0),
  'gradient_and_laplacian': (2.0, 2.0),
}
OTHER_MODES = ('recompute', 'plain', 'adjoint')


def layer():
  return cases.one_hidden_layer()


KINDS = {
  OneHiddenLayer: lambda kind: kind(N, 5, dtype=tf.float64, time_basis=TimeBasis(0.6, 2)),
  Separable: lambda kind: kind(N, 3, dtype=tf.float64),
  LocallyConnected: lambda kind: kind((2, 2, 1), 2, 1, 3, dtype=tf.float64),
  DeepLocallyConnected: lambda kind: kind((2, 2, 1), 1, 1, 3, 2, dtype=tf.float64),
  MLP: lambda kind: kind(N, (5, 3), dtype=tf.float64),
  Lattice: lambda kind: kind(2, 3, dtype=tf.float64),
  DeepLattice: lambda kind: kind(2, 3, 2, dtype=tf.float64),
  SpinLattice: lambda kind: kind(2, 3, dtype=tf.float64),
  Magnetisation: lambda kind: kind(N, 3, dtype=tf.float64),
  SpectralQuadratic: lambda kind: kind(2, dtype=tf.float64),
  Quadratic: lambda kind: kind(np.eye(N), tf.float64),
  KerasModel: lambda kind: kind(cases.keras_sequential(tf_keras), N),
  Sum: lambda kind: kind([layer(), cases.quadratic()]),
  Projected: lambda kind: kind(layer(), np.linalg.qr(cases.points(N))[0]),
  symmetry.GroupAverage: lambda kind: kind(layer(), GROUP),
  symmetry.OneElementPerInterval: lambda kind: kind(layer(), GROUP, H, 3),
}


def doubled(kind, hook):
  """A subclass of twice the potential as far as the hook says, made generic."""

  def override(self, t, x):
    value = getattr(super(subclass, self), hook)(t, x)
    return tf.nest.map_structure(lambda part: 2.0 * part, value)

  subclass = type(f'Doubled{kind.__name__}', (kind,), {hook: override})
  return cases.generic(KINDS[kind](subclass))


def solved(potential, mode, x, reverse=False, steps=STEPS):
  """In eager loops, which trace nothing."""
  horizon = flow.Horizon(steps, H)
  tableau = integrators.get('euler')
  return flow.solve(potential, tableau, horizon, x, reverse, gradient=mode)


def stepped(potential, x, factors, steps):
  """Euler steps in a plain loop, of velocities and Laplacians times these factors."""
  change = np.zeros(len(x))
  for k in range(steps):
    start = tf.constant(k * H, tf.float64)
    in_force = potential.on_interval(start, start + H)
    velocity, laplacian = in_force.gradient_and_laplacian(start, tf.constant(x))
    x, change = x + H * factors[0] * velocity, change - H * factors[1] * laplacian
  return x, change


@pytest.mark.slow
@pytest.mark.parametrize('hook', HOOKS)
@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.__name__)
def test_case_20_an_overridden_method_is_integrated_in_every_mode(kind, hook):
  """Twice the potential by one method alone: the flow is that of twice the potential.

  In `store`, which has fast passes of its own, and in another mode: every class and every method
  meet all of them.
  """
  potential, x = doubled(kind, hook), cases.points(3)
  # A step says which method it asks for; where elements are drawn, the next meets another one.
  steps = STEPS if kind is symmetry.OneElementPerInterval else 1
  y, change = stepped(cases.generic(KINDS[kind](kind)), x, HOOKS[hook], steps)
  turn = list(KINDS).index(kind) + list(HOOKS).index(hook)
  for mode in ('store', OTHER_MODES[turn % 3]):
    found = solved(potential, mode, x, steps=steps)
    np.testing.assert_allclose(found[0], y, rtol=1e-12, atol=1e-12, err_msg=mode)
    np.testing.assert_allclose(found[1], change, rtol=1e-12, atol=1e-12, err_msg=mode)


def wrapped(potential):
  return {
    'sum': potential + Separable(N, 2, dtype=tf.float64, seed=1),
    'beside a layer': potential + OneHiddenLayer(N, 7, dtype=tf.float64, seed=1),
    'average': symmetry.GroupAverage(potential, GROUP),
    'one element': symmetry.OneElementPerInterval(potential, GROUP, H, 3),
    'two elements': symmetry.OneElementPerInterval(
      symmetry.OneElementPerInterval(potential, GROUP, H, 3), GROUP, H, 4
    ),
  }


@pytest.mark.parametrize('hook', ['__call__', '_gradient_and_laplacian'])
@pytest.mark.parametrize('wrapper', list(wrapped(layer())))
def test_case_20_within_sums_and_wrappers_values_and_derivatives(wrapper, hook):
  x = cases.points(3)
  potential = wrapped(doubled(OneHiddenLayer, hook))[wrapper]
  found = {}
  for mode in ('store', 'plain'):
    with tf.GradientTape() as tape:
      tape.watch(x)
      y, change = solved(potential, mode, x, reverse=True)
      loss = tf.reduce_sum(y * cases.points(3, seed=4)) + tf.reduce_sum(change**2)
    found[mode] = [y, change, *tape.gradient(loss, [x, *potential.trainable_variables])]
  for stored, plain in zip(*found.values()):
    np.testing.assert_allclose(stored, plain, rtol=1e-10, atol=1e-12)
  once = wrapped(cases.generic(KINDS[OneHiddenLayer](OneHiddenLayer)))[wrapper]
  assert np.max(np.abs(found['store'][0] - solved(once, 'plain', x, reverse=True)[0])) > 1e-3


@pytest.mark.slow
def test_case_20_a_helper_of_closed_forms_is_met_as_well():
  """Amplitudes in time where the layer takes them for steady, points shifted for the MLP."""

  class Decaying(OneHiddenLayer):
    def _amplitude(self, t):
      return tf.exp(-t) * self.amplitude

  class Shifted(MLP):
    def _inputs(self, t, x):
      return super()._inputs(t, x) + tf.sin(x)

  x, made = cases.points(3), cases.generic
  for potential in (
    made(Decaying(N, 5, dtype=tf.float64)),
    made(Shifted(N, (5, 3), dtype=tf.float64)),
  ):
    cases.assert_derivatives_are_exact(potential, 0.7, x)
    for stored, plain in zip(solved(potential, 'store', x), solved(potential, 'plain', x)):
      np.testing.assert_allclose(stored, plain, rtol=1e-12)


class Outside(OneHiddenLayer):
  """phi = c sum_j a_j act(z_j) with a tensor c from outside."""

  def __init__(self, factor):
    super().__init__(N, 3, dtype=tf.float64, seed=1)
    self.factor = factor

  def __call__(self, t, x):
    return self.factor * super().__call__(t, x)


def test_a_subclass_is_not_self_contained_by_inheritance():
  """A tensor from outside has its derivative in a sum with a layer, too."""
  factor, x = tf.constant(0.7, tf.float64), cases.points(3)
  slopes = []
  for mode in ('store', 'plain'):
    with tf.GradientTape() as tape:
      tape.watch(factor)
      y, _ = solved(Outside(factor) + OneHiddenLayer(N, 7, dtype=tf.float64, seed=2), mode, x)
      loss = tf.reduce_sum(y * x)
    slopes.append(tape.gradient(loss, factor))
  assert abs(slopes[0]) > 1e-3
  np.testing.assert_allclose(*slopes, rtol=1e-12)


def test_what_a_class_says_of_itself_goes_with_the_fast_pass():
  """Neither `config` nor a start of one's own keeps the hand-written pass away."""

  class Named(OneHiddenLayer):
    def config(self):
      return {'name': 'mine'}

    def start_somewhere(self):
      self.bias.assign(tf.ones_like(self.bias))

  sum_of_two = Named(N, 3, seed=1) + Separable(N, 2)
  assert sum_of_two.units() is not None


def test_a_layer_in_disguise_keeps_its_units():
  """A class that overrides `units` beside the value answers for both."""

  class Disguised(OneHiddenLayer):
    def __call__(self, t, x):
      return 2.0 * super().__call__(t, x)

    def _amplitude(self, t):
      return super()._amplitude(t)

    def units(self):
      once = super().units()
      return once._replace(amplitude=lambda times: 2.0 * once.amplitude(times))

  potential = cases.generic(Disguised(N, 5, dtype=tf.float64))
  assert (potential + Separable(N, 2, dtype=tf.float64)).units() is not None
  x = cases.points(3)
  for stored, plain in zip(solved(potential, 'store', x), solved(potential, 'plain', x)):
    np.testing.assert_allclose(stored, plain, rtol=1e-12)


def test_public_methods_may_call_each_other():
  """What an overridden public method calls in turn is not that method once more."""

  class Tilted(Potential):
    def __call__(self, t, x):
      return tf.reduce_sum(x**3, axis=-1)

    def gradient(self, t, x):
      return self.gradient_and_laplacian(t, x)[0] + 1.0

    def laplacian(self, t, x):
      return super().laplacian(t, x) + 1.0

  x = cases.points(3)
  velocity, laplacian = Tilted(N).gradient_and_laplacian(0.0, x)
  np.testing.assert_allclose(velocity, 3 * x**2 + 1, rtol=1e-12)
  np.testing.assert_allclose(laplacian, np.sum(6 * x, axis=-1) + 1, rtol=1e-12)


def test_hutchinson_follows_the_definition_in_force():
  """v.Hv = laplacian phi for a potential whose Hessian is diagonal, and Rademacher probes."""
  for hook in ('_gradient', '_gradient_and_laplacian', '__call__'):
    potential, x = doubled(Separable, hook), cases.points(3)
    velocity, laplacian = potential.gradient_and_laplacian(0.0, x)
    estimate = potential.with_laplacian(Hutchinson(1)).gradient_and_laplacian(0.0, x)
    np.testing.assert_allclose(estimate[0], velocity, rtol=1e-12)
    np.testing.assert_allclose(estimate[1], laplacian, rtol=1e-12)
