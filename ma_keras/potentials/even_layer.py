"""Convolutions on a torus that pass through even units: what lattice potentials share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from ma_keras.arguments import is_whole
from ma_keras.potentials import contexts
from ma_keras.potentials.activations import log_cosh
from ma_keras.potentials.base import Potential
from ma_keras.potentials.time_basis import Basis, amplitudes, starting, tabulated
from ma_keras.potentials.torus import Torus


class EvenLayer(Potential):
  """e_c(z_ci) = ln cosh(z_ci + b_c) + ln cosh(z_ci - b_c), z_c = w_c * x, at every site i.

  Unchanged by x -> -x; translations and D4 permute its sites. With u and v = tanh(z + b) and
  tanh(z - b), e' = u + v and e'' = 2 - u^2 - v^2. Subclasses say what phi makes of it. A context c
  shifts their amplitudes, a + V'c, and leaves every symmetry.

  Attributes:
    torus: The tables of the L x L torus.
    kernel: w, one value per orbit of offsets, variable [C, R]; fewer if they have a `reach`.
    reach: How many rows and columns the kernels go; L // 2 is all of the torus.
    bias: b, variable [C].
    amplitude: Of whatever units come last, variable [M]; with a time basis [K, M].
    time_basis: How the amplitudes vary in time, or None.
    context_kernel: V, variable [C', M] of contexts [C']; None without.
  """

  def __init__(
    self,
    side: int,
    time_basis: Basis | None,
    reach: int | None,
    context_size: int | None,
    name: str | None,
  ) -> None:
    """Tables alone; `_start` makes the variables.

    Raises:
      ValueError: The torus is no torus, or too small for that reach.
    """
    self.torus = Torus(side)
    reach = side // 2 if reach is None else reach
    if not is_whole(reach, 0) or reach > side // 2:
      raise ValueError(
        f'`reach` must be an integer from 0 to L // 2 = {side // 2}, got {reach!r}; None: all.'
      )
    super().__init__(side**2, name, context_size)
    self.time_basis, self.reach = time_basis, int(reach)
    self._prepared_spectra: tf.Tensor | None = None
    self._prepared_shift: tf.Tensor | None = None

  def _start(
    self,
    sizes: tuple[int, int],
    kernel_range: float,
    seeds: Sequence[tf.Tensor],
    dtype: tf.DType,
  ) -> None:
    """Draws C kernels and M amplitudes (`sizes`) with one seed each; b evenly from 0 to 2.

    V ~ Normal(0, 0.01^2 / C'), by the seed of the amplitudes.
    """
    channels, units = sizes
    shape = channels, self.torus.within(self.reach)
    kernels = self.torus.draw_kernels(shape, kernel_range, seeds[0], dtype)
    self.kernel = tf.Variable(kernels, name='kernel')
    self.bias = tf.Variable(tf.linspace(tf.zeros([], dtype), 2.0, channels), name='bias')
    amplitudes = 0.01 * tf.random.stateless_normal([units], seeds[1], dtype=dtype)
    self.amplitude = tf.Variable(starting(self.time_basis, amplitudes), name='amplitude')
    self.context_kernel = contexts.kernel(self.context_size, [units], dtype, seeds[1], scale=0.01)

  def start_from(self, smaller: EvenLayer) -> None:
    """Takes the weights of a potential of this kind trained on a smaller torus.

    Raises:
      ValueError: It has other layers or another basis of time, is larger, or its kernels are.
    """
    variables, sources = self._pointwise(), smaller._pointwise()
    shapes = [tuple(variable.shape) for variable in variables]
    smaller_shapes = [tuple(variable.shape) for variable in sources]
    if shapes != smaller_shapes:
      raise ValueError(
        f'`smaller` must have variables of shapes {shapes}, got {smaller_shapes}: build both with '
        'the same channels, units and basis of time.'
      )
    embedded, orbits = self.torus.embed(smaller.kernel.numpy(), smaller.torus), self.kernel.shape[1]
    if np.any(embedded[:, orbits:]):
      raise ValueError(
        f'`smaller` has kernels beyond the `reach` of {self.reach} here: give its own, or None.'
      )
    self.kernel.assign(embedded[:, :orbits])
    for variable, source in zip(variables, sources):
      variable.assign(source.numpy())

  def _pointwise(self) -> tuple[tf.Variable, ...]:
    """Variables that know nothing of the side."""
    own = (self.bias, self.amplitude)
    return own if self.context_kernel is None else (*own, self.context_kernel)

  def prepared(self, times: tf.Tensor | None = None) -> EvenLayer:
    """Returns the potential with spectra, V'c and functions of time computed once."""
    basis = tabulated(self.time_basis, times, self.amplitude.dtype)
    return self._twin(
      _prepared_spectra=self._spectra(), _prepared_shift=self._shift(), time_basis=basis
    )

  def _values(self, z: tf.Tensor) -> tf.Tensor:
    """e, [..., C, N]."""
    b = tf.convert_to_tensor(self.bias)[:, tf.newaxis]
    return log_cosh(z + b) + log_cosh(z - b)

  def _slopes(self, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """e' and e'', [..., C, N] each."""
    b = tf.convert_to_tensor(self.bias)[:, tf.newaxis]
    u, v = tf.tanh(z + b), tf.tanh(z - b)
    return u + v, 2.0 - tf.square(u) - tf.square(v)

  def _hidden(self, x: tf.Tensor) -> tf.Tensor:
    """z, [..., C, N]."""
    return self.torus.transform(self.torus.transform(x)[..., tf.newaxis, :] * self._spectra())

  def _spectra(self) -> tf.Tensor:
    if self._prepared_spectra is not None:
      return self._prepared_spectra
    return self.torus.spectrum(tf.convert_to_tensor(self.kernel))

  def _amplitude(self, t: tf.Tensor) -> tf.Tensor:
    return amplitudes(self.time_basis, tf.convert_to_tensor(self.amplitude), t, self._shift())

  def _shift(self) -> tf.Tensor | None:
    """V'c, [..., M]."""
    if self._prepared_shift is not None or self.context_kernel is None:
      return self._prepared_shift
    return contexts.added(self.context, self.context_kernel)
