"""The running mean over rows is NumPy's weighted average of all rows together."""

import numpy as np
import tensorflow as tf

from ma_keras.training.row_mean import RowMean


def test_batches_add_up_to_the_average_of_their_rows(rng):
  values, weights = rng.normal(size=10), rng.integers(0, 3, 10).astype(np.float32)
  metric = RowMean('mean', dtype=tf.float64)

  @tf.function(input_signature=[tf.TensorSpec([None], tf.float64)] * 2, autograph=False)
  def add(values, weights):
    metric.update_state(values, weights)

  for rows in (slice(0, 7), slice(7, 10)):
    add(tf.constant(values[rows]), tf.constant(weights[rows], tf.float64))
  np.testing.assert_allclose(metric.result(), np.average(values, weights=weights), rtol=1e-12)
  assert not any(op.type == 'Assert' for op in add.get_concrete_function().graph.get_operations())


def test_rows_without_weights_count_once_each(rng):
  values, metric = rng.normal(size=10), RowMean('mean', dtype=tf.float64)
  metric.update_state(values)
  np.testing.assert_allclose(metric.result(), np.mean(values), rtol=1e-12)


def test_weights_in_a_column_are_those_of_the_rows(rng):
  values, weights = rng.normal(size=5), rng.uniform(size=5)
  metric = RowMean('mean', dtype=tf.float64)
  metric.update_state(tf.constant(values), weights[:, np.newaxis])
  np.testing.assert_allclose(metric.result(), np.average(values, weights=weights), rtol=1e-12)
