"""The tableaus satisfy Butcher's order conditions, exactly those of their order."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf

from ma_keras import integrators

ALL = pytest.mark.parametrize('tableau', integrators.TABLEAUS.values(), ids=lambda t: t.name)
EXPLICIT = pytest.mark.parametrize(
  'tableau', [t for t in integrators.TABLEAUS.values() if t.explicit], ids=lambda t: t.name
)


def fractions(tableau):
  """a (square), b and c as fractions: the floats are those nearest to small fractions."""

  def exact(value):
    fraction = Fraction(value).limit_denominator(100)
    assert float(fraction) == value
    return fraction

  stages = len(tableau.b)
  a = [[exact(row[j]) if j < len(row) else Fraction(0) for j in range(stages)] for row in tableau.a]
  return a, [exact(b) for b in tableau.b], [exact(c) for c in tableau.c]


def residuals(tableau):
  """Order -> residuals of the conditions of that order, one for each rooted tree."""
  a, b, c = fractions(tableau)
  stages = range(len(b))

  def weigh(values):
    return sum(b[i] * values[i] for i in stages)

  def inner(values):
    return [sum(a[i][j] * values[j] for j in stages) for i in stages]

  def power(k):
    return [c[i] ** k for i in stages]

  return {
    1: [weigh(power(0)) - 1],
    2: [weigh(power(1)) - Fraction(1, 2)],
    3: [weigh(power(2)) - Fraction(1, 3), weigh(inner(power(1))) - Fraction(1, 6)],
    4: [
      weigh(power(3)) - Fraction(1, 4),
      weigh([c[i] * inner(power(1))[i] for i in stages]) - Fraction(1, 8),
      weigh(inner(power(2))) - Fraction(1, 12),
      weigh(inner(inner(power(1)))) - Fraction(1, 24),
    ],
    5: [weigh(power(4)) - Fraction(1, 5)],
  }


@EXPLICIT
def test_conditions_hold_up_to_the_order_and_fail_beyond(tableau):
  conditions = residuals(tableau)
  assert all(r == 0 for order in range(1, tableau.order + 1) for r in conditions[order])
  assert any(r != 0 for r in conditions[tableau.order + 1])


@pytest.mark.parametrize(
  'tableau', [integrators.RK4_GAUSS, integrators.RK4_GAUSS3], ids=lambda t: t.name
)
def test_nodes_between_the_stages_satisfy_the_conditions_of_order_four(tableau):
  """Those of the integral of f(t, x(t)): its nodes are stages that no other stage reads."""
  nodes = tableau.quadrature
  rows, b, c = map(np.array, (nodes.a, nodes.b, nodes.c))
  stages = np.array([[*row, *[0.0] * (len(tableau.c) - len(row))] for row in tableau.a])
  times = np.array(tableau.c)
  by_time, by_square, by_stage = rows @ times, rows @ times**2, rows @ stages @ times
  weighed = {
    1 / 2: b @ c,
    1 / 3: b @ c**2,
    1 / 6: b @ by_time,
    1 / 4: b @ c**3,
    1 / 8: b @ (c * by_time),
    1 / 12: b @ by_square,
    1 / 24: b @ by_stage,
  }
  for exact, weight in weighed.items():
    assert weight == pytest.approx(exact, abs=1e-15)
  assert abs(b @ (rows @ stages @ stages @ times) - 1 / 120) > 1e-5
  if len(c) == 2:  # Three nodes integrate fifth powers of time exactly.
    assert abs(b @ c**4 - 1 / 5) > 1e-3


@pytest.mark.parametrize('steps, nodes', [(0, 3), (3, 1), (2.5, 3), (3, '3'), (-1, 2)])
def test_nodes_that_do_not_keep_the_order_are_refused(steps, nodes):
  with pytest.raises(ValueError, match='`steps` must be a positive integer and `nodes` at least 2'):
    integrators.rk4_with_gauss_nodes('mine', steps, nodes)


def test_three_steps_of_rk4_are_one_with_three_nodes():
  """Points, weights and defects are those of three steps, exactly; divergences are a quarter."""
  triple, single = integrators.RK4_GAUSS3, integrators.RK4

  def field(t, x):
    return tf.sin(3.0 * x) + tf.cast(t, x.dtype) * tf.reverse(x, [0])

  zero, h = tf.constant(0.2, tf.float64), tf.constant(0.3, tf.float64)
  x = y = tf.constant([0.3, -1.1, 0.7], tf.float64)
  residuals = []
  for k in range(3):
    rates = integrators.stages(single, field, zero + k * h, h, y)
    residuals += [h * sum(e * rate for e, rate in zip(row, rates)) for row in single.defects]
    y = integrators.combine(y, h, single.b, rates)
  rates = integrators.stages(triple, field, zero, 3 * h, x)
  actual = [3 * h * sum(e * rate for e, rate in zip(row, rates)) for row in triple.defects]
  np.testing.assert_allclose(integrators.combine(x, 3 * h, triple.b, rates), y, rtol=1e-14)
  np.testing.assert_allclose(actual, residuals, atol=1e-14)
  assert len(triple.quadrature.c) == 3 and len(triple.c) == 12


@pytest.mark.parametrize(
  'change',
  [
    {'a': ((0.5,),)},  # Not a weight for every stage.
    {'c': (0.4,)},  # A node at another time than its point.
    {'b': (0.9,)},  # Not consistent.
    {'b': (0.5, 0.5)},  # A weight without a node.
  ],
)
def test_nodes_that_are_none_are_refused(change):
  nodes = integrators.Quadrature(a=((0.5, 0.0),), b=(1.0,), c=(0.5,))
  dataclasses.replace(integrators.HEUN, name='mine', quadrature=nodes)
  with pytest.raises(ValueError, match=r"'mine': `quadrature` must hold"):
    wrong = dataclasses.replace(nodes, **change)
    dataclasses.replace(integrators.HEUN, name='mine', quadrature=wrong)


@EXPLICIT
def test_rows_sum_to_the_times(tableau):
  a, _, c = fractions(tableau)
  assert [sum(row) for row in a] == c


@EXPLICIT
def test_explicit_and_rectangular(tableau):
  assert len(tableau.a) == len(tableau.b) == len(tableau.c)
  assert all(len(row) <= i for i, row in enumerate(tableau.a))
  assert not tableau.symmetric  # No explicit method is.


@ALL
def test_found_by_name(tableau):
  assert integrators.get(tableau.name) is tableau
  assert integrators.get(tableau) is tableau
  assert integrators.TABLEAUS[tableau.name] is tableau


def test_a_tableau_of_your_own_passes_through():
  ralston = integrators.Tableau('ralston', 2, ((), (2 / 3,)), (0.25, 0.75), (0.0, 2 / 3))
  assert integrators.get(ralston) is ralston


def test_unknown_names_list_the_known_ones():
  with pytest.raises(ValueError, match=r"`integrator` must be one of .*'rk4'.* got 'dopri5'"):
    integrators.get('dopri5')


@pytest.mark.parametrize(
  ('a', 'b', 'c'),
  [
    (((0.5,),), (1.0,), (0.5,)),  # Implicit, and no iterations to solve it.
    (((), (0.5,)), (1.0,), (0.0, 0.5)),  # One weight is missing.
    (((), (0.5,)), (0.0, 0.9), (0.0, 0.5)),  # Not consistent.
    (((), (0.5,)), (0.0, 1.0), (0.0, 0.4)),  # Stage at another time than its state.
  ],
)
def test_what_is_no_method_is_refused(a, b, c):
  with pytest.raises(ValueError, match="'mine'"):
    integrators.Tableau('mine', 1, a, b, c)


def test_methods_that_tell_their_stiffness_compare_stages():
  """A defect is a difference of slopes: zero for a constant field, so its weights sum to zero."""
  for tableau in integrators.TABLEAUS.values():
    for row in tableau.defects:
      assert sum(row) == pytest.approx(0.0, abs=1e-15) and len(row) == len(tableau.c)
