"""Every potential: its derivatives are those of its value, at any shape, size and precision."""

import inspect

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from ma_keras import potentials
from ma_keras.potentials import Hutchinson, Potential, autodiff
from tests.properties import recipes, strategies


def rounding(dtype, x, *values):
  """What cancellation and the rounding of z = w.x leave, for weights of order one."""
  largest = [np.abs(value).max(initial=0.0) for value in (x, *values)]
  return 100 * np.finfo(dtype.as_numpy_dtype).eps * np.prod([1 + size for size in largest])


@pytest.mark.slow
def test_every_class_is_asked():
  public = {name: getattr(potentials, name) for name in potentials.__all__}
  classes = {n for n, c in public.items() if inspect.isclass(c) and issubclass(c, Potential)}
  assert set(recipes.RECIPES) == classes - {'Potential'}


@pytest.mark.slow
@pytest.mark.parametrize('kind', recipes.RECIPES)
@strategies.examples(4)
@hypothesis.given(
  data=st.data(),
  dtype=strategies.DTYPES,
  leading=strategies.LEADING,
  exponent=st.integers(-3, 3),
  t=st.sampled_from([0.0, 0.25, 1.0, 1.5]),
  seed=strategies.SEEDS,
)
def test_derivatives_are_those_of_the_value(kind, data, dtype, leading, exponent, t, seed):
  """(grad, laplacian), together and apart, are what nested tapes make of a float64 twin."""
  recipe = data.draw(recipes.RECIPES[kind])
  potential = recipes.generic(recipe, dtype, seed)
  n = potential.event_size
  x = strategies.points(*leading, n, seed=seed, magnitude=10.0**exponent, dtype=dtype)
  value, (velocity, laplacian) = potential(t, x), potential.gradient_and_laplacian(t, x)
  assert (value.shape, velocity.shape, laplacian.shape) == (leading, x.shape, leading)
  assert value.dtype == velocity.dtype == laplacian.dtype == dtype
  double = recipes.twin(recipe, potential, tf.float64)
  rows = tf.cast(tf.reshape(x, [-1, n]), tf.float64)
  truth = autodiff.gradient_and_laplacian(double, tf.constant(t, tf.float64), rows)
  pairs = zip(
    (velocity, laplacian), (tf.reshape(part, v.shape) for part, v in zip(truth, (x, value)))
  )
  for found, expected in pairs:
    np.testing.assert_allclose(found, expected, atol=rounding(dtype, x, expected))
  apart = potential.gradient(t, x), potential.laplacian(t, x)
  for one, two in zip(apart, (velocity, laplacian)):
    np.testing.assert_allclose(one, two, rtol=1e-13, atol=rounding(dtype, x, two))


@pytest.mark.parametrize('kind', recipes.RECIPES)
@strategies.examples(3)
@hypothesis.given(
  data=st.data(), dtype=strategies.DTYPES, exponent=st.integers(4, 15), seed=strategies.SEEDS
)
def test_far_out_nothing_overflows(kind, data, dtype, exponent, seed):
  """Slopes are bounded, so gradients grow no faster than |x|, and curvatures not at all."""
  potential = recipes.generic(data.draw(recipes.RECIPES[kind]), dtype, seed)
  x = strategies.points(2, potential.event_size, seed=seed, magnitude=10.0**exponent, dtype=dtype)
  velocity, laplacian = potential.gradient_and_laplacian(0.5, x)
  assert np.abs(velocity).max() <= 1e4 * np.abs(x).max()
  assert np.abs(laplacian).max() <= 1e4


@pytest.mark.slow
@strategies.examples(8)
@hypothesis.given(
  recipe=recipes.separable(),
  leading=strategies.LEADING,
  seed=strategies.SEEDS,
  num_probes=st.integers(1, 3),
)
def test_signs_probe_diagonal_hessians_exactly(recipe, leading, seed, num_probes):
  """v.(D v) = tr D for v_i = +-1: Hutchinson's estimate of a separable potential has no noise."""
  potential = recipes.generic(recipe, tf.float64, seed)
  x = strategies.points(*leading, potential.event_size, seed=seed)
  probed = potential.with_laplacian(Hutchinson(seed, num_probes=num_probes))
  exact = potential.laplacian(0.5, x)
  np.testing.assert_allclose(probed.laplacian(0.5, x), exact, atol=rounding(tf.float64, x, exact))


@pytest.mark.slow
@strategies.examples(6)
@hypothesis.given(first=recipes.composable(2), second=recipes.composable(2), seed=strategies.SEEDS)
def test_potentials_add_and_so_do_their_derivatives(first, second, seed):
  terms = [recipes.generic(r, tf.float64, seed + k) for k, r in enumerate((first, second))]
  x = strategies.points(3, 4, seed=seed)
  total = terms[0] + terms[1]
  parts = [term.gradient_and_laplacian(0.5, x) for term in terms]
  found = total.gradient_and_laplacian(0.5, x)
  for whole, one, two in zip(found, *parts):
    np.testing.assert_allclose(whole, one + two, atol=rounding(tf.float64, one, two))
