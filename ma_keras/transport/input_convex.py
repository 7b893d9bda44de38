"""A deep network that is convex by construction."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from ma_keras import seeds
from ma_keras.arguments import is_whole
from ma_keras.potentials.activations import logistic_curvature
from ma_keras.potentials.base import Potential
from ma_keras.potentials.linear import apply_kernel
from ma_keras.transport.positive import inverse_softplus


class InputConvex(Potential):
  """phi(x) = a . h_n, h_k = softplus(W_k' x + softplus(U_k)' h_(k-1) + b_k), a > 0: convex in x.

  With z_k = W_k'x + softplus(U_k)'h_(k-1) + b_k, g_k = d phi/d h_k >= 0 and J_k = dz_k/dx,

    grad phi = sum_k W_k (g_k s_k),   Hess phi = sum_k J_k' diag(g_k c_k) J_k,

  s_k = softplus'(z_k) and c_k = softplus''(z_k): a sum of squares, layer by layer, without tapes.
  Reference: Amos, Xu & Kolter, Input Convex Neural Networks (2017).

  Attributes:
    kernels: W_k, variables [N, H_k].
    passes: U_k, variables [H_(k-1), H_k], whose softplus is positive; none for the first layer.
    biases: b_k, variables [H_k].
    raw_amplitude: a = softplus of it, variable [H_n].
  """

  self_contained = True

  def __init__(
    self,
    event_size: int,
    hidden_units: Sequence[int] = (64, 64),
    dtype: tf.DType = tf.float32,
    seed: int | None = None,
    name: str | None = None,
  ) -> None:
    """Draws W_k ~ Normal(0, 1/N), b_k ~ Normal(0, 1); positive weights start at 1 / fan-in.

    Args:
      event_size: N.
      hidden_units: Widths H_1, ..., H_n.
      dtype: Floating dtype of the variables.
      seed: Integer that makes the initial values reproducible; None draws fresh ones.
      name: Module name.

    Raises:
      ValueError: There is no layer, or a width is not positive.
    """
    super().__init__(event_size, name)
    widths = tuple(hidden_units)
    if not widths or not all(map(is_whole, widths)):
      raise ValueError(f'`hidden_units` must hold positive widths, got {hidden_units!r}.')
    widths = tuple(map(int, widths))
    seed = seeds.fresh() if seed is None else seed
    keys = seeds.split(seed, 2 * len(widths), salt='input_convex')
    self.kernels = tuple(
      tf.Variable(
        event_size**-0.5 * tf.random.stateless_normal([event_size, width], key, dtype=dtype),
        name=f'kernel_{k}',
      )
      for k, (width, key) in enumerate(zip(widths, keys))
    )
    self.biases = tuple(
      tf.Variable(tf.random.stateless_normal([width], key, dtype=dtype), name=f'bias_{k}')
      for k, (width, key) in enumerate(zip(widths, keys[len(widths) :]))
    )
    self.passes = tuple(
      tf.Variable(_start([rows, columns], rows, dtype), name=f'pass_{k}')
      for k, (rows, columns) in enumerate(itertools.pairwise(widths), start=1)
    )
    self.raw_amplitude = tf.Variable(_start([widths[-1]], widths[-1], dtype), name='raw_amplitude')

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    return {
      'event_size': self.event_size,
      'hidden_units': [bias.shape[0] for bias in self.biases],
    }

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(x), shape [...]."""
    h = tf.nn.softplus(self._layers(x)[-1])
    return tf.reduce_sum(tf.nn.softplus(self.raw_amplitude) * h, axis=-1)

  def hessian_root(self, x: tf.Tensor) -> tf.Tensor:
    """V [..., N, H_1 + ... + H_n] with Hess phi = V V': J_k' (g_k c_k)^1/2 side by side."""
    layers, parts = self._layers(x), []
    shape = tf.concat([tf.shape(x)[:-1], tf.shape(self.kernels[0])], axis=0)
    jacobian = tf.broadcast_to(self.kernels[0], shape)  # J_1', [..., N, H_1].
    tiny = tf.constant(1e-30, x.dtype)  # The root of zero has no derivative.
    for k, (z, g) in enumerate(zip(layers, self._slopes(layers))):
      slope = tf.sigmoid(z)
      weights = tf.sqrt(tf.maximum(g * logistic_curvature(slope), tiny))
      parts.append(jacobian * weights[..., tf.newaxis, :])
      if k + 1 < len(layers):
        inner = tf.matmul(jacobian * slope[..., tf.newaxis, :], tf.nn.softplus(self.passes[k]))
        jacobian = self.kernels[k + 1] + inner
    return tf.concat(parts, axis=-1)

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return self._gradient_at(self._layers(x))

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    squares = tf.square(self.hessian_root(x))
    return self._gradient(t, x), tf.reduce_sum(squares, axis=[-2, -1])

  def _layers(self, x: tf.Tensor) -> list[tf.Tensor]:
    """z_1, ..., z_n, [..., H_k] each."""
    layers = [apply_kernel(x, self.kernels[0]) + self.biases[0]]
    for kernel, weights, bias in zip(self.kernels[1:], self._weights(), self.biases[1:]):
      h = tf.nn.softplus(layers[-1])
      layers.append(apply_kernel(x, kernel) + apply_kernel(h, weights) + bias)
    return layers

  def _slopes(self, layers: list[tf.Tensor]) -> list[tf.Tensor]:
    """g_1, ..., g_n, [..., H_k] each: d phi/d h_k."""
    slopes = [tf.ones_like(layers[-1]) * tf.nn.softplus(self.raw_amplitude)]
    for z, weights in zip(reversed(layers[1:]), reversed(self._weights())):
      slopes.insert(0, apply_kernel(slopes[0] * tf.sigmoid(z), weights, transpose=True))
    return slopes

  def _gradient_at(self, layers: list[tf.Tensor]) -> tf.Tensor:
    parts = [
      apply_kernel(g * tf.sigmoid(z), kernel, transpose=True)
      for g, z, kernel in zip(self._slopes(layers), layers, self.kernels)
    ]
    return functools.reduce(tf.add, parts)

  def _weights(self) -> list[tf.Tensor]:
    """softplus(U_k), positive."""
    return [tf.nn.softplus(weights) for weights in self.passes]


def _start(shape: Sequence[int], fan_in: int, dtype: tf.DType) -> tf.Tensor:
  """Values whose softplus is 1 / fan-in."""
  return inverse_softplus(tf.fill(shape, tf.constant(1.0 / fan_in, dtype)))
