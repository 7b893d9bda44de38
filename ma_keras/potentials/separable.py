"""One-dimensional units: every coordinate has a potential of its own."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ma_keras import seeds
from ma_keras.arguments import is_finite, is_whole
from ma_keras.potentials import activations, contexts
from ma_keras.potentials.base import Potential
from ma_keras.potentials.time_basis import (
  Basis,
  amplitudes,
  starting,
  tabulated,
  time_derivative,
)


class Separable(Potential):
  """phi(t, x) = sum_i f_i(t, x_i), f_i = sum_m a_mi(t) act(w_mi x_i + b_mi).

  Its flow moves each coordinate by itself, along a smooth monotone map: any one-dimensional
  marginals can be had. grad_i phi = sum_m a w act' and laplacian phi = sum_mi a w^2 act''; no
  products of matrices. Usually one term of a sum: `OneHiddenLayer(...) + Separable(...)` flows by
  the hand-written pass of one hidden layer (`gradients.units`). A context c shifts the biases,
  b + V'c.

  Attributes:
    kernel: w, variable [M, N].
    bias: b, variable [M, N].
    amplitude: a, variable [M, N]; with a time basis its coefficients, [K, M, N].
    time_basis: How the amplitudes vary in time, or None.
    context_kernel: V, variable [C, M, N]; None without context.
  """

  self_contained = True

  def __init__(
    self,
    event_size: int,
    units: int = 4,
    activation: str = 'softplus',
    time_basis: Basis | None = None,
    dtype: tf.DType = tf.float32,
    seed: int | None = None,
    context_size: int | None = None,
    name: str | None = None,
    spread: float = 2.0,
    steepness: float = 1.0,
  ) -> None:
    """Spreads centres over [-spread, spread], w = steepness, and draws a ~ Normal(0, 0.01/M).

    Args:
      event_size: N.
      units: M, units per coordinate.
      activation: 'softplus' or 'log_cosh'.
      time_basis: Makes the amplitudes functions of time; they start constant.
      dtype: Floating dtype of the variables.
      seed: Integer that makes the initial values reproducible; None draws fresh ones.
      context_size: C, where phi depends on a context; V ~ Normal(0, 1/C).
      name: Module name.
      spread: Largest distance of a centre from 0, where most of the data should lie.
      steepness: Initial w: sharp edges in the marginals, such as those of dequantised zeros in
        logit space, ask for two or three.

    Raises:
      ValueError: A number is not positive or the activation is unknown.
    """
    super().__init__(event_size, name, context_size)
    if not (is_whole(units) and is_finite(spread) and is_finite(steepness)) or (
      spread < 0 or steepness <= 0
    ):
      raise ValueError(
        '`units` and `steepness` must be positive and `spread` not negative, got '
        f'{units!r}, {steepness!r} and {spread!r}. Four units per coordinate are usual.'
      )
    self._activation = activations.get(activation)
    self.time_basis = time_basis
    seed = seeds.fresh() if seed is None else seed
    key = seeds.stateless(seed, salt='separable')
    units = int(units)
    shape = [units, self.event_size]
    centres = tf.linspace(tf.constant(-spread, dtype), spread, units) if units > 1 else [0.0]
    amplitudes = 0.1 * units**-0.5 * tf.random.stateless_normal(shape, key, dtype=dtype)
    kernel = tf.fill(shape, tf.constant(steepness, dtype))
    self.kernel = tf.Variable(kernel, name='kernel')
    self.bias = tf.Variable(-tf.cast(centres, dtype)[:, tf.newaxis] * kernel, name='bias')
    self.amplitude = tf.Variable(starting(time_basis, amplitudes), name='amplitude')
    self.context_kernel = contexts.kernel(context_size, shape, dtype, seed)
    self._prepared_bias: tf.Tensor | None = None

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    return {
      'event_size': self.event_size,
      'units': self.kernel.shape[0],
      'activation': self._activation.name,
      'time_basis': self.time_basis,
      'context_size': self.context_size,
    }

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(t, x), shape [...]."""
    values = self._activation.value(self._hidden(x))
    return tf.reduce_sum(self._amplitude(t) * values, axis=[-2, -1])

  def _time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return time_derivative(self, t, x)

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return self._gradient_and_laplacian(t, x)[0]

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    slopes = self._activation.slope(self._hidden(x))
    weights = self._amplitude(t) * self.kernel
    gradient = tf.reduce_sum(weights * slopes, axis=-2)
    curvatures = weights * self.kernel * self._activation.curvature(slopes)
    return gradient, tf.reduce_sum(curvatures, axis=[-2, -1])

  def _hidden(self, x: tf.Tensor) -> tf.Tensor:
    """w x + b, [..., M, N]: coordinates last, over which the processor runs fastest."""
    return x[..., tf.newaxis, :] * self.kernel + self._bias()

  def prepared(self, times: tf.Tensor | None = None) -> Separable:
    """Returns the potential with b + V'c and functions of time computed once."""
    basis = tabulated(self.time_basis, times, self.amplitude.dtype)
    return self._twin(_prepared_bias=self._bias(), time_basis=basis)

  def _bias(self) -> tf.Tensor:
    """b + V'c, [..., M, N]."""
    if self._prepared_bias is not None:
      return self._prepared_bias
    bias = tf.convert_to_tensor(self.bias)
    if self.context_kernel is None:
      return bias
    return bias + contexts.added(self.context, self.context_kernel)

  def _amplitude(self, t: tf.Tensor) -> tf.Tensor:
    return amplitudes(self.time_basis, tf.convert_to_tensor(self.amplitude), t)
