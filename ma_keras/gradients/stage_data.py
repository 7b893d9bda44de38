"""What the stages of a one-hidden-layer flow in x are made of, keep, and send back."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf


class Coefficients(NamedTuple):
  """z = x M + b, q = a act'(z); velocity q M'; Laplacian sum_j w_j act''(z_j).

  Attributes:
    m: M, the kernel, [N, H].
    b: [1, H].
    w: Of every stage of the motion, [d, s, H].
    a: Of every stage, [d, s, H].
  """

  m: tf.Tensor
  b: tf.Tensor
  w: tf.Tensor
  a: tf.Tensor


class Kept(NamedTuple):
  """What the backward pass needs of the forward one, some steps or one.

  Attributes:
    points: x of every stage, [steps, s, B, N]; in the dtype of the products if there is no rest.
    slopes: act'(z) of every stage, [steps, s, B, H].
    velocity_defects: sum_i e_i v_i for every row e of the tableau, [steps, rows, B, N].
    laplacian_defects: The same of the Laplacians, [steps, rows, B]. Both empty without stiffness.
  """

  points: Any
  slopes: Any
  velocity_defects: Any = ()
  laplacian_defects: Any = ()


class Cotangents(NamedTuple):
  """What flows back through the steps.

  Attributes:
    x, m: Of the points and of the kernel.
    b: Point by point, [B, H].
    w, a: Step by step, TensorArrays of [s, H].
    variables: Of the variables of the rest.
  """

  x: tf.Tensor
  m: tf.Tensor
  b: tf.Tensor
  w: tf.TensorArray
  a: tf.TensorArray
  variables: list[tf.Tensor]
