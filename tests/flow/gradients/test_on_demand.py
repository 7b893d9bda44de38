"""Nothing is kept where no tape records, and whoever asks for a derivative later gets it."""

import functools
import pathlib
import sys

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import flow, integrators
from ma_keras.flow import Horizon, dynamics, gradients
from ma_keras.flow.gradients import discrete, on_demand, units
from ma_keras.potentials import OneHiddenLayer, Separable, TimeBasis
from tests.potentials import cases as potentials
from tests.support import bijectors

HORIZON = Horizon(3, 0.1)
MODES = {
  'store': ('euler', 'store'),
  'recompute': ('euler', gradients.Recompute(2)),
  'reversible': ('implicit_midpoint', 'reversible'),
  'adjoint': ('euler', 'adjoint'),
}


@functools.cache
def wide():
  """2 N > H: stepped in hidden coordinates."""
  return OneHiddenLayer(potentials.EVENT_SIZE, 4, dtype=tf.float64, seed=0)


@functools.cache
def narrow():
  """2 N < H, a rest, and amplitudes in time: stepped in x."""
  n, basis = potentials.EVENT_SIZE, TimeBasis(0.3, 2)
  layer = OneHiddenLayer(n, 5 * n, dtype=tf.float64, seed=0, time_basis=basis)
  return layer + Separable(n, 2, dtype=tf.float64, seed=1)


@functools.cache
def bare():
  """2 N < H and nothing else, for modes whose traces are long."""
  n = potentials.EVENT_SIZE
  return OneHiddenLayer(n, 5 * n, dtype=tf.float64, seed=0)


POTENTIALS = {'in hidden coordinates': wide, 'in x': narrow}


def solver(potential, integrator='euler', gradient='store', reverse=False, horizon=HORIZON):
  tableau = integrators.get(integrator)
  return lambda x: flow.solve(potential, tableau, horizon, x, reverse, gradient=gradient)


def derivatives(function, x, variables):
  """By x and the variables, of a number made of ends and changes."""
  with tf.GradientTape() as tape:
    tape.watch(x)
    y, change = function(x)
    total = tf.reduce_sum(tf.sin(y)) + tf.reduce_sum(tf.square(change))
  return [y, change, *tape.gradient(total, [x, *variables], unconnected_gradients='zero')]


def with_its_tape(potential, mode, reverse, count):
  """`derivatives` of so many points where nothing is traced."""
  solve = solver(potential, *MODES[mode], reverse)
  return derivatives(solve, potentials.points(count), potential.trainable_variables)


def assert_close(one, two, tolerance=1e-9):
  for a, b in zip(one, two, strict=True):
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def operations(function, x):
  """(name of the operation, node) of a tf.function and of all that it calls."""
  graph = function.get_concrete_function(x).graph.as_graph_def()
  nodes = [*graph.node, *(node for inner in graph.library.function for node in inner.node_def)]
  return [(node.op, node) for node in nodes]


def test_a_trace_knows_the_tapes_around_it():
  seen = []

  def look(x):
    seen.append(on_demand.recording())
    return x

  def compiled(x):
    return tf.function(look, autograph=False)(x)

  x = tf.constant(1.0)
  look(x), compiled(x)
  assert seen == [False, False]
  with tf.GradientTape() as tape:
    look(x), compiled(x)
    tf.while_loop(lambda i: i < 1, lambda i: (look(i + 1),), [0])
    with tape.stop_recording():
      look(x)
  with tf.autodiff.ForwardAccumulator(x, x):
    look(x)
  assert seen[2:] == [True, True, True, False, True]


@pytest.mark.slow
@pytest.mark.parametrize('name', POTENTIALS)
@pytest.mark.parametrize('mode', ['store', 'recompute'])
def test_arrays_of_stages_are_in_the_graph_of_a_taped_flow_alone(name, mode):
  """A list grows by TensorListSetItem: once per stage, or state, that is kept."""
  solve, x = solver(POTENTIALS[name](), *MODES[mode]), potentials.points(4)

  def taped(x):
    with tf.GradientTape():
      return solve(x)

  alone, recorded = (tf.function(call, autograph=False) for call in (solve, taped))
  assert not [op for op, _ in operations(alone, x) if op.startswith('TensorList')]
  assert [op for op, _ in operations(recorded, x) if op == 'TensorListSetItem']


@pytest.mark.slow
@pytest.mark.parametrize('name', POTENTIALS)
def test_values_are_those_of_a_taped_flow_to_the_bit(name):
  solve, x = solver(POTENTIALS[name]()), potentials.points(4)
  compiled, twin = (tf.function(lambda x: solve(x), autograph=False) for _ in range(2))
  y, change = compiled(x)
  with tf.GradientTape():
    end, total = twin(x)
  np.testing.assert_array_equal(y, end)
  np.testing.assert_array_equal(change, total)


