"""The hand-written backward pass of one-hidden-layer flows against TensorFlow's own."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras import flow, integrators, seeds
from ma_keras.flow import Horizon, dynamics, gradients
from ma_keras.flow.gradients import units
from ma_keras.potentials import (
  MLP,
  Hutchinson,
  OneHiddenLayer,
  Potential,
  Quadratic,
  Separable,
  TimeBasis,
)
from ma_keras.symmetry import OneElementPerInterval, square_lattice
from tests.potentials import cases

N = 9
HORIZON = Horizon(3, 0.08)
# Few hidden units: their own coordinates are cheaper. Many: x is.
WIDTHS = {'hidden coordinates': 4, 'x': 40}
EXPLICIT = ['euler', 'midpoint', 'heun', 'rk4', 'three_eighths']


def layer(hidden_units, activation='softplus', use_bias=True, dtype=tf.float64, basis=None):
  potential = OneHiddenLayer(
    N, hidden_units, activation, use_bias, dtype=dtype, seed=0, time_basis=basis
  )
  return cases.generic(potential)


def in_time(hidden_units):
  return layer(hidden_units, basis=TimeBasis(HORIZON.time, 3))


def image_potential(dtype=tf.float64):
  """One hidden layer and units per coordinate, with amplitudes that vary in time."""
  basis = TimeBasis(HORIZON.time, 2)
  own = cases.generic(Separable(N, 3, time_basis=basis, dtype=dtype, seed=1), seed=1)
  return layer(6, basis=basis, dtype=dtype) + own


def many_terms():
  matrix = np.random.default_rng(3).normal(size=(N, N)) / N
  mlp = cases.generic(MLP(N, (4, 3), time_dependent=True, dtype=tf.float64), seed=2)
  return Quadratic(matrix, tf.float64) + layer(4) + mlp + layer(6, 'log_cosh')


SUMS = {
  'amplitudes in time, hidden coordinates': lambda: in_time(4),
  'amplitudes in time, x': lambda: in_time(40),
  'layer and separable': image_potential,
  'layer and patches': lambda: layer(6) + cases.local(2, image_shape=(3, 3, 1)),
  'many terms': many_terms,
  'random frames of a sum': lambda: OneElementPerInterval(
    image_potential(), square_lattice(3), HORIZON.step_size, 1
  ),
}


def rotated(hidden_units, per_sample=False):
  potential = OneElementPerInterval(layer(hidden_units), square_lattice(3), HORIZON.step_size, 1)
  return potential.with_seed(seeds.PerSample(1, tf.range(6), 6)) if per_sample else potential


def points(count=6, dtype=tf.float64):
  return tf.constant(np.random.default_rng(2).normal(size=(count, N)), dtype)


def derivatives(potential, gradient, x, integrator='heun', reverse=False, horizon=HORIZON):
  tableau = integrators.get(integrator)
  with tf.GradientTape() as tape:
    tape.watch(x)
    y, change = flow.solve(potential, tableau, horizon, x, reverse, gradient=gradient)
    total = tf.reduce_sum(tf.sin(3.0 * y)) + tf.reduce_sum(tf.square(change))
  return [y, change, *tape.gradient(total, [x, *potential.trainable_variables])]


def assert_agree(potential, x=None, rtol=1e-10, jit_compile=None, gradient='store', **options):
  """Eagerly, which is many times faster than tracing; as a graph where `jit_compile` is no None."""
  x = points() if x is None else x
  assert potential.units() is not None
  found = lambda: derivatives(potential, gradient, x, **options)  # noqa: E731
  if jit_compile is not None:
    found = tf.function(found, jit_compile=jit_compile, autograph=False)
  one = found()
  two = derivatives(potential, 'plain', x, **options)
  assert len(one) == 3 + len(potential.trainable_variables)
  for a, b in zip(one, two, strict=True):
    np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * np.abs(b).max())


def uses_hidden_coordinates(potential, batch_size=6):
  grid = HORIZON.grid(tf.float64)
  motion = dynamics.Motion(potential, integrators.RK4, grid, 0, HORIZON.num_steps)
  return units.hidden_is_cheaper(potential.units(), motion, batch_size)


@pytest.mark.parametrize('integrator', EXPLICIT)
@pytest.mark.parametrize('width', WIDTHS)
def test_all_derivatives_for_all_explicit_methods(width, integrator):
  potential = layer(WIDTHS[width])
  assert uses_hidden_coordinates(potential) == (width == 'hidden coordinates')
  assert_agree(potential, integrator=integrator)


@pytest.mark.parametrize('reverse', [False, True])
@pytest.mark.parametrize('activation, use_bias', [('softplus', False), ('log_cosh', True)])
@pytest.mark.parametrize('width', WIDTHS)
def test_both_directions_and_activations(width, activation, use_bias, reverse):
  assert_agree(layer(WIDTHS[width], activation, use_bias), reverse=reverse)


@pytest.mark.parametrize(
  'hidden_units, per_sample, reverse',
  [(4, False, False), (4, True, True), (40, False, True), (40, True, False)],
)
def test_random_frames(hidden_units, per_sample, reverse):
  potential = rotated(hidden_units, per_sample)
  assert not uses_hidden_coordinates(potential)
  assert_agree(potential, reverse=reverse)


@pytest.mark.slow
@pytest.mark.parametrize(
  'name, reverse', [*((name, False) for name in SUMS), ('layer and separable', True)]
)
def test_sums_and_amplitudes_in_time(name, reverse):
  assert_agree(SUMS[name](), reverse=reverse)


@pytest.mark.parametrize('segment', [1, 2, 9])
@pytest.mark.parametrize('build', [lambda: layer(4), lambda: in_time(4), lambda: rotated(40, True)])
def test_recomputed_segments(build, segment):
  """One, uneven, and more steps than there are."""
  assert_agree(build(), gradient=gradients.Recompute(segment))


@pytest.mark.slow
def test_recomputed_segments_in_a_graph():
  assert_agree(in_time(4), gradient=gradients.Recompute(2), integrator='euler', jit_compile=False)


@pytest.mark.slow
@pytest.mark.parametrize(
  'build, gradient, reverse',
  [
    (lambda: in_time(4), 'store', False),
    (image_potential, gradients.Recompute(2), True),
    (lambda: rotated(40, True), 'store', True),
  ],
)
def test_steps_of_random_size(build, gradient, reverse):
  uneven = Horizon(3, 0.08, jitter=0.7, seed=3)
  assert_agree(build(), gradient=gradient, horizon=uneven, reverse=reverse)


@pytest.mark.slow
@pytest.mark.parametrize(
  'build, integrator, gradient',
  [
    (lambda: layer(4), 'heun', 'store'),
    (image_potential, 'euler', 'store'),
    (lambda: in_time(4), 'euler', gradients.Recompute(2)),
    (lambda: rotated(40, True), 'euler', gradients.Recompute(2)),
  ],
)
def test_under_xla(build, integrator, gradient):
  """Stages depend on one another in hidden coordinates, and in x below; the others take one."""
  assert_agree(build(), integrator=integrator, gradient=gradient, jit_compile=True)


@pytest.mark.parametrize('width', WIDTHS)
def test_in_single_precision(width):
  potential = layer(WIDTHS[width], dtype=tf.float32)
  assert_agree(potential, x=points(dtype=tf.float32), rtol=3e-5)


@pytest.mark.slow
def test_a_compiled_flow_is_differentiated_from_outside():
  potential, x = layer(WIDTHS['x']), points()
  compiled = tf.function(
    lambda x: flow.solve(potential, integrators.HEUN, HORIZON, x), jit_compile=True, autograph=False
  )

  def outside(function):
    with tf.GradientTape() as tape:
      tape.watch(x)
      y, change = function(x)
      total = tf.reduce_sum(tf.sin(y)) + tf.reduce_sum(tf.square(change))
    return tape.gradient(total, [x, *potential.trainable_variables])

  plain = outside(lambda x: flow.solve(potential, integrators.HEUN, HORIZON, x, gradient='plain'))
  for one, two in zip(outside(compiled), plain, strict=True):
    np.testing.assert_allclose(one, two, rtol=1e-10, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize('build', [lambda: layer(4), SUMS['random frames of a sum']])
def test_second_derivatives(build):
  """Force matching differentiates a gradient: of every variable, through both passes."""
  potential, x, horizon = build(), points(2), Horizon(2, HORIZON.step_size)

  def second(gradient):
    with tf.GradientTape() as outer:
      with tf.GradientTape() as inner:
        inner.watch(x)
        y, change = flow.solve(potential, integrators.EULER, horizon, x, gradient=gradient)
        total = tf.reduce_sum(tf.sin(y)) + tf.reduce_sum(tf.square(change))
      force = inner.gradient(total, x)
      mismatch = tf.reduce_sum(tf.square(force))
    return outer.gradient(mismatch, potential.trainable_variables)

  compiled = tf.function(lambda: second('store'), autograph=False)
  for one, two in zip(compiled(), second('plain'), strict=True):
    np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-10 * np.abs(two).max())


def test_the_cheaper_coordinates_by_count():
  """The paper's MNIST flow is cheaper in hidden coordinates; its Ising flow costs the same."""

  def cheaper(n, h, d, batch_size):
    potential = OneHiddenLayer(n, h, seed=0)
    motion = dynamics.Motion(potential, integrators.RK4, Horizon(d, 0.1).grid(tf.float32), 0, d)
    return units.hidden_is_cheaper(potential.units(), motion, batch_size)

  assert cheaper(784, 1024, 100, 100)
  assert cheaper(256, 512, 50, 64)  # One product of [512, 512] for two of half its size.
  assert not cheaper(256, 600, 50, 64)
  assert not cheaper(784, 1024, 1, 1)  # G alone costs more than one step of one point.


