"""Potentials that are convex by construction."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from ma_keras import seeds
from ma_keras.arguments import is_whole
from ma_keras.potentials import activations
from ma_keras.potentials.base import Potential
from ma_keras.potentials.linear import apply_kernel


class ConvexLayer(Potential):
  """phi(x) = sum_j a_j act(z_j), z = W'x + b, with a_j = softplus(alpha_j) > 0 and act convex.

  Hess phi = W diag(a act''(z)) W' = V V' with V = W diag(a act''(z))^1/2.

  Attributes:
    kernel: W, variable [N, H].
    bias: b, variable [H].
    raw_amplitude: alpha, variable [H].
  """

  self_contained = True

  def __init__(
    self,
    event_size: int,
    hidden_units: int,
    activation: str = 'softplus',
    dtype: tf.DType = tf.float32,
    seed: int | None = None,
    name: str | None = None,
  ) -> None:
    """Draws W ~ Normal(0, 1/N) and b ~ Normal(0, 1); a starts at 1/H: a gentle map.

    Args:
      event_size: N.
      hidden_units: H, a positive integer.
      activation: 'softplus' or 'log_cosh', both convex.
      dtype: Floating dtype of the variables.
      seed: Integer that makes the initial values reproducible; None draws fresh ones.
      name: Module name.

    Raises:
      ValueError: A size is not positive or the activation is unknown.
    """
    super().__init__(event_size, name)
    if not is_whole(hidden_units):
      raise ValueError(f'`hidden_units` must be a positive integer, got {hidden_units!r}.')
    self._activation = activations.get(activation)
    seed = seeds.fresh() if seed is None else seed
    first, second = seeds.split(seed, 2, salt='convex_layer')
    shape, hidden_units = [self.event_size, int(hidden_units)], int(hidden_units)
    drawn = tf.random.stateless_normal(shape, first, dtype=dtype)
    self.kernel = tf.Variable(event_size**-0.5 * drawn, name='kernel')
    self.bias = tf.Variable(
      tf.random.stateless_normal([hidden_units], second, dtype=dtype), name='bias'
    )
    self.raw_amplitude = tf.Variable(
      _inverse_softplus([hidden_units], hidden_units, dtype), name='raw_amplitude'
    )

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    return {
      'event_size': self.event_size,
      'hidden_units': self.kernel.shape[1],
      'activation': self._activation.name,
    }

  @property
  def amplitude(self) -> tf.Tensor:
    """a, [H], positive."""
    return tf.nn.softplus(self.raw_amplitude)

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(x), shape [...]."""
    return tf.reduce_sum(self.amplitude * self._activation.value(self._hidden(x)), axis=-1)

  def hessian_root(self, x: tf.Tensor) -> tf.Tensor:
    """V [..., N, H] with Hess phi = V V'."""
    curvature = self._activation.curvature(self._activation.slope(self._hidden(x)))
    # Far from its bend a unit has no curvature, and the root of zero no derivative.
    tiny = tf.constant(tf.as_dtype(x.dtype).as_numpy_dtype(1e-30), x.dtype)
    weights = tf.sqrt(tf.maximum(self.amplitude * curvature, tiny))
    return self.kernel * weights[..., tf.newaxis, :]

  def _hidden(self, x: tf.Tensor) -> tf.Tensor:
    return apply_kernel(x, self.kernel) + self.bias

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    slope = self._activation.slope(self._hidden(x))
    return apply_kernel(self.amplitude * slope, self.kernel, transpose=True)

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    slope = self._activation.slope(self._hidden(x))
    gradient = apply_kernel(self.amplitude * slope, self.kernel, transpose=True)
    weights = self.amplitude * tf.reduce_sum(tf.square(self.kernel), axis=0)
    return gradient, tf.reduce_sum(weights * self._activation.curvature(slope), axis=-1)


class InputConvex(Potential):
  """phi(x) = a . h_n, h_k = softplus(W_k' x + softplus(U_k)' h_(k-1) + b_k), a > 0: convex in x.

  Reference: Amos, Xu & Kolter, Input Convex Neural Networks (2017). Derivatives come from tapes.

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
      tf.Variable(_inverse_softplus([rows, columns], rows, dtype), name=f'pass_{k}')
      for k, (rows, columns) in enumerate(itertools.pairwise(widths), start=1)
    )
    self.raw_amplitude = tf.Variable(
      _inverse_softplus([widths[-1]], widths[-1], dtype), name='raw_amplitude'
    )

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    return {
      'event_size': self.event_size,
      'hidden_units': [bias.shape[0] for bias in self.biases],
    }

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(x), shape [...]."""
    h = tf.nn.softplus(apply_kernel(x, self.kernels[0]) + self.biases[0])
    for kernel, passed, bias in zip(self.kernels[1:], self.passes, self.biases[1:]):
      z = apply_kernel(x, kernel) + apply_kernel(h, tf.nn.softplus(passed)) + bias
      h = tf.nn.softplus(z)
    return tf.reduce_sum(tf.nn.softplus(self.raw_amplitude) * h, axis=-1)


def _inverse_softplus(shape: Sequence[int], fan_in: int, dtype: tf.DType) -> tf.Tensor:
  """Values whose softplus is 1 / fan-in."""
  return tf.math.log(tf.math.expm1(tf.fill(shape, tf.constant(1.0 / fan_in, dtype))))
