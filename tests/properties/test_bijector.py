"""The flow is a bijection, whatever its size, its steps and the shape of what flows."""

import math

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

import ma_keras
from ma_keras.potentials import Quadratic
from tests.properties import recipes, strategies

# Their steps are undone by the same steps backwards, to rounding; explicit ones to their order.
SYMMETRIC = st.sampled_from(['implicit_midpoint', 'gauss4'])
STEPS = st.integers(1, 5)
# So small that the fixed-point iterations of an implicit step end in rounding.
STEP_SIZES = st.floats(0.01, 0.1)


def flow(recipe, num_steps, step_size, integrator, seed):
  potential = recipes.generic(recipe, tf.float64, seed)
  return ma_keras.MongeAmpereBijector(potential, num_steps, step_size, integrator)


def anew(x):
  """Equal, but another tensor: TFP's cache does not answer for it."""
  return tf.constant(x.numpy())


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
@strategies.examples(5)
@hypothesis.given(
  recipe=recipes.dense(),
  num_steps=STEPS,
  step_size=STEP_SIZES,
  integrator=SYMMETRIC,
  leading=strategies.LEADING,
  seed=strategies.SEEDS,
)
def test_there_and_back(recipe, num_steps, step_size, integrator, leading, seed):
  """f^-1(f(x)) = x and ln|det f'(x)| = -ln|det (f^-1)'(f(x))|, by two independent solves."""
  bijector = flow(recipe, num_steps, step_size, integrator, seed)
  x = strategies.points(*leading, bijector.potential.event_size, seed=seed)
  y = bijector.forward(x)
  log_det = bijector.forward_log_det_jacobian(x, 1)
  assert (y.shape, log_det.shape) == (x.shape, leading)
  np.testing.assert_allclose(bijector.inverse(anew(y)), x, atol=1e-11)
  back = bijector.inverse_log_det_jacobian(anew(y), 1)
  np.testing.assert_allclose(log_det, -back, atol=1e-11)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
@strategies.examples(3)
@hypothesis.given(recipe=recipes.dense(), num_steps=STEPS, seed=strategies.SEEDS)
def test_a_batch_is_its_rows_one_by_one(recipe, num_steps, seed):
  bijector = flow(recipe, num_steps, 0.1, 'euler', seed)
  density = ma_keras.standard_normal_flow(bijector)
  x = strategies.points(2, 2, bijector.potential.event_size, seed=seed)
  rows = [anew(row) for row in tf.reshape(x, [4, -1])]
  for function, shape in ((bijector.forward, x.shape), (density.log_prob, [2, 2])):
    single = tf.reshape(tf.stack([function(row) for row in rows]), shape)
    np.testing.assert_allclose(function(x), single, rtol=1e-12, atol=1e-13)


@pytest.mark.slow
@pytest.mark.usefixtures('eagerly')
@strategies.examples(8)
@hypothesis.given(
  n=st.integers(1, 4),
  num_steps=STEPS,
  step_size=st.floats(1e-3, 0.5),
  leading=strategies.LEADING,
  exponent=st.integers(-10, 10),
  seed=strategies.SEEDS,
)
def test_a_linear_flow_is_the_power_of_taylors_polynomial(
  n, num_steps, step_size, leading, exponent, seed
):
  """RK4 of dx/dt = A x is x (sum of (h A)^k/k!, k <= 4)^d, and ln|det| the trace of A times T."""
  half = strategies.points(n, n, seed=seed).numpy() / n
  matrix = half + half.T
  bijector = ma_keras.MongeAmpereBijector(Quadratic(matrix, tf.float64), num_steps, step_size)
  x = strategies.points(*leading, n, seed=seed, magnitude=10.0**exponent)
  powers = [np.linalg.matrix_power(step_size * matrix, k) / math.factorial(k) for k in range(5)]
  expected = x.numpy() @ np.linalg.matrix_power(np.sum(powers, axis=0), num_steps)
  scale = 10.0**exponent * math.exp(num_steps * step_size * np.abs(matrix).sum())
  np.testing.assert_allclose(bijector.forward(x), expected, atol=1e-13 * scale)
  log_det = np.full(leading, num_steps * step_size * np.trace(matrix))
  np.testing.assert_allclose(bijector.forward_log_det_jacobian(x, 1), log_det, atol=1e-13)


NOT_COUNTS = st.one_of(
  st.integers(max_value=0),
  st.floats(max_value=0.5) | st.sampled_from([1.5, math.nan, math.inf]),
  st.text() | st.none(),
)
NOT_LENGTHS = st.one_of(
  st.floats(max_value=0.0), st.sampled_from([math.nan, math.inf]), st.text() | st.none()
)
NOT_PARTS = st.one_of(
  st.floats(min_value=1.0) | st.floats(max_value=0.0, exclude_max=True),
  st.just(math.nan) | st.text() | st.none(),
)
NO_NAMES = st.text(max_size=8).filter(lambda name: name not in ma_keras.integrators.TABLEAUS)
WRONG = {
  'num_steps': NOT_COUNTS,
  'step_size': NOT_LENGTHS,
  'jitter': NOT_PARTS,
  'integrator': NO_NAMES | st.integers() | st.none(),
  'gradient': st.sampled_from(['', 'rk4', 'Store', 3, None]),
  'dtype': st.sampled_from([tf.int32, tf.bool, tf.string, tf.float32]),
}


@pytest.mark.parametrize('name', WRONG)
@strategies.examples(15)
@hypothesis.given(data=st.data())
def test_wrong_arguments_are_named(name, data):
  potential = Quadratic(np.eye(2), tf.float64)
  arguments = {'num_steps': 2, 'step_size': 0.1, name: data.draw(WRONG[name])}
  with pytest.raises(ValueError, match=f'`{name}'):
    ma_keras.MongeAmpereBijector(potential, **arguments)
