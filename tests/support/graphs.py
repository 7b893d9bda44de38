"""Compiled loops as plain graphs, which are run sooner than XLA compiles them."""

import contextlib
from unittest import mock

import tensorflow as tf


@contextlib.contextmanager
def without_xla():
  """Every tf.function made within is a graph, also where its author has XLA compile it."""
  function = tf.function

  def graph(*arguments, jit_compile=None, **options):
    return function(*arguments, **options)

  with mock.patch.object(tf, 'function', graph):
    yield
