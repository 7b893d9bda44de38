"""Counts what TensorFlow computes: operations of matrix products, and numbers written."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf
from tensorflow.python.framework import op_callbacks

# Matrix products, each with the attribute that says if its first factor is transposed.
PRODUCTS = {'MatMul': 'transpose_a', 'BatchMatMulV2': 'adj_x'}

# Operations that write nothing: views of their inputs, and variables as they are.
VIEWS = {'ExpandDims', 'Identity', 'ReadVariableOp', 'Reshape', 'Squeeze'}


class Count(NamedTuple):
  """Work of some operations.

  Attributes:
    products: Floating-point operations of matrix products; [B, K] x [K, M] counts 2 B K M.
    written: Numbers in the outputs of all operations but those of `VIEWS`.
  """

  products: float
  written: float


def counted(work: Callable[[], Any]) -> Count:
  """Counts the operations of a call, one by one, in eager mode."""
  products = written = 0.0

  def callback(op_type: str | bytes, inputs: Any, attrs: Any, outputs: Any, *_: Any) -> None:
    nonlocal products, written
    name = op_type.decode() if isinstance(op_type, bytes) else op_type
    if name not in VIEWS:
      written += sum(math.prod(output.shape) for output in outputs if hasattr(output, 'shape'))
    if name in PRODUCTS:
      transposed = PRODUCTS[name] in attrs and attrs[attrs.index(PRODUCTS[name]) + 1]
      shared = inputs[0].shape[-2 if transposed else -1]
      products += 2.0 * shared * math.prod(outputs[0].shape)

  before = tf.config.functions_run_eagerly()
  tf.config.run_functions_eagerly(True)
  op_callbacks.add_op_callback(callback)
  try:
    work()
  finally:
    op_callbacks.remove_op_callback(callback)
    tf.config.run_functions_eagerly(before)
  return Count(products, written)
