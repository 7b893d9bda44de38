"""Arrays as tf_keras is to read them: of their own dtype, and refused by the first bad row."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras.training import inputs

X = np.random.default_rng(0).normal(size=(10, 3))


@pytest.mark.parametrize('name', ['float16', 'float32', 'float64', 'uint8', 'int64', 'bool'])
@pytest.mark.parametrize('order', ['<', '>'])
def test_numbers_keep_their_dtype_and_machines_their_order(name, order):
  x = (3 * X).astype(np.dtype(name).newbyteorder(order))
  (found,) = inputs.prepared(x, event_size=3).values()
  assert found.dtype == (tf.uint8 if name == 'bool' else tf.as_dtype(name))
  np.testing.assert_array_equal(found, x.astype(found.dtype.as_numpy_dtype))


def test_what_is_wider_than_double_precision_is_rounded_to_it():
  (found,) = inputs.prepared(X.astype(np.longdouble), event_size=3).values()
  assert found.dtype == tf.float64
  np.testing.assert_array_equal(found, X)


def test_bad_rows_are_counted_and_the_first_is_named():
  x = X.copy()
  x[4, 1], x[7, 0], x[7, 2] = np.nan, np.inf, -np.inf
  with pytest.raises(ValueError, match=r'`x` holds NaN .* in 2 of 10 rows, the first .* row 4:'):
    inputs.prepared(x, event_size=3)
  weights = np.ones(10)
  weights[[2, 8]] = np.nan
  with pytest.raises(ValueError, match=r'`sample_weight` holds NaN .* in 2 of 10 rows, .* row 2:'):
    inputs.prepared(X, weights=weights, event_size=3)
