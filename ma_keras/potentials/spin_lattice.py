"""A potential of soft spins on a torus: convolutions of a saturated field, exact Laplacian."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ma_keras import seeds
from ma_keras.arguments import is_finite, is_whole
from ma_keras.potentials.even_layer import EvenLayer
from ma_keras.potentials.time_basis import Basis, time_derivative


class SpinLattice(EvenLayer):
  """phi(t, x) = sum_c a_c(t) sum_i e_c(y_ci), y_c = w_c * m, m = tanh(s x) at every site.

  e_c(y) = ln cosh(y + b_c) + ln cosh(y - b_c). Where x is the field of Ising spins, m is their mean
  given x (s = 1); in a double well it says which one a site is in. Units of `Lattice` see sums of
  x, in which one large value hides the signs of its neighbours; units here count signs. Symmetric
  as `Lattice` is: m is odd in x. With g = sum_c a_c w_c * e'_c and w_c^2 squared value by value

    grad phi      = s (1 - m^2) g,
    laplacian phi = s^2 sum_i (1 - m_i^2) [(1 - m_i^2) (sum_c a_c w_c^2 * e''_c)_i - 2 m_i g_i],

  at half as many convolutions again as `Lattice` of equal channels.

  Attributes:
    torus: The tables of the L x L torus.
    kernel: w, one value per orbit of offsets, variable [C, R]; fewer if they have a `reach`; with a
      layer basis its coefficients, [K, C, R].
    reach: How many rows and columns the kernels go; L // 2 is all of the torus.
    bias: b, variable [C], or [K, C].
    gain: s, variable [1], or [K, 1].
    amplitude: a, variable [C]; with a time basis its coefficients, [K, C].
    time_basis: How the amplitudes vary in time, or None.
    layer_basis: How kernels, biases and the gain do, or None.
  """

  self_contained = True

  def __init__(
    self,
    side: int,
    channels: int,
    time_basis: Basis | None = None,
    kernel_range: float = 2.0,
    reach: int | None = None,
    dtype: tf.DType = tf.float32,
    seed: int | None = None,
    context_size: int | None = None,
    name: str | None = None,
    layer_basis: Basis | None = None,
  ) -> None:
    """Draws w, b and a as `Lattice` does; s = 1.

    Args:
      side: L; N = L^2.
      channels: C.
      time_basis: Makes the amplitudes functions of time; they start constant, at 0.01 draws.
      kernel_range: How far the first kernels reach, in sites; training may extend them.
      reach: Rows and columns that they can go at all, up to L // 2; None: all of the torus.
      dtype: Floating dtype of the variables.
      seed: Integer that makes the initial values reproducible; None draws fresh ones.
      context_size: C', where phi depends on a context.
      name: Module name.
      layer_basis: Makes kernels, biases and the gain functions of time; they start constant.

    Raises:
      ValueError: A number is out of range.
    """
    super().__init__(side, time_basis, reach, context_size, name, layer_basis)
    if not is_whole(channels) or not is_finite(kernel_range) or kernel_range <= 0:
      raise ValueError(
        '`channels` must be a positive integer and `kernel_range` positive, got '
        f'{channels!r} and {kernel_range!r}. Ten channels are a good start.'
      )
    channels = int(channels)
    first, second = seeds.split(seeds.fresh() if seed is None else seed, 2, salt='spin_lattice')
    self._start((channels, channels), kernel_range, (first, second), dtype)
    self.gain = self._weights(tf.ones([1], dtype), 'gain')

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    return {
      'side': self.torus.side,
      'channels': self.kernel.shape[-2],
      'time_basis': self.time_basis,
      'layer_basis': self.layer_basis,
      'reach': self.reach,
      'context_size': self.context_size,
    }

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(t, x), shape [...]."""
    layer = self._layer_at(t)
    values = tf.reduce_sum(layer._values(layer._hidden(tf.tanh(layer.gain * x))), axis=-1)
    return tf.reduce_sum(self._amplitude(t) * values, axis=-1)

  def _time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    if self.layer_basis is not None:
      return super()._time_derivative(t, x)
    return time_derivative(self, t, x)

  def _layer(self) -> dict[str, tf.Tensor | tf.Variable]:
    return {**super()._layer(), 'gain': self.gain}

  def _pointwise(self) -> tuple[tuple[tf.Variable, Basis | None], ...]:
    return *super()._pointwise(), (self.gain, self.layer_basis)

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return self._gradient_and_laplacian(t, x)[0]

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    layer, amplitude = self._layer_at(t), self._amplitude(t)[..., tf.newaxis]
    m = tf.tanh(layer.gain * x)
    slope, curvature = layer._slopes(layer._hidden(m))
    squared = self.torus.spectrum(tf.square(tf.convert_to_tensor(layer.kernel)))
    by_spins = self._convolved(amplitude * layer._spectra(), slope)
    second = self._convolved(amplitude * squared, curvature)
    rate = layer.gain * (1.0 - tf.square(m))  # dm/dx.
    bends = tf.square(rate) * second - 2.0 * layer.gain * m * rate * by_spins
    return rate * by_spins, tf.reduce_sum(bends, axis=-1)

  def _convolved(self, spectra: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """sum_c w_c * v_c, [..., N], by spectra [..., C, N] and values [..., C, N]."""
    return self.torus.transform(tf.reduce_sum(spectra * self.torus.transform(values), axis=-2))
