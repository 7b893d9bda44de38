"""Record of a one-hidden-layer potential that a fast flow needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import tensorflow as tf

from ma_keras.potentials.activations import Activation

if TYPE_CHECKING:
  from ma_keras.potentials.base import Potential


class Units(NamedTuple):
  """phi = sum_j a_j(t) act(z_j) + rest, z = W'x + b, in the coordinates of each step's frame.

  Attributes:
    kernel: W, [N, H].
    bias: b, [H]; zeros where the potential has none.
    amplitude: Times [...] -> a, [..., H].
    squared_norms: |W_j|^2, [H]: the Laplacian is sum_j a_j |W_j|^2 act''(z_j) + that of the rest.
    activation: act with its derivatives.
    steady: Whether the amplitudes do not vary in time.
    at_rest: Whether all steps share one frame, that of x itself.
    rest: What else there is in a sum, `self_contained`; None for nothing.
  """

  kernel: tf.Tensor
  bias: tf.Tensor
  amplitude: Callable[[tf.Tensor], tf.Tensor]
  squared_norms: tf.Tensor
  activation: Activation
  steady: bool = False
  at_rest: bool = True
  rest: Potential | None = None
