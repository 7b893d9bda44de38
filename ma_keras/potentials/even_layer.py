"""Convolutions on a torus that pass through even units: what lattice potentials share."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from ma_keras.potentials import contexts
from ma_keras.potentials.activations import log_cosh
from ma_keras.potentials.base import Potential
from ma_keras.potentials.time_basis import Basis, amplitudes, extended, starting, tabulated
from ma_keras.potentials.torus import Torus


class EvenLayer(Potential):
  """e_c(z_ci) = ln cosh(z_ci + b_c) + ln cosh(z_ci - b_c), z_c = w_c * x, at every site i.

  Unchanged by x -> -x; translations and D4 permute its sites. With u and v = tanh(z + b) and
  tanh(z - b), e' = u + v and e'' = 2 - u^2 - v^2. Subclasses say what phi makes of it. A context c
  shifts their amplitudes, a + V'c, and leaves every symmetry. With a layer basis w and b vary in
  time as well, sum_k T_k(t) w_k, at the cost of one spectrum per stage: a flow may order long
  wavelengths first and neighbours last.

  Attributes:
    torus: The tables of the L x L torus.
    kernel: w, one value per orbit of offsets, variable [C, R]; fewer if they have a `reach`; with a
      layer basis its coefficients, [K, C, R].
    reach: How many rows and columns the kernels go; L // 2 is all of the torus.
    bias: b, variable [C], or [K, C].
    amplitude: Of whatever units come last, variable [M]; with a time basis [K, M].
    time_basis: How the amplitudes vary in time, or None.
    layer_basis: Functions of time of the layers' weights; None where they are constant.
    context_kernel: V, variable [C', M] of contexts [C']; None without.
  """

  def __init__(
    self,
    side: int,
    time_basis: Basis | None,
    reach: int | None,
    context_size: int | None,
    name: str | None,
    layer_basis: Basis | None = None,
  ) -> None:
    """Tables alone; `_start` makes the variables.

    Raises:
      ValueError: The torus is no torus, or too small for that reach.
    """
    for key, basis in (('time_basis', time_basis), ('layer_basis', layer_basis)):
      if basis is not None and not (hasattr(basis, 'size') and hasattr(basis, 'values')):
        raise ValueError(f'`{key}` must be a TimeBasis(time, size), or None, got {basis!r}.')
    self.torus = Torus(side)
    self.reach = self.torus.checked_reach(reach)
    super().__init__(self.torus.side**2, name, context_size)
    self.time_basis, self.layer_basis = time_basis, layer_basis
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
    self.kernel = self._weights(kernels, 'kernel')
    self.bias = self._weights(tf.linspace(tf.zeros([], dtype), 2.0, channels), 'bias')
    amplitudes = 0.01 * tf.random.stateless_normal([units], seeds[1], dtype=dtype)
    self.amplitude = tf.Variable(starting(self.time_basis, amplitudes), name='amplitude')
    self.context_kernel = contexts.kernel(self.context_size, [units], dtype, seeds[1], scale=0.01)

  def _weights(self, values: tf.Tensor, name: str) -> tf.Variable:
    """The variable of a layer that starts at these values at all times."""
    return tf.Variable(starting(self.layer_basis, values), name=name)

  def start_from(self, smaller: EvenLayer) -> None:
    """Takes the weights of a potential of this kind trained on a smaller torus.

    Where it has fewer functions of time, the coefficients of further ones are zero.

    Raises:
      ValueError: It is of another class, has other layers, more functions of time or others, is
        larger, or its kernels are.
    """
    if type(smaller) is not type(self):
      raise ValueError(
        f'`smaller` must be a {type(self).__name__}, got a {type(smaller).__name__}.'
      )
    variables, bases = zip(*self._pointwise())
    sources, former = zip(*smaller._pointwise())
    values = [extended(source.numpy(), *pair) for source, *pair in zip(sources, former, bases)]
    shapes = [tuple(variable.shape) for variable in variables]
    if len(sources) != len(variables) or [value.shape for value in values] != shapes:
      raise ValueError(
        f'`smaller` must have variables of shapes {shapes}, got '
        f'{[tuple(source.shape) for source in sources]}: build both with the same channels, units '
        'and context_size, and this one with as many functions of time, or more.'
      )
    kernel = self.torus.embed(smaller.kernel.numpy(), smaller.torus, self.reach)
    self.kernel.assign(extended(kernel, smaller.layer_basis, self.layer_basis))
    for variable, value in zip(variables, values):
      variable.assign(value)

  def _pointwise(self) -> tuple[tuple[tf.Variable, Basis | None], ...]:
    """Variables that know nothing of the side, each with its functions of time."""
    own = (self.bias, self.layer_basis), (self.amplitude, self.time_basis)
    return own if self.context_kernel is None else (*own, (self.context_kernel, None))

  def prepared(self, times: tf.Tensor | None = None) -> EvenLayer:
    """Returns the potential with spectra, V'c and functions of time computed once."""
    dtype = self.amplitude.dtype
    return self._twin(
      _prepared_spectra=self._spectra(),
      _prepared_shift=self._shift(),
      time_basis=tabulated(self.time_basis, times, dtype),
      layer_basis=tabulated(self.layer_basis, times, dtype),
    )

  def _layer_at(self, t: tf.Tensor) -> EvenLayer:
    """The potential whose layers are at all times what they are at t, [], of this one."""
    basis = self.layer_basis
    if basis is None:
      return self
    layer = {
      name: amplitudes(basis, tf.convert_to_tensor(weights), t)
      for name, weights in self._layer().items()
    }
    return self._twin(layer_basis=None, **layer)

  def _layer(self) -> dict[str, tf.Tensor | tf.Variable]:
    """Weights that vary in time, by attribute: spectra too, being linear in their kernels."""
    return {'kernel': self.kernel, 'bias': self.bias, '_prepared_spectra': self._spectra()}

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
