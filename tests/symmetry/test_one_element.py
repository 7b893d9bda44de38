"""One random element per interval: a bijection all the same, and the same one when compiled."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import flow, integrators, seeds
from ma_keras.flow import Horizon
from ma_keras.potentials import Hutchinson, autodiff
from ma_keras.symmetry import (
  GroupAverage,
  OneElementPerInterval,
  action,
  dihedral,
  one_element,
  square_lattice,
  translations,
)
from tests.potentials import cases as potentials
from tests.support import flows
from tests.symmetry import cases

GROUP = square_lattice(cases.SIDE)
H, STEPS = 0.25, 6
DTYPES = pytest.mark.parametrize('dtype', [tf.float32, tf.float64])


def build(seed=3, dtype=tf.float64, interval=H):
  return OneElementPerInterval(cases.layer(dtype), GROUP, interval, seed)


def bijector(potential, num_steps=STEPS, step_size=H):
  return ma_keras.MongeAmpereBijector(potential, num_steps, step_size)


def draws(potential, steps=STEPS, h=H):
  """The permutation in force on every step."""
  return np.stack([potential._draw(tf.constant((k + 0.5) * h)).index for k in range(steps)])


@pytest.mark.slow
def test_mean_over_all_elements_is_the_group_average():
  layer, x = cases.layer(), cases.points(3)
  rotated = [
    one_element.Rotated(layer, action.pick(GROUP, tf.constant(g), tf.float64))
    for g in range(GROUP.order)
  ]
  average = GroupAverage(layer, GROUP)
  for method in ('__call__', 'gradient', 'laplacian'):
    mean = np.mean([getattr(potential, method)(0.0, x) for potential in rotated], axis=0)
    np.testing.assert_allclose(getattr(average, method)(0.0, x), mean, atol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize('time', [0.1, 0.3, 1.1])
def test_derivatives_are_exact_within_an_interval(time):
  potentials.assert_derivatives_are_exact(build(), time, cases.points(2))


def test_elements_change_between_intervals_and_not_within():
  potential = build(seed=1)
  indices = draws(potential, steps=8)
  assert len(np.unique(indices, axis=0)) >= 5
  for k in range(8):
    for offset in (0.01, 0.5, 0.99):
      index = potential._draw(tf.constant((k + offset) * H, tf.float64)).index
      np.testing.assert_array_equal(index, indices[k])


@pytest.mark.slow
@pytest.mark.parametrize('dtype, factor', [(tf.float32, 5), (tf.float64, 3)])
def test_rounding_moves_no_step_into_the_next_interval(dtype, factor):
  """0.1 is no binary fraction: the starts of some steps round below their interval."""
  potential = build(dtype=dtype, interval=0.1)
  h = tf.constant(0.1 / factor, dtype)
  # Not compiled: k h / 0.1 would be rearranged, and rounded otherwise.
  times = [tf.constant(k, dtype) * h for k in range(40 * factor + 1)]
  indices = [
    potential.on_interval(start, stop).element.index for start, stop in itertools.pairwise(times)
  ]
  expected = draws(potential, steps=40, h=0.1)
  np.testing.assert_array_equal(np.stack(indices), np.repeat(expected, factor, axis=0))


@pytest.mark.slow
def test_draws_are_uniform_over_the_group():
  """Chi-squared of 3600 draws over 9 translations: mean 8, standard deviation 4."""
  group = translations(cases.SIDE)
  potential = OneElementPerInterval(cases.layer(), group, 1.0, seed=0)
  middles = tf.range(3600, dtype=tf.float32) + 0.5
  first = tf.function(tf.map_fn)(
    lambda t: potential._draw(t).index[0], middles, fn_output_signature=tf.int32
  )
  counts = np.bincount(first, minlength=9)
  assert np.sum((counts - 400.0) ** 2 / 400.0) < 8 + 5 * 4


@pytest.mark.slow
@DTYPES
def test_forward_then_inverse_returns(dtype, eagerly):
  flowing, x = bijector(build(dtype=dtype, interval=0.1), 10, 0.1), cases.points(4, dtype=dtype)
  y = flowing.forward(x)
  # A copy of y, for the cache would return x itself.
  back = flowing.inverse(tf.identity(y))
  assert flows.max_error(y, x) > 0.1
  np.testing.assert_allclose(back, x, atol=1e-6 if dtype == tf.float64 else 1e-5)
  forward = flowing.forward_log_det_jacobian(tf.identity(x), 1)
  inverse = flowing.inverse_log_det_jacobian(tf.identity(y), 1)
  np.testing.assert_allclose(inverse, -forward, atol=1e-6 if dtype == tf.float64 else 1e-5)


@pytest.mark.slow
def test_the_log_determinant_is_that_of_the_dense_jacobian():
  flowing, x = bijector(build()).refined(8), cases.points(2)
  jacobian = flows.jacobians(flowing.forward, x)
  expected = np.linalg.slogdet(jacobian)[1]
  np.testing.assert_allclose(flowing.forward_log_det_jacobian(x, 1), expected, atol=1e-8)


@pytest.mark.slow
def test_halving_the_steps_changes_the_integrator_alone():
  """The draws stay those of the intervals, so positions and densities converge at order 4."""
  flowing, x = bijector(build()), cases.points(3)
  finer = [flowing.refined(factor) for factor in (1, 2, 4, 8)]
  ends = [(b.forward(x), b.forward_log_det_jacobian(x, 1)) for b in finer]
  differences = [
    [flows.max_error(one, two) for one, two in zip(*pair)] for pair in itertools.pairwise(ends)
  ]
  np.testing.assert_allclose(flows.observed_orders(differences)[-1], [4.0, 4.0], atol=0.2)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_different_seeds_are_different_flows_of_the_same_variables():
  potential, x = build(seed=1), cases.points(3)
  same, other = build(seed=1), potential.with_seed(2)
  start = bijector(potential)
  np.testing.assert_array_equal(bijector(same).forward(x), start.forward(x))
  assert np.all(bijector(other).forward(x) != start.forward(x))
  assert other.potential is potential.potential
  reseeded = start.with_seed(2)
  np.testing.assert_array_equal(reseeded.forward(x), bijector(other).forward(x))
  assert {v.ref() for v in reseeded.trainable_variables} == {
    v.ref() for v in start.trainable_variables
  }
  assert len(start.trainable_variables) == 3


@pytest.mark.slow
@pytest.mark.parametrize('dtype, jit_compile', [(tf.float32, True), (tf.float64, False)])
def test_compiled_flows_draw_the_same_elements(dtype, jit_compile):
  potential, x = build(dtype=dtype), cases.points(3, dtype=dtype)
  solve = lambda x: flow.solve(potential, integrators.RK4, Horizon(STEPS, H), x)  # noqa: E731
  atol = 1e-13 if dtype == tf.float64 else 1e-5
  for one, two in zip(tf.function(solve, jit_compile=jit_compile)(x), solve(x)):
    assert one.dtype == dtype
    np.testing.assert_allclose(one, two, atol=atol)


@pytest.mark.slow
def test_a_seed_tensor_may_change_between_calls_of_one_graph():
  potential, x = build(), cases.points(3)
  graph = tf.function(
    lambda seed: flow.solve(potential.with_seed(seed), integrators.RK4, Horizon(2, H), x)[0]
  )
  one, two = graph(tf.constant([0, 1])), graph(tf.constant([0, 2]))
  assert np.all(one != two) and graph.experimental_get_tracing_count() == 1
  expected = flow.solve(potential.with_seed(1), integrators.RK4, Horizon(2, H), x)[0]
  np.testing.assert_allclose(one, expected, atol=1e-14)


@pytest.mark.slow
def test_a_laplacian_method_sees_the_whole_potential(eagerly):
  """Hutchinson on the outside probes phi~(g x) at x; the velocity stays exact."""
  potential, x = build(), cases.points(3)
  estimated = potential.with_laplacian(Hutchinson(seed=1))
  horizon = Horizon(STEPS, H)
  exact = flow.solve(potential, integrators.RK4, horizon, x)
  end, change = flow.solve(estimated, integrators.RK4, horizon, x)
  np.testing.assert_allclose(end, exact[0], atol=1e-12)
  assert np.all(np.abs(change - exact[1]) > 1e-6)
  taped = potential.with_laplacian(autodiff.gradient_and_laplacian)
  np.testing.assert_allclose(
    flow.solve(taped, integrators.RK4, Horizon(2, H), x)[1],
    flow.solve(potential, integrators.RK4, Horizon(2, H), x)[1],
    atol=1e-12,
  )


def test_errors_name_the_argument():
  with pytest.raises(ValueError, match=r'`interval` must be positive and finite, got 0\.0'):
    build(interval=0.0)
  with pytest.raises(ValueError, match='`group` acts on 16 coordinates'):
    OneElementPerInterval(cases.layer(), translations(4), H)


@pytest.mark.slow
def test_nested_draws_are_draws_from_the_product():
  """Translations within D4, different seeds: every pair of elements is equally likely."""
  inner, outer = translations(cases.SIDE), dihedral(cases.SIDE)
  potential = OneElementPerInterval(cases.layer(), inner, 1.0, seed=0)
  potential = OneElementPerInterval(potential, outer, 1.0, seed=1)

  def pair(t):
    drawn = (
      (potential._draw(t).index, outer.index),
      (potential.potential._draw(t).index, inner.index),
    )
    return [tf.argmax(tf.reduce_all(row == table, axis=-1)) for row, table in drawn]

  pairs = inner.order * outer.order
  intervals = tf.range(100 * pairs, dtype=tf.float64) + 0.5
  draw = tf.function(lambda t: tf.map_fn(pair, t, fn_output_signature=[tf.int64, tf.int64]))
  first, second = draw(intervals)
  counts = np.bincount(first.numpy() * inner.order + second.numpy(), minlength=pairs)
  assert np.sum((counts - 100.0) ** 2 / 100.0) < pairs + 4 * np.sqrt(2 * pairs)


@pytest.mark.usefixtures('eagerly')
def test_a_nested_flow_is_that_of_its_product_element():
  layer = cases.layer()
  inner = OneElementPerInterval(layer, translations(cases.SIDE), H, seed=0)
  nested = OneElementPerInterval(inner, dihedral(cases.SIDE), H, seed=1)
  x, t = cases.points(3), tf.constant(0.5 * H, tf.float64)
  image = action.act(inner._draw(t), action.act(nested._draw(t), x))
  np.testing.assert_allclose(nested(t, x), layer(t, image), rtol=1e-12)
  bijector = ma_keras.MongeAmpereBijector(nested, 1, H)
  frame = nested.on_interval(tf.constant(0.0, tf.float64), tf.constant(H, tf.float64)).frame()
  assert frame.potential is not nested and isinstance(frame.potential, type(layer))
  expected = frame.leave(ma_keras.MongeAmpereBijector(layer, 1, H).forward(frame.enter(x)))
  np.testing.assert_allclose(bijector.forward(x), expected, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
def test_every_sample_may_have_elements_of_its_own():
  """Row by row the flow of that row's elements, there and back, value and density."""
  numbers, layer = [3, 0, 2], cases.layer()
  own = seeds.PerSample(1, tf.constant(numbers), batch_size=5)
  inner = OneElementPerInterval(layer, translations(cases.SIDE), H, seed=0)
  potential = OneElementPerInterval(inner, dihedral(cases.SIDE), H).with_seed(own)
  x, t = cases.points(3), tf.constant(0.5 * H, tf.float64)
  element = action.compose(potential.potential._draw(t), potential._draw(t))
  assert element.index.shape == x.shape and len(np.unique(element.index, axis=0)) > 1
  flowing = bijector(potential, 1, H)
  y = flowing.forward(x)
  for b in range(3):
    mine = action.Element(*(part[b] for part in element))
    expected = bijector(one_element.Rotated(layer, mine), 1, H)
    np.testing.assert_allclose(y[b], expected.forward(x[b]), rtol=1e-12)
    np.testing.assert_allclose(
      flowing.forward_log_det_jacobian(x, 1)[b], expected.forward_log_det_jacobian(x[b], 1)
    )
  longer = bijector(potential)
  np.testing.assert_allclose(longer.inverse(tf.identity(longer.forward(x))), x, atol=1e-3)


@pytest.mark.parametrize('per_point', [False, True])
def test_the_derivative_of_the_action_is_the_inverse_to_any_order(per_point):
  """Against a product with dense matrices, first and second derivatives in x."""
  number = tf.constant([5, 40, 71]) if per_point else tf.constant(5)
  element, x = action.pick(GROUP, number, tf.float64), cases.points(3)
  matrix = tf.one_hot(element.index, cases.EVENT_SIZE, dtype=x.dtype)
  dense = lambda x: tf.linalg.matvec(matrix, x)  # noqa: E731

  def derivatives(image):
    with tf.GradientTape() as outer:
      outer.watch(x)
      with tf.GradientTape() as inner:
        inner.watch(x)
        value = tf.reduce_sum(tf.sin(image(x)) * tf.range(9.0, dtype=x.dtype) ** 2)
      first = inner.gradient(value, x)
      total = tf.reduce_sum(first**3)
    return first, outer.gradient(total, x)

  for one, two in zip(derivatives(lambda x: action.act(element, x)), derivatives(dense)):
    np.testing.assert_allclose(one, two, rtol=1e-12)