class Borrowed(Potential):
  """phi = c . x^4 / 12 with a tensor c from outside, which only plain loops differentiate by."""

  def __init__(self, c):
    super().__init__(N)
    self.c = c

  def __call__(self, t, x):
    return tf.reduce_sum(self.c * x**4, axis=-1) / 12.0


def test_other_potentials_take_the_plain_loop():
  assert layer(4).with_laplacian(Hutchinson(0)).units() is None
  assert rotated(4).with_laplacian(Hutchinson(0)).units() is None
  assert (layer(4) + layer(4)).with_laplacian(Hutchinson(0)).units() is None
  assert (layer(4) + layer(4).with_laplacian(Hutchinson(0))).units() is None
  assert (layer(4) + rotated(4)).units() is None  # Two frames at once.
  assert (Quadratic(np.eye(N), tf.float64) + Borrowed(1.0)).units() is None


@pytest.mark.slow
def test_tensors_within_a_term_of_a_sum_keep_their_derivatives():
  x = points()
  with tf.GradientTape() as tape:
    c = tf.constant(np.linspace(0.1, 0.3, N))
    tape.watch(c)
    y, _ = flow.solve(layer(4) + Borrowed(c), integrators.RK4, HORIZON, x)
    total = tf.reduce_sum(y)
  assert np.all(np.abs(tape.gradient(total, c)) > 1e-6)
