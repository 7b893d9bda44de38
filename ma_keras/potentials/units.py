"""What a fast flow needs to know of a one-hidden-layer potential."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from ma_keras.potentials.activations import Activation


class Units(NamedTuple):
  """phi = sum_j a_j act(z_j), z = W'x + b, in the coordinates of each step's frame.

  Attributes:
    kernel: W, [N, H].
    bias: b, [H]; zeros where the potential has none.
    amplitude: a, [H].
    curvature_weights: a_j |W_j|^2, [H]: laplacian phi = sum_j a_j |W_j|^2 act''(z_j).
    activation: act with its derivatives.
    at_rest: Whether all steps share one frame, that of x itself.
  """

  kernel: tf.Tensor
  bias: tf.Tensor
  amplitude: tf.Tensor
  curvature_weights: tf.Tensor
  activation: Activation
  at_rest: bool = True
