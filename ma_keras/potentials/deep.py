"""Gradient, exact Laplacian and time derivative of a stack of dense layers, without tapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from ma_keras.potentials.activations import Derivatives, Jet
from ma_keras.potentials.linear import apply_kernel


class Layer(NamedTuple):
  """h_k = act(z_k), z_k = W_k' h_(k-1) + b_k.

  Attributes:
    kernel: W_k, [H_(k-1), H_k].
    bias: b_k, [H_k]; None without bias.
    jet: z -> (act, act', act'').
  """

  kernel: tf.Tensor
  bias: tf.Tensor | None
  jet: Jet


class Network(NamedTuple):
  """phi = a . h_n, with h_0 = x or (x, t).

  Attributes:
    layers: At least one.
    amplitude: a, [H_n].
    event_size: N, the number of leading inputs to differentiate by; the others (the time) are
      parameters.
  """

  layers: Sequence[Layer]
  amplitude: tf.Tensor
  event_size: int


def value(network: Network, inputs: tf.Tensor) -> tf.Tensor:
  """phi = a . h_n, shape [...].

  Args:
    network: The layers.
    inputs: h_0, shape [..., N] or [..., N + 1].
  """
  return tf.reduce_sum(network.amplitude * _forward(network, inputs)[-1][0], axis=-1)


def gradient(network: Network, inputs: tf.Tensor) -> tf.Tensor:
  """grad phi = W_1 (s_1 g_1), g_(k-1) = W_k (s_k g_k), g_n = a, with s_k = act'(z_k).

  Args:
    network: The layers.
    inputs: h_0, shape [..., N] or [..., N + 1].

  Returns:
    Shape [..., N].
  """
  return _rates(network, inputs)[..., : network.event_size]


def time_derivative(network: Network, inputs: tf.Tensor) -> tf.Tensor:
  """d phi/dt, [...], of a network whose input N is the time: the next entry of the reverse pass.

  Within one graph the pass is shared with that of the gradient and the Laplacian.

  Args:
    network: The layers.
    inputs: h_0 = (x, t), shape [..., N + 1], perhaps with a context after them.
  """
  return _rates(network, inputs)[..., network.event_size]


def gradient_and_laplacian(network: Network, inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """laplacian phi = sum_k sum_j g_kj act''(z_kj) |grad z_kj|^2, with g_k = d phi / d h_k.

  Laplacians go forward linearly, lap h_k = act'(z_k) lap z_k + act''(z_k) |grad z_k|^2 and
  lap z_(k+1) = W' lap h_k. The reverse pass that gives grad phi therefore also weighs the source
  of every unit, and only the squares |grad z_k|^2 are left to be carried forward.

  Args:
    network: The layers.
    inputs: h_0, shape [..., N] or [..., N + 1].

  Returns:
    grad phi, shape [..., N], and laplacian phi, shape [...].
  """
  jets = _forward(network, inputs)
  squares = _squared_gradients(network, [slope for _, slope, _ in jets])
  rates, laplacian = network.amplitude, tf.zeros_like(inputs[..., 0])
  for layer, (_, slope, curvature), square in zip(*map(reversed, (network.layers, jets, squares))):
    laplacian += tf.reduce_sum(rates * curvature * square, axis=-1)
    rates = apply_kernel(rates * slope, layer.kernel, transpose=True)
  return rates[..., : network.event_size], laplacian


def _rates(network: Network, inputs: tf.Tensor) -> tf.Tensor:
  """d phi / d h_0, shape of the inputs."""
  rates = network.amplitude
  for layer, (_, slope, _) in zip(reversed(network.layers), reversed(_forward(network, inputs))):
    rates = apply_kernel(rates * slope, layer.kernel, transpose=True)
  return rates


def _forward(network: Network, inputs: tf.Tensor) -> list[Derivatives]:
  """(h_k, act'(z_k), act''(z_k)) of every layer, each of shape [..., H_k]."""
  jets, h = [], inputs
  for layer in network.layers:
    z = apply_kernel(h, layer.kernel)
    jets.append(layer.jet(z if layer.bias is None else z + layer.bias))
    h = jets[-1][0]
  return jets


def _squared_gradients(network: Network, slopes: Sequence[tf.Tensor]) -> list[tf.Tensor]:
  """|grad z_k|^2 = the diagonal of A_k' B_k: the sum over r of A_k[r] B_k[r], shape [..., H_k].

  The factors go forward alike, A_(k+1) = A_k diag(s_k) W_(k+1), and start from any pair with
  A_1' B_1 = W_1' W_1, the Gram matrix of the gradients of z_1.
  """
  first, *later = network.layers
  kernel = first.kernel[: network.event_size]
  squares = [tf.reduce_sum(tf.square(kernel), axis=0)]
  factors: list[tf.Tensor] = []
  for layer, slope in zip(later, slopes):
    if factors:
      factors = [_advance(factor, slope, layer.kernel) for factor in factors]
    else:
      factors = _second_layer(kernel, slope, layer.kernel, depth=len(network.layers))
    squares.append(tf.reduce_sum(factors[0] * factors[-1], axis=-2))
  return squares


def _second_layer(
  first: tf.Tensor, slope: tf.Tensor, second: tf.Tensor, depth: int
) -> list[tf.Tensor]:
  """The factors of z_2: one, of N rows, if A = B, or two of H_1 rows, shapes [..., rows, H_2].

  A_1 = B_1 = W_1 takes N rows. For H_1 < N there is A_1 = 1, B_1 = W_1' W_1: gradients in the
  coordinates z_1, with their metric. A square root of the metric would do with one factor, but
  those of QR and Cholesky have no derivative where W_1 loses rank (a dead or a doubled unit);
  the metric itself is a polynomial in W_1. The identity costs nothing at this layer, and one
  more product at each later one.
  """
  event_size, width = first.shape
  if (depth - 1) * event_size <= (2 * depth - 3) * width:
    return [_advance(first, slope, second)]
  metric = tf.matmul(first, first, transpose_a=True)
  return [slope[..., tf.newaxis] * second, _advance(metric, slope, second)]


def _advance(factor: tf.Tensor, slope: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
  """A diag(s) W: [..., R, H] or [R, H] becomes [..., R, H']."""
  return apply_kernel(factor * slope[..., tf.newaxis, :], kernel)
