"""Rows of many requests in few calls, each request with its own numbers."""

import asyncio

import numpy as np
import pytest
import tensorflow as tf

from ma_keras.serving.batcher import Batcher
from ma_keras.serving.limits import Limits
from ma_keras.serving.refusal import Refusal
from ma_keras.serving.servable import Servable, Signature
from ma_keras.serving.tensors import Field

FLOATS = np.dtype(np.float32)


def signature(function, **more):
  """A signature of rows of one number, which tells the batches that it gets."""
  fields = {name: Field(name, FLOATS, (None, 1)) for name in 'xy'}
  return Signature('f', {'x': fields['x']}, {'y': fields['y']}, function, **more)


def doubled(batches):
  def function(x):
    batches.append(np.array(x)[:, 0].tolist())
    return {'y': 2 * x}

  return function


def results(jobs, **limits):
  """Outputs or errors of (signature, rows) that are there before the first batch is taken."""

  async def run():
    batcher = Batcher(Limits(**limits))
    futures = [batcher.submit(s, {'x': np.array(x, np.float32)[:, None]}, len(x)) for s, x in jobs]
    batcher.start()
    outputs = await asyncio.gather(*futures, return_exceptions=True)
    batcher.stop()
    assert batcher.queued_rows == 0
    return [o if isinstance(o, Exception) else o['y'][:, 0].tolist() for o in outputs]

  return asyncio.run(run())


def test_requests_share_a_batch_and_get_their_own_rows():
  batches = []
  f = signature(doubled(batches))
  assert results([(f, [1, 2]), (f, [3]), (f, [4, 5, 6])]) == [[2, 4], [6], [8, 10, 12]]
  assert batches == [[1, 2, 3, 4, 5, 6]]


def test_a_long_request_is_cut_and_lets_short_ones_pass():
  batches = []
  f = signature(doubled(batches))
  rows = list(range(10))
  outputs = results([(f, rows), (f, [100])], max_batch_rows=4)
  assert outputs == [[2 * row for row in rows], [200]]
  assert batches[:2] == [[0, 1, 2, 3], [100, 4, 5, 6]] and max(map(len, batches)) <= 4


def test_signatures_take_turns():
  batches = []
  f, g = signature(doubled(batches)), signature(doubled(batches))
  results([(f, [1, 2]), (f, [3, 4]), (g, [5, 6]), (f, [7, 8])], max_batch_rows=2)
  assert batches[1] == [5, 6]


def test_a_compiled_function_meets_powers_of_two():
  batches = []
  f = signature(doubled(batches), is_compiled=True)
  assert results([(f, [1, 2]), (f, [3, 4, 5])]) == [[2, 4], [6, 8, 10]]
  assert batches == [[1, 2, 3, 4, 5, 5, 5, 5]]


@pytest.mark.parametrize('compiled', [True, False])
def test_a_saved_function_is_known_to_be_compiled(tmp_path, compiled):
  module = tf.Module()
  spec = [tf.TensorSpec([None, 1], tf.float32, name='x')]
  module.f = tf.function(lambda x: {'y': 2 * x}, input_signature=spec, jit_compile=compiled)
  tf.saved_model.save(module, str(tmp_path), signatures={'f': module.f})
  assert Servable(tmp_path).signatures['f'].is_compiled == compiled


def test_a_request_that_is_refused_fails_alone():
  def positive(x):
    tf.debugging.assert_positive(x)
    return {'y': 2 * x}

  f = signature(positive)
  good, bad, other = results([(f, [1, 2]), (f, [3, -4]), (f, [5])])
  assert (good, other) == ([2, 4], [10])
  assert isinstance(bad, Refusal) and bad.status == 400


def test_a_failure_of_the_model_reaches_all_of_its_batch_and_the_thread_lives():
  def broken(x):
    raise RuntimeError('broken')

  batches = []
  f, g = signature(broken), signature(doubled(batches))
  first, second, third = results([(f, [1]), (f, [2]), (g, [3])])
  assert isinstance(first, RuntimeError) and isinstance(second, RuntimeError) and third == [6]


def test_a_model_that_loses_rows_is_an_error():
  (error,) = results([(signature(lambda x: {'y': x[:1]}), [1, 2])])
  assert isinstance(error, RuntimeError) and 'does not return a row for each row' in str(error)


def test_what_nobody_waits_for_is_not_computed():
  batches = []
  f = signature(doubled(batches))

  async def run():
    batcher = Batcher(Limits())
    rows = {'x': np.ones([1, 1], np.float32)}
    gone, waiting = [batcher.submit(f, rows, 1) for _ in range(2)]
    gone.cancel()
    batcher.start()
    await waiting
    batcher.stop()

  asyncio.run(run())
  assert batches == [[1.0]]
