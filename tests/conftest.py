"""Seeds of every test, order of the files, and memory of a process that runs thousands of tests."""

import collections
import functools
import gc
import zlib
from unittest import mock

import numpy as np
import pytest
import tf_keras
from tensorflow.python.eager import context
from tensorflow.python.framework import ops
from tensorflow.python.util import tf_stack

from tests.support import eager

# TensorFlow takes down the Python stack at every operation of a graph, to say where one that fails
# was made: some per cent of the time of tests. Here all operations share the stack of the first.
tf_stack.extract_stack = functools.cache(tf_stack.extract_stack)


def pytest_xdist_auto_num_workers(config):
  """Four processes on two cores, for some tests wait for others; two where none does.

  A process takes 25 s of a core before its first test.
  """
  return 2 if config.option.markexpr == 'not slow' else 4


def pytest_collection_modifyitems(items):
  """Marks the apps in their own processes as slow; the file that takes longest begins.

  A worker takes whole files, and none is left with the longest one at the end.
  """
  weight: collections.Counter = collections.Counter()
  for item in items:
    apps = 'integration' in item.path.parts
    if apps:
      item.add_marker(pytest.mark.slow)
    weight[item.path] += 40 if apps else 10 if item.get_closest_marker('slow') else 1
  items.sort(key=lambda item: -weight[item.path])


@pytest.fixture(autouse=True)
def seeds_are_those_of_the_test(request):
  """Seeds Python, NumPy, TensorFlow and Keras by the test's id, whatever ran before it.

  TensorFlow would forget all kernels as well, and optimise every function that tests share anew: a
  sixth of the time of such files. New operations have new seeds, and so kernels of their own.
  """
  with mock.patch.object(context.pywrap_tfe, 'TFE_ContextClearCaches'):
    tf_keras.utils.set_random_seed(seed_of(request))


@pytest.fixture
def eagerly():
  """Runs a test without graphs, which are not what it is about."""
  with eager.eagerly():
    yield


@pytest.fixture
def rng(request):
  """NumPy's generator, seeded by the test's id."""
  return np.random.default_rng(seed_of(request))


def seed_of(request):
  return zlib.crc32(request.node.nodeid.encode())


@pytest.fixture(scope='module', autouse=True)
def graphs_are_forgotten():
  """Drops the graphs and the kernels of the file before, ten gigabytes in all.

  TensorFlow (2.21) keeps whatever graph a `tf.custom_gradient` was traced in for the life of the
  process, by the name of its gradient. They go when the next file begins: at the end of their own,
  pytest still holds the fixtures of its last test.
  """
  known = ops.gradient_registry._registry
  graphs = [name for name in known if name.startswith('CustomGradient-')]
  for name in graphs:
    del known[name]
  context.context().clear_kernel_cache()
  gc.collect()
  gc.freeze()  # What is left lives on: no later collection looks through it again.
