"""Potentials of fields on a torus, symmetric by construction: all translations, D4, and Z2."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ma_keras import seeds
from ma_keras.arguments import is_finite, is_whole
from ma_keras.potentials.even_layer import EvenLayer
from ma_keras.potentials.time_basis import Basis, time_derivative


class Lattice(EvenLayer):
  """phi(t, x) = sum_c a_c(t) sum_i [ln cosh(z_ci + b_c) + ln cosh(z_ci - b_c)], z_c = w_c * x.

  With kernels w_c that D4 leaves alone, phi has all 8 L^2 symmetries of the torus and
  phi(-x) = phi(x), exactly and without averages. With u and v = tanh(z + b) and tanh(z - b),
  grad phi = sum_c a_c w_c * (u_c + v_c) and
  laplacian phi = sum_c a_c |w_c|^2 sum_i (2 - u_ci^2 - v_ci^2).

  Attributes:
    torus: The tables of the L x L torus.
    kernel: w, one value per orbit of offsets, variable [C, R]; fewer if they have a `reach`; with a
      layer basis its coefficients, [K, C, R].
    reach: How many rows and columns the kernels go; L // 2 is all of the torus.
    bias: b, variable [C], or [K, C].
    amplitude: a, variable [C]; with a time basis its coefficients, [K, C].
    time_basis: How the amplitudes vary in time, or None.
    layer_basis: How kernels and biases do, or None.
  """

  self_contained = True
  _salt = 'lattice'  # Names the draws of the first weights.

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
    """Draws w ~ Normal(0, 1) exp(-distance / `kernel_range`), |w| = 1; b evenly from 0 to 2.

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
      layer_basis: Makes kernels and biases functions of time; they start constant.

    Raises:
      ValueError: A number is out of range.
    """
    super().__init__(side, time_basis, reach, context_size, name, layer_basis)
    if not is_whole(channels) or not is_finite(kernel_range) or kernel_range <= 0:
      raise ValueError(
        '`channels` must be a positive integer and `kernel_range` positive, got '
        f'{channels!r} and {kernel_range!r}. Ten channels are a good start.'
      )
    seed = seeds.fresh() if seed is None else seed
    first, second = seeds.split(seed, 2, salt=self._salt)
    self._start((int(channels), int(channels)), kernel_range, (first, second), dtype)

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
    values = tf.reduce_sum(layer._values(layer._hidden(x)), axis=-1)
    return tf.reduce_sum(self._amplitude(t) * values, axis=-1)

  def _time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    if self.layer_basis is not None:
      return super()._time_derivative(t, x)
    return time_derivative(self, t, x)

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return self._gradient_and_laplacian(t, x)[0]

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    layer, amplitude = self._layer_at(t), self._amplitude(t)
    slope, curvature = layer._slopes(layer._hidden(x))
    weights = amplitude[..., tf.newaxis] * layer._spectra()
    gradient = tf.reduce_sum(weights * self.torus.transform(slope), axis=-2)
    norms = amplitude * self.torus.squared_norms(tf.convert_to_tensor(layer.kernel))
    curvatures = tf.reduce_sum(curvature, axis=-1)
    laplacian = tf.reduce_sum(norms * curvatures, axis=-1)
    return self.torus.transform(gradient), laplacian
