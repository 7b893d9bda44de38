"""What every potential owes its users, whatever its form."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from ma_keras.potentials import Hutchinson, Potential, autodiff, overrides
from tests.potentials import cases

TIME = tf.constant(cases.TIME, tf.float64)


@pytest.fixture(params=cases.CASES, scope='module')
def potential(request):
  return cases.CASES[request.param]()


def variable_gradients(potential, x):
  """d/d variables of a functional of both the gradient and the Laplacian."""
  with tf.GradientTape() as tape:
    velocity, laplacian = potential.gradient_and_laplacian(TIME, x)
    loss = tf.reduce_sum(velocity**2) + tf.reduce_sum(laplacian**2)
  return tape.gradient(loss, potential.trainable_variables, unconnected_gradients='zero')


def test_derivatives_equal_differences_and_the_hessian(potential):
  cases.assert_derivatives_are_exact(potential, cases.TIME, cases.points(3))


def test_nested_tapes_equal_the_potentials_own_laplacian(potential):
  x = cases.points(3)
  taped = potential.with_laplacian(autodiff.gradient_and_laplacian)
  own, other = (p.gradient_and_laplacian(TIME, x) for p in (potential, taped))
  np.testing.assert_allclose(own[0], other[0], atol=1e-12)
  np.testing.assert_allclose(own[1], other[1], atol=1e-12)


@pytest.mark.parametrize('leading', [[], [2, 0], [2, 1, 3]])
def test_any_leading_rank(potential, leading):
  """Points of any leading shape are treated as those of the flat batch [B, N]."""
  x = cases.points(*leading)
  rows = tf.reshape(x, [-1, cases.EVENT_SIZE])
  shaped = (potential(TIME, x), *potential.gradient_and_laplacian(TIME, x))
  flat = (potential(TIME, rows), *potential.gradient_and_laplacian(TIME, rows))
  for one, two, shape in zip(shaped, flat, (leading, x.shape, leading)):
    assert one.shape == shape
    np.testing.assert_allclose(one, tf.reshape(two, shape), atol=1e-13)
  assert potential.gradient(TIME, x).shape == x.shape


@pytest.mark.parametrize('name', ['softplus', 'mlp in time', 'sum', 'keras sequential'])
def test_closed_forms_are_declared_where_they_are_defined(name):
  """Declared by a base class, they would be those of the base class alone."""
  potential = cases.CASES[name]()
  assert overrides.is_self_contained(potential) == potential.self_contained


@pytest.mark.parametrize('name', cases.CASES)
def test_unknown_batch_size_in_a_graph(name):
  potential = cases.CASES[name]()
  signature = [tf.TensorSpec([None, cases.EVENT_SIZE], tf.float64)]
  graph = tf.function(lambda x: potential.gradient_and_laplacian(TIME, x), signature)
  for size in (0, 2):
    x = cases.points(size)
    for compiled, eager in zip(graph(x), potential.gradient_and_laplacian(TIME, x)):
      np.testing.assert_allclose(compiled, eager, atol=1e-13)


def test_prepared_changes_nothing_not_even_the_gradients_of_variables(potential):
  x = cases.points(3)
  np.testing.assert_array_equal(potential.prepared()(TIME, x), potential(TIME, x))
  own, other = (p.gradient_and_laplacian(TIME, x) for p in (potential, potential.prepared()))
  np.testing.assert_allclose(own[0], other[0], atol=1e-14)
  np.testing.assert_allclose(own[1], other[1], atol=1e-14)
  with tf.GradientTape() as tape:
    velocity, laplacian = potential.prepared().gradient_and_laplacian(TIME, x)
    loss = tf.reduce_sum(velocity**2) + tf.reduce_sum(laplacian**2)
  prepared = tape.gradient(loss, potential.trainable_variables, unconnected_gradients='zero')
  for one, two in zip(prepared, variable_gradients(potential, x)):
    np.testing.assert_allclose(one, two, atol=1e-12)
    assert np.all(np.isfinite(two))


def test_gradients_of_variables_agree_between_tapes_and_closed_forms(potential):
  x = cases.points(3)
  taped = potential.with_laplacian(autodiff.gradient_and_laplacian)
  for own, other in zip(variable_gradients(potential, x), variable_gradients(taped, x)):
    np.testing.assert_allclose(own, other, atol=1e-11)


@pytest.mark.parametrize('name', ['softplus', 'mlp', 'sum', 'keras sequential'])
@pytest.mark.parametrize('saver, loader', itertools.permutations(['own', 'hutchinson'], 2))
def test_checkpoints_do_not_depend_on_the_laplacian(name, saver, loader, tmp_path):
  def build(kind, seed):
    potential = cases.generic(cases.CASES[name](), seed)
    return potential if kind == 'own' else potential.with_laplacian(Hutchinson(seed=0))

  source, target = build(saver, seed=1), build(loader, seed=2)
  x = cases.points(3)
  assert np.any(target(TIME, x) != source(TIME, x))
  path = tf.train.Checkpoint(potential=source).save(tmp_path / 'checkpoint')
  status = tf.train.Checkpoint(potential=target).restore(path)
  status.assert_consumed().assert_existing_objects_matched()
  np.testing.assert_array_equal(target(TIME, x), source(TIME, x))


def test_another_laplacian_shares_the_variables_and_leaves_the_original_alone():
  potential = cases.one_hidden_layer()
  x = cases.points(3)
  before = potential.laplacian(TIME, x)
  twin = potential.with_laplacian(Hutchinson(seed=0))
  assert type(twin) is type(potential) and twin.kernel is potential.kernel
  assert np.any(twin.laplacian(TIME, x) != before)
  np.testing.assert_array_equal(twin.gradient(TIME, x), potential.gradient(TIME, x))
  np.testing.assert_array_equal(potential.laplacian(TIME, x), before)
  np.testing.assert_array_equal(twin.with_laplacian(None).laplacian(TIME, x), before)


def test_deterministic_potentials_have_nothing_to_reseed_and_no_intervals():
  potential = cases.one_hidden_layer()
  assert potential.with_seed(3) is potential
  assert potential.on_interval(0.0, 0.1) is potential


def test_dtype_is_that_of_the_variables():
  assert cases.one_hidden_layer().dtype == tf.float64
  assert cases.Wave(2).dtype is None
  assert cases.CASES['sum']().dtype == tf.float64


def test_lists_and_python_times_are_converted():
  potential = cases.one_hidden_layer()
  expected = potential.laplacian(TIME, tf.zeros([1, 4], tf.float64))
  np.testing.assert_array_equal(potential.laplacian(0, [[0.0, 0.0, 0.0, 0.0]]), expected)


@pytest.mark.parametrize('event_size', [0, -3, 2.5])
def test_event_size_must_be_a_positive_integer(event_size):
  with pytest.raises(ValueError, match=f'`event_size` must be a positive .* got {event_size}'):
    cases.Wave(event_size)


@pytest.mark.parametrize('shape', [[], [5], [4, 3]])
@pytest.mark.parametrize('method', ['gradient', 'laplacian', 'gradient_and_laplacian'])
def test_wrong_events_are_refused(shape, method):
  message = rf'`x` must have shape \[..., 4\], got \({", ".join(map(str, shape))}'
  with pytest.raises(ValueError, match=message):
    getattr(cases.one_hidden_layer(), method)(0.0, tf.zeros(shape, tf.float64))


def test_a_potential_without_a_value_cannot_be_built():
  with pytest.raises(TypeError, match='abstract'):
    Potential(3)
