"""What the stages of a one-hidden-layer flow are made of, keep, and send back."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf


class Coefficients(NamedTuple):
  """z = Y M + c, q = a act'(z); velocity q M', or q; Laplacian sum_j a_j n_j act''(z_j).

  Attributes:
    m: M, [K, H].
    c: [1, H], or point by point [B, H].
    a: Of every stage of the motion, [d, s, H].
    n: Squared norms of the columns of W, [H].
  """

  m: tf.Tensor
  c: tf.Tensor
  a: tf.Tensor
  n: tf.Tensor


class Kept(NamedTuple):
  """What the backward pass needs of the forward one, some steps or one.

  Attributes:
    points: Y of every stage, [steps, s, B, K]; in the dtype of the products if there is no rest.
    slopes: act'(z) of every stage, [steps, s, B, H].
    velocity_defects: sum_i e_i v_i for every row e of the tableau, [steps, rows, B, K].
    laplacian_defects: The same of the Laplacians, [steps, rows, B]. Both empty without stiffness.
  """

  points: Any
  slopes: Any
  velocity_defects: Any = ()
  laplacian_defects: Any = ()


class Cotangents(NamedTuple):
  """What flows back through the steps.

  Attributes:
    y, m, n: Of the state and of the coefficients of that name.
    c: Point by point, [B, H].
    a: Step by step, a TensorArray of [s, H].
    variables: Of the variables of the rest.
  """

  y: tf.Tensor
  m: tf.Tensor
  c: tf.Tensor
  a: tf.TensorArray
  n: tf.Tensor
  variables: list[tf.Tensor]