@pytest.mark.slow
@pytest.mark.parametrize(
  'mode, potential',
  [
    ('store', wide),
    ('store', bare),
    ('recompute', potentials.separable),
    ('reversible', bare),
    ('adjoint', bare),
  ],
)
def test_a_function_traced_without_a_tape_is_differentiated_from_outside(mode, potential):
  """By hand and by tapes; `store` under XLA as well: tests/flow/gradients/test_units.py."""
  potential, x = potential(), potentials.points(4)
  solve, variables = solver(potential, *MODES[mode], reverse=True), potential.trainable_variables
  compiled = tf.function(solve, autograph=False)
  compiled(x)
  expected = with_its_tape(potential, mode, reverse=True, count=4)
  assert max(np.max(np.abs(part)) for part in expected[3:]) > 1e-3
  assert_close(derivatives(compiled, x, variables), expected)


@pytest.mark.slow
def test_tf_gradients_needs_no_tape():
  potential, x = bare(), potentials.points(4)
  solve = solver(potential)

  @tf.function(autograph=False)
  def by_the_graph(x):
    y, change = solve(x)
    return tf.gradients(tf.reduce_sum(tf.sin(y)) + tf.reduce_sum(tf.square(change)), x)[0]

  assert_close([by_the_graph(x)], [with_its_tape(potential, 'store', False, 4)[2]])


@pytest.mark.slow
def test_second_derivatives_of_a_function_traced_without_a_tape():
  """Steps are written out; those of loops: tests/flow/gradients/test_units.py."""
  potential, x = bare(), potentials.points(3)

  def motion():
    return dynamics.Motion(potential, integrators.EULER, HORIZON.grid(tf.float64), 0, 2)

  def written_out(motion, x):
    y, totals = discrete.unrolled(motion, x)
    return y, *totals

  solve = functools.partial(written_out, motion())
  compiled = tf.function(
    lambda x: on_demand.on_demand(written_out, written_out, motion(), x), autograph=False
  )
  compiled(x)

  def bend(function):
    with tf.GradientTape() as outer:
      outer.watch(x)
      slope = derivatives(function, x, [])[2]
      total = tf.reduce_sum(tf.square(slope))
    return outer.gradient(total, [x, *potential.trainable_variables])

  assert_close(bend(compiled), bend(solve))


@pytest.mark.slow
def test_a_call_without_a_tape_leaves_training_its_own_trace():
  """Eager calls with and without a tape are two compiled functions; training keeps its stages."""
  bijector = bijectors.generic(integrator='euler')
  density = ma_keras.standard_normal_flow(bijector)
  density.log_prob(bijectors.points(4))
  with tf.GradientTape() as tape:
    loss = tf.reduce_mean(density.log_prob(bijectors.points(4)))
  fresh = ma_keras.standard_normal_flow(bijector.copy())
  with tf.GradientTape() as other:
    expected = tf.reduce_mean(fresh.log_prob(bijectors.points(4)))
  variables = bijector.trainable_variables
  for one, two in zip(tape.gradient(loss, variables), other.gradient(expected, variables)):
    np.testing.assert_array_equal(one, two)
  assert len(bijector._calls._functions) == len(bijector._calls._in_any_steps) == 1


@pytest.mark.slow
@pytest.mark.parametrize('known', [False, True])
def test_many_points_are_taken_some_at_a_time(monkeypatch, known):
  """7 rows by 3: the last chunk is filled up, and its extra rows are dropped."""
  potential, x = bare(), potentials.points(7)
  solve, variables = solver(potential), potential.trainable_variables
  whole = with_its_tape(potential, 'store', False, 7)
  monkeypatch.setitem(units.CHUNK, 'CPU', 3 * 5 * potentials.EVENT_SIZE)
  spec = tf.TensorSpec([7 if known else None, potentials.EVENT_SIZE], tf.float64)
  compiled = tf.function(solve, input_signature=[spec], autograph=False)
  ops = operations(compiled, spec)
  assert [op for op, _ in ops if op == 'TensorListSetItem']
  assert_close(compiled(x), whole[:2], 1e-12)
  if not known:
    assert_close(derivatives(compiled, x, variables), whole)


def peak(function):
  """Bytes by which the peak of resident memory rises above what is resident before."""

  def resident(name):
    lines = pathlib.Path('/proc/self/status').read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))

  pathlib.Path('/proc/self/clear_refs').write_text('5')  # The peak begins anew.
  before = resident('VmRSS')
  function()
  return resident('VmHWM') - before


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != 'linux', reason='Memory is read from /proc.')
def test_case_24_log_prob_of_100000_rows_takes_no_more_than_plain_did():
  """Two numbers, 64 units, ten steps: 721 MB in the default mode, 115 in `plain`."""
  layer = OneHiddenLayer(2, 64, seed=0)
  density = ma_keras.standard_normal_flow(ma_keras.MongeAmpereBijector(layer, 10, 0.1))
  x = tf.random.stateless_normal([100_000, 2], [0, 1])
  assert peak(lambda: density.log_prob(x)) < 1.2 * 115e6


@pytest.mark.slow
def test_no_points_are_one_empty_chunk():
  spec = tf.TensorSpec([None, potentials.EVENT_SIZE], tf.float64)
  y, change = tf.function(solver(wide()), input_signature=[spec], autograph=False)(
    tf.zeros([0, potentials.EVENT_SIZE], tf.float64)
  )
  assert y.shape == [0, potentials.EVENT_SIZE] and change.shape == [0]
