"""Potentials add, and so do their gradients and Laplacians."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras.potentials import Hutchinson, OneHiddenLayer, Sum
from ma_keras.symmetry import OneElementPerInterval, inversion
from tests.potentials import cases

TIME = tf.constant(cases.TIME, tf.float64)


def three():
  return cases.one_hidden_layer(), cases.Wave(4), cases.quadratic()


def test_everything_adds():
  terms, x = three(), cases.points(3)
  total = terms[0] + terms[1] + terms[2]
  for method in ('__call__', 'gradient', 'laplacian'):
    expected = sum(getattr(term, method)(TIME, x).numpy() for term in terms)
    np.testing.assert_allclose(getattr(total, method)(TIME, x), expected, rtol=1e-13)


def test_the_sum_of_a_list_is_a_potential():
  terms, x = three(), cases.points(3)
  np.testing.assert_array_equal(sum(terms).gradient(TIME, x), Sum(terms).gradient(TIME, x))


def test_nested_sums_are_flattened_in_order():
  a, b, c = three()
  for total in ((a + b) + c, a + (b + c), Sum((a, Sum((b, c)))), Sum([Sum([a, b, c])])):
    assert [id(term) for term in total.terms] == [id(term) for term in (a, b, c)]


def test_variables_of_all_terms_are_found_once():
  a, b, c = three()
  assert {v.ref() for v in (a + b + c + a).trainable_variables} == {
    v.ref() for v in (*a.trainable_variables, *c.trainable_variables)
  }


def test_a_term_twice_counts_twice():
  a, x = cases.one_hidden_layer(), cases.points(3)
  np.testing.assert_allclose((a + a).laplacian(TIME, x), 2 * a.laplacian(TIME, x), rtol=1e-14)


def test_a_sum_with_its_own_laplacian_stays_one_term():
  a, b, c = three()
  inner = (a + b).with_laplacian(Hutchinson(seed=0))
  total = inner + c
  assert [id(term) for term in total.terms] == [id(inner), id(c)]
  x = cases.points(3)
  expected = inner.laplacian(TIME, x) + c.laplacian(TIME, x)
  np.testing.assert_allclose(total.laplacian(TIME, x), expected, rtol=1e-14)


def test_each_term_keeps_its_laplacian_method():
  a, _, c = three()
  estimated, x = a.with_laplacian(Hutchinson(seed=5)), cases.points(3)
  difference = (estimated + c).laplacian(TIME, x) - (a + c).laplacian(TIME, x)
  expected = estimated.laplacian(TIME, x) - a.laplacian(TIME, x)
  np.testing.assert_allclose(difference, expected, atol=1e-14)
  assert np.all(np.abs(expected) > 1e-6)


def test_reseeding_gives_every_term_draws_of_its_own():
  a = cases.one_hidden_layer().with_laplacian(Hutchinson(seed=0, probe='gaussian'))
  x = cases.points(3)
  total = (a + a).with_seed(7)
  one, two = (term.laplacian(TIME, x) for term in total.terms)
  assert np.all(one != two)
  np.testing.assert_array_equal(total.laplacian(TIME, x), (a + a).with_seed(7).laplacian(TIME, x))
  assert {v.ref() for v in total.variables} == {v.ref() for v in a.variables}


def test_twins_leave_the_checkpoint_of_the_original_alone():
  """prepared, on_interval and with_seed share the variables, not the bookkeeping."""
  random = OneElementPerInterval(cases.one_hidden_layer(seed=1), inversion(4), 0.1)
  total = random + cases.quadratic()

  def children(potential):
    return {name: id(child) for name, child in potential._trackable_children().items()}

  before = children(total), children(total.terms[0])
  total.prepared()
  total.on_interval(tf.constant(0.0, tf.float64), tf.constant(0.1, tf.float64))
  total.with_seed(3)
  random.with_seed(4)
  assert (children(total), children(total.terms[0])) == before


def test_event_sizes_must_agree():
  with pytest.raises(ValueError, match=r'`terms` must share one event_size, got \[3, 4\]'):
    _ = cases.Wave(4) + cases.Wave(3)
  with pytest.raises(ValueError, match=r'`terms` must share one event_size, got \[\]'):
    Sum([])


def test_only_potentials_add():
  with pytest.raises(TypeError, match='unsupported operand'):
    _ = cases.Wave(4) + 3.0


def test_terms_of_different_dtypes_are_refused():
  terms = [OneHiddenLayer(3, 2, dtype=dtype, seed=1) for dtype in (tf.float32, tf.float64)]
  with pytest.raises(ValueError, match=r"dtype.*'float32', 'float64'"):
    _ = terms[0] + terms[1]
