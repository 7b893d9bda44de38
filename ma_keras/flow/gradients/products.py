"""Matrix products whose factors may be of a lower precision than everything else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Products:
  """x m with both factors rounded to another dtype.

  Attributes:
    dtype: That of the factors, bfloat16 perhaps; None for that of the state.
  """

  dtype: tf.DType | None = None

  def factor(self, m: tf.Tensor) -> tf.Tensor:
    """m as it enters a product."""
    return m if self.dtype is None else tf.cast(m, self.dtype)

  def of(self, state: tf.DType) -> tf.DType:
    """The dtype of the factors, given that of the state."""
    return self.dtype or state

  def __call__(
    self, x: tf.Tensor, m: tf.Tensor, state: tf.DType, transpose_a: bool = False
  ) -> tf.Tensor:
    """x m, or x' m, in the dtype of the state."""
    return tf.cast(tf.matmul(self.factor(x), self.factor(m), transpose_a=transpose_a), state)

  def between(self, function: Callable[..., Any]) -> Callable[..., Any]:
    """The elementwise work between two products, compiled as one piece for factors of their own.

    XLA has no products in bfloat16 on CPUs and widens them, so that a step with such products is
    not to be compiled whole. What lies between the products then takes longer than they do.
    """
    if self.dtype is None or tf.executing_eagerly():
      return function
    return tf.function(function, jit_compile=True, autograph=False)


def rows(x: tf.Tensor) -> tf.Tensor:
  """[..., H] -> [rows, H], as many products of a sum are gathered into one."""
  return tf.reshape(x, [-1, x.shape[-1]])
