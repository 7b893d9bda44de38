"""Memory of a process that runs thousands of tests."""

import gc

import pytest
from tensorflow.python.framework import ops


@pytest.fixture(scope='module', autouse=True)
def graphs_are_forgotten():
  """Drops the graphs of a file's tests, ten gigabytes in all.

  TensorFlow (2.21) keeps whatever graph a `tf.custom_gradient` was traced in for the life of the
  process, by the name of its gradient.
  """
  known = ops.gradient_registry._registry
  before = set(known)
  yield
  for name in set(known) - before:
    if name.startswith('CustomGradient-'):
      del known[name]
  gc.collect()
