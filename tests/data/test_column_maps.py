"""Maps of columns: their inverse, their Jacobian, their supports, and what float32 would lose."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import data
from ma_keras.data import columns

KINDS = ['real', 'heavy', 'positive', 'unit']
TRIL = np.tril(np.random.default_rng(0).normal(size=(4, 4)), -1) + np.diag([0.5, 1.0, 2.0, 1.5])


def maps(dtype=tf.float64, **changes):
  arguments = {
    'kinds': KINDS,
    'centre': np.array([3.0, -1.0, 0.0, 0.0]),
    'scale': np.array([2.0, 1.0, 5.0, 1.0]),
    'mean': np.array([0.1, 0.2, 0.3, -0.4]),
    'scale_tril': TRIL,
    'cell_sizes': np.zeros(4),
  }
  return data.ColumnMaps(**{**arguments, **changes}, dtype=dtype)


def test_inverse_and_jacobian(rng):
  """ln|det dy/dx| is that of the Jacobian by a tape, and x comes back."""
  y = tf.constant(rng.normal(size=(6, 4)))
  x = maps().forward(y)
  with tf.GradientTape() as tape:
    tape.watch(x)
    back = maps().inverse(x)
  jacobian = tape.batch_jacobian(back, x)
  np.testing.assert_allclose(back, y, atol=1e-12)
  log_det = np.linalg.slogdet(jacobian)[1]
  np.testing.assert_allclose(maps().inverse_log_det_jacobian(x, 1), log_det, atol=1e-12)
  np.testing.assert_allclose(maps().forward_log_det_jacobian(y, 1), -log_det, atol=1e-12)


def test_every_kind_is_its_formula():
  u = np.array([0.7, -0.3, 1.1, 0.2])
  plain = maps(mean=np.zeros(4), scale_tril=np.eye(4))
  expected = [3 + 2 * u[0], -1 + np.sinh(u[1]), 5 * np.exp(u[2]), 1 / (1 + np.exp(-u[3]))]
  np.testing.assert_allclose(plain.forward(u), expected, rtol=1e-12)


@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('column, value', [(2, -1.0), (2, 0.0), (3, 1.0), (3, 7.0), (3, -0.1)])
def test_the_density_is_zero_outside_the_support(column, value):
  """Minus infinity, never NaN; other rows keep their gradients."""
  bijector = ma_keras.MongeAmpereBijector(ma_keras.potentials.OneHiddenLayer(4, 8, seed=1), 2, 0.1)
  flow = ma_keras.data_space_flow(bijector, maps(tf.float32))
  x = np.array([[1.0, 0.0, 2.0, 0.5], [1.0, 0.0, 2.0, 0.5]])
  x[0, column] = value
  points = tf.constant(x)
  with tf.GradientTape() as tape:
    tape.watch(points)
    log_prob = flow.log_prob(points)
    total = tf.reduce_sum(tf.where(tf.math.is_finite(log_prob), log_prob, 0.0))
  assert log_prob[0] == -np.inf and np.isfinite(log_prob[1])
  assert np.all(np.isfinite(tape.gradient(total, points)))


@pytest.mark.parametrize('column', range(4))
def test_nan_is_no_point_outside(column):
  """NaN stays NaN, in every kind of column: a density of 0 would be a number."""
  x = np.array([[1.0, 0.0, 2.0, 0.5]])
  x[0, column] = np.nan
  assert np.isnan(maps().inverse_log_det_jacobian(x, 1)[0] + np.sum(maps().inverse(x)))


def test_large_numbers_that_vary_little_keep_their_digits():
  """Seconds since 1970: in float32 they are multiples of 128."""
  seconds = 1.7e9 + np.arange(600.0)
  one = data.ColumnMaps(
    ['real'],
    centre=[seconds.mean()],
    scale=[seconds.std()],
    mean=[0.0],
    scale_tril=np.eye(1),
    cell_sizes=[0.0],
  )
  y = one.inverse(seconds[:, np.newaxis])
  assert y.dtype == tf.float32 and len(np.unique(y)) == 600
  np.testing.assert_allclose(one.forward(y)[:, 0], seconds, atol=1e-4)


def test_what_does_not_fit_is_refused():
  for changes, message in (
    ({'kinds': ['real', 'odd', 'real', 'real']}, r"`kinds` holds \['odd'\]"),
    ({'scale': np.zeros(4)}, 'must be positive'),
    ({'scale_tril': TRIL.T}, 'lower triangular'),
    ({'scale_tril': np.eye(4) + np.eye(4, k=1)}, 'lower triangular'),
    ({'cell_sizes': np.array([0, 0, 0, -0.1])}, '`cell_sizes` not negative'),
    ({'mean': np.zeros(3)}, 'do not fit'),
    ({'centre': np.full(4, np.nan)}, 'finite'),
  ):
    with pytest.raises(ValueError, match=message):
      maps(**changes)


@pytest.mark.parametrize(
  'values',
  [
    np.arange(-3.0, 5.0),
    np.arange(1, 40) / 10,
    np.array([1.5, 7.0]),
    np.arange(5) / 4 + 0.1,
    (np.arange(30) / 10).astype(np.float32).astype(float),
    1.6e9 + 86400.0 * np.arange(9),
  ],
)
def test_values_come_back_from_anywhere_in_their_cells(values, rng):
  """Rounding undoes the noise of a cell: exactly for whole numbers and tenths."""
  step = columns.survey(np.repeat(values, 3)[:, np.newaxis])[0].step
  rounding = data.ColumnMaps(
    kinds=['real'],
    centre=np.zeros(1),
    scale=np.ones(1),
    mean=np.zeros(1),
    scale_tril=np.eye(1),
    cell_sizes=np.array([step]),
    origins=values[:1],
  )
  u = rng.uniform(-0.49, 0.49, size=(20, len(values)))
  x = rounding.rounded((values + step * u)[..., np.newaxis])[..., 0]
  np.testing.assert_allclose(x, np.broadcast_to(values, x.shape), rtol=1e-6, atol=0.0)
  if np.array_equal(values, np.round(values, 1)):
    np.testing.assert_array_equal(x, np.broadcast_to(values, x.shape))


def test_rounded_values_stay_within_the_support():
  both = maps(kinds=['positive', 'positive', 'unit', 'real'], cell_sizes=np.array([1, 1, 0.1, 0.0]))
  x = both.rounded([[3.2, -0.9, -0.07, 0.123], [3.9, 0.7, 1.06, 4.0]])
  np.testing.assert_array_equal(x, [[4.0, 0.0, 0.0, 0.123], [4.0, 1.0, 1.0, 4.0]])
