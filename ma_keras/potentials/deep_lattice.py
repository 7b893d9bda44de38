"""Two layers on a torus: symmetric by construction, with an exact Laplacian."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras import seeds
from ma_keras.potentials import activations
from ma_keras.potentials.even_layer import EvenLayer
from ma_keras.potentials.time_basis import Basis, time_derivative

_SOFTPLUS = activations.get_jet('softplus')


class DeepLattice(EvenLayer):
  """phi(t, x) = sum_m a_m(t) sum_i softplus(y_mi), y_mi = sum_c W_mc e_c(z_ci) + d_m.

  Here z_c = w_c * x. The first layer e_c(z) = ln cosh(z + b_c) + ln cosh(z - b_c) is even, hence
  Z2; kernels that D4 leaves alone make it 8 L^2 more. With p = softplus'(y), q = softplus''(y), at
  every site

    d phi/d z_c = e'_c(z_c) sum_m W_mc a_m p_m,   grad phi = sum_c w_c * (d phi/d z_c),
    laplacian phi = sum_i [sum_c |w_c|^2 e''_c sum_m W_mc a_m p_m
                           + sum_m a_m q_m sum_cd W_mc W_md (w_c . w_d) e'_c e'_d],

  for grad z_ci . grad z_di = w_c . w_d at every site i: C^2 products instead of N passes.

  Attributes:
    torus: The tables of the L x L torus.
    kernel: w, one value per orbit of offsets, variable [C, R]; fewer if they have a `reach`; with a
      layer basis its coefficients, [K, C, R].
    reach: How many rows and columns the kernels go; L // 2 is all of the torus.
    bias: b, variable [C], or [K, C].
    mixing: W, variable [M, C], or [K, M, C].
    offset: d, variable [M], or [K, M].
    amplitude: a, variable [M]; with a time basis its coefficients, [K, M].
    time_basis: How the amplitudes vary in time, or None.
    layer_basis: How both layers do, or None.
  """

  self_contained = True

  def __init__(
    self,
    side: int,
    channels: int,
    units: int,
    time_basis: Basis | None = None,
    kernel_range: float = 2.0,
    reach: int | None = None,
    dtype: tf.DType = tf.float32,
    seed: int | None = None,
    context_size: int | None = None,
    name: str | None = None,
    layer_basis: Basis | None = None,
  ) -> None:
    """Draws w as `Lattice` does, W ~ Normal(0, 1/C), a ~ Normal(0, 0.01^2); d = 0.

    Args:
      side: L; N = L^2.
      channels: C, of the first layer.
      units: M, of the second.
      time_basis: Makes the amplitudes functions of time; they start constant.
      kernel_range: How far the first kernels reach, in sites; training may extend them.
      reach: Rows and columns that they can go at all, up to L // 2; None: all of the torus.
      dtype: Floating dtype of the variables.
      seed: Integer that makes the initial values reproducible; None draws fresh ones.
      context_size: C', where phi depends on a context.
      name: Module name.
      layer_basis: Makes both layers functions of time; they start constant.

    Raises:
      ValueError: A number is out of range.
    """
    super().__init__(side, time_basis, reach, context_size, name, layer_basis)
    if min(channels, units) < 1 or not kernel_range > 0:
      raise ValueError(
        '`channels`, `units` and `kernel_range` must be positive, got '
        f'{channels}, {units} and {kernel_range}. Six, six and 2.0 are a good start.'
      )
    keys = seeds.split(seeds.fresh() if seed is None else seed, 3, salt='deep_lattice')
    self._start((channels, units), kernel_range, (keys[0], keys[2]), dtype)
    normal = tf.random.stateless_normal([units, channels], keys[1], dtype=dtype)
    self.mixing = self._weights(normal / np.sqrt(channels), 'mixing')
    self.offset = self._weights(tf.zeros([units], dtype), 'offset')

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    return {
      'side': self.torus.side,
      'channels': self.kernel.shape[-2],
      'units': self.offset.shape[-1],
      'time_basis': self.time_basis,
      'layer_basis': self.layer_basis,
      'reach': self.reach,
      'context_size': self.context_size,
    }

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(t, x), shape [...]."""
    layer = self._layer_at(t)
    value, _, _ = _SOFTPLUS(layer._second(layer._values(layer._hidden(x))))
    return tf.reduce_sum(self._amplitude(t) * tf.reduce_sum(value, axis=-1), axis=-1)

  def _time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    if self.layer_basis is not None:
      return super()._time_derivative(t, x)
    return time_derivative(self, t, x)

  def _layer(self) -> dict[str, tf.Tensor | tf.Variable]:
    return {**super()._layer(), 'mixing': self.mixing, 'offset': self.offset}

  def _pointwise(self) -> tuple[tuple[tf.Variable, Basis | None], ...]:
    own = (self.mixing, self.layer_basis), (self.offset, self.layer_basis)
    return *super()._pointwise(), *own

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return self._gradient_and_laplacian(t, x)[0]

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    layer = self._layer_at(t)
    z = layer._hidden(x)
    slope, curvature = layer._slopes(z)
    _, p, q = _SOFTPLUS(layer._second(layer._values(z)))
    amplitude, mixing = self._amplitude(t)[..., tf.newaxis], tf.convert_to_tensor(layer.mixing)
    rates = tf.matmul(mixing, amplitude * p, transpose_a=True)  # d phi/d e, [..., C, N].
    spectral = layer._spectra() * self.torus.transform(rates * slope)
    metric = self.torus.inner_products(tf.convert_to_tensor(layer.kernel))
    first = tf.linalg.diag_part(metric)[:, tf.newaxis] * rates * curvature
    second = amplitude * q * self._squared_gradients(mixing, metric, slope)
    laplacian = tf.reduce_sum(first, axis=[-2, -1]) + tf.reduce_sum(second, axis=[-2, -1])
    return self.torus.transform(tf.reduce_sum(spectral, axis=-2)), laplacian

  def _squared_gradients(self, mixing: tf.Tensor, metric: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    """|grad y_mi|^2 = sum_cd W_mc W_md (w_c . w_d) e'_c e'_d, [..., M, N]: one product."""
    pairs = slope[..., :, tf.newaxis, :] * slope[..., tf.newaxis, :, :]
    shape = tf.concat([tf.shape(slope)[:-2], [metric.shape[0] ** 2, self.event_size]], axis=0)
    weights = mixing[:, :, tf.newaxis] * metric * mixing[:, tf.newaxis, :]
    return tf.matmul(tf.reshape(weights, [-1, metric.shape[0] ** 2]), tf.reshape(pairs, shape))

  def _second(self, first: tf.Tensor) -> tf.Tensor:
    """y, [..., M, N], of the first layer's e, [..., C, N]."""
    return tf.matmul(self.mixing, first) + tf.convert_to_tensor(self.offset)[:, tf.newaxis]
