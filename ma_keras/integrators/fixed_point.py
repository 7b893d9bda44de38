"""Fixed-point iteration: it solves the stage equations of implicit methods, and their adjoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

Nest = Any


def fixed_point(
  once: Callable[[Nest], Nest],
  start: Nest,
  movement: Callable[[Nest, Nest], tf.Tensor],
  iterations: int,
) -> Nest:
  """x = once(x), by iteration from `start` until nothing moves by more than rounding.

  Args:
    once: x -> x, a nest of tensors.
    start: First guess.
    movement: (x, once(x)) -> how far the last iteration moved, as a fraction of what moved, [].
    iterations: At most so many.

  Returns:
    The last x.
  """

  def go_on(_: Nest, moved: tf.Tensor) -> tf.Tensor:
    return moved > 2.0 * np.finfo(moved.dtype.as_numpy_dtype).eps  # Not so where it is NaN.

  def advance(x: Nest, _: tf.Tensor) -> tuple[Nest, tf.Tensor]:
    better = once(x)
    return better, tf.stop_gradient(movement(x, better))

  dtype = tf.nest.flatten(start)[0].dtype
  first = (start, tf.constant(np.inf, dtype))
  return tf.while_loop(go_on, advance, first, maximum_iterations=iterations)[0]


def largest(x: tf.Tensor) -> tf.Tensor:
  """max |x|, []."""
  return tf.reduce_max(tf.abs(x))
