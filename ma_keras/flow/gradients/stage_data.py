"""Coefficients, values and cotangents of the stages of a one-hidden-layer flow in x."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf


class Coefficients(NamedTuple):
  """z = x M + b, q = a act'(z); velocity q M'; Laplacian sum_j w_j act''(z_j).

  Attributes:
    m: M, the kernel, [N, H].
    b: [1, H], or point by point, [B, H].
    w: Of every stage of the motion, [d, s, H].
    a: Of every stage, [d, s, H].
  """

  m: tf.Tensor
  b: tf.Tensor
  w: tf.Tensor
  a: tf.Tensor


class StageValues(NamedTuple):
  """Tensors of the forward pass that the backward pass needs, of some steps or one.

  Attributes:
    points: x of every stage, [steps, s, B, N]; in the dtype of the products where they are factors
      of those and no more.
    slopes: act'(z) of every stage, [steps, s, B, H].
    residuals: What tallies need, a pair [steps, ..., B, N] and [steps, ..., B] for each.
  """

  points: Any
  slopes: Any
  residuals: Any = ()


class Cotangents(NamedTuple):
  """Cotangents that flow back through the steps.

  Attributes:
    x, m: Of the points and of the kernel.
    b: Point by point, [B, H].
    w, a: Step by step, TensorArrays of [s, H].
    sources: Of tensors and variables of the rest, and of what tallies ask of the potential.
  """

  x: tf.Tensor
  m: tf.Tensor
  b: tf.Tensor
  w: tf.TensorArray
  a: tf.TensorArray
  sources: list[tf.Tensor]
