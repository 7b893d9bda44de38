"""What properties are asked of: the same few examples every time, shapes, seeds and points."""

import hypothesis
import numpy as np
import tensorflow as tf
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**31 - 1)
LEADING = st.lists(st.integers(0, 3), max_size=3)
DTYPES = st.sampled_from([tf.float32, tf.float64])


def examples(count):
  """Equal in every run and on every machine; nothing is kept between runs."""
  return hypothesis.settings(
    max_examples=count, deadline=None, derandomize=True, database=None, print_blob=False
  )


def points(*shape, seed=0, magnitude=1.0, dtype=tf.float64):
  """Normal draws of that size, new tensors at every call: TFP's cache knows nothing of them."""
  return tf.constant(magnitude * np.random.default_rng(seed).normal(size=shape), dtype)
