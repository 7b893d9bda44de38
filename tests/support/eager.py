"""Flows without graphs: of a few steps, they are computed sooner than traced."""

import contextlib

import tensorflow as tf


@contextlib.contextmanager
def eagerly():
  """No tf.function is traced within, nor compiled: whatever is called runs as Python."""
  before = tf.config.functions_run_eagerly()
  tf.config.run_functions_eagerly(True)
  try:
    yield
  finally:
    tf.config.run_functions_eagerly(before)
