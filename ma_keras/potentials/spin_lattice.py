"""A potential of soft spins on a torus: convolutions of a saturated field, exact Laplacian."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from ma_keras.potentials.lattice import Lattice
from ma_keras.potentials.time_basis import Basis


class SpinLattice(Lattice):
  """phi(t, x) = sum_c a_c(t) sum_i e_c(y_ci), y_c = w_c * m, m = tanh(s x) at every site.

  e_c(y) = ln cosh(y + b_c) + ln cosh(y - b_c). Where x is the field of Ising spins, m is their mean
  given x (s = 1); in a double well it says which one a site is in. Units of `Lattice` see sums of
  x, in which one large value hides the signs of its neighbours; here no site weighs more than
  another. Symmetric as `Lattice` is: m is odd in x. With g = sum_c a_c w_c * e'_c and w_c^2 squared
  value by value

    grad phi      = s (1 - m^2) g,
    laplacian phi = s^2 sum_i (1 - m_i^2) [(1 - m_i^2) (sum_c a_c w_c^2 * e''_c)_i - 2 m_i g_i],

  at half as many convolutions again as `Lattice` of equal channels, whose arguments and attributes
  these are.

  Attributes:
    gain: s, variable [1], or [K, 1] with a layer basis; it starts at 1.
  """

  self_contained = True
  _salt = 'spin_lattice'

  def _start(
    self,
    sizes: tuple[int, int],
    kernel_range: float,
    seeds: Sequence[tf.Tensor],
    dtype: tf.DType,
  ) -> None:
    """Draws w, b and a as `Lattice` does; s = 1."""
    super()._start(sizes, kernel_range, seeds, dtype)
    self.gain = self._weights(tf.ones([1], dtype), 'gain')

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(t, x), shape [...]."""
    layer = self._layer_at(t)
    values = tf.reduce_sum(layer._values(layer._hidden(tf.tanh(layer.gain * x))), axis=-1)
    return tf.reduce_sum(self._amplitude(t) * values, axis=-1)

  def _time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return super()._time_derivative(t, x)  # Linear in a(t), too.

  def _layer(self) -> dict[str, tf.Tensor | tf.Variable]:
    return {**super()._layer(), 'gain': self.gain}

  def _pointwise(self) -> tuple[tuple[tf.Variable, Basis | None], ...]:
    return *super()._pointwise(), (self.gain, self.layer_basis)

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
