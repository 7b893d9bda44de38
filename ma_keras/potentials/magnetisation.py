"""A potential of the sum of all coordinates alone: the longest wave of a field."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from ma_keras import seeds
from ma_keras.arguments import is_finite, is_whole
from ma_keras.potentials import contexts
from ma_keras.potentials.activations import LOG_COSH
from ma_keras.potentials.base import Potential
from ma_keras.potentials.time_basis import (
  Basis,
  amplitudes,
  extended,
  starting,
  tabulated,
)

FARTHEST = 2.5  # Centre of the last unit at the start: few fields have a larger square of u.
STEEPNESS = 2.0  # w of all units at the start.


class Magnetisation(Potential):
  """phi(t, x) = s^2 sum_h a_h(t) ln cosh(w_h u^2 + b_h), u = y/s, y = sum_i x_i / sqrt N.

  s(t) = exp(g t) is the size that y has grown to from 1 at t = 0, so that weights of order one make
  velocities as large as the growth itself. At a critical point y is by far the largest mode, with a
  density of two peaks; `Lattice` sees it through all of its units at once, and learns its density
  last. With z = w u^2 + b and tanh its slope,

    d phi/dy      = 2 y sum_h a_h w_h tanh(z_h),             grad phi = d phi/dy / sqrt N,
    laplacian phi = d^2 phi/dy^2 = 2 sum_h a_h w_h [tanh(z_h) + 2 w_h u^2 / cosh^2(z_h)].

  All permutations of the coordinates leave it alone, and x -> -x does. A context c shifts the
  amplitudes, a + V'c.

  Attributes:
    kernel: w, variable [H].
    bias: b, variable [H].
    amplitude: a, variable [H]; with a time basis its coefficients, [K, H].
    growth: g, variable [].
    time_basis: How the amplitudes vary in time, or None.
    context_kernel: V, variable [C, H]; None without context.
  """

  self_contained = True

  def __init__(
    self,
    event_size: int,
    units: int = 8,
    growth: float = 0.0,
    time_basis: Basis | None = None,
    dtype: tf.DType = tf.float32,
    seed: int | None = None,
    name: str | None = None,
    context_size: int | None = None,
  ) -> None:
    """Spreads -b/w over [0, 2.5], w = 2, and draws a ~ Normal(0, 0.01/H).

    Args:
      event_size: N.
      units: H.
      growth: g, the logarithm of the standard deviation of y at the end of the flow, divided by
        the horizon T.
      time_basis: Makes the amplitudes functions of time; they start constant.
      dtype: Floating dtype of the variables.
      seed: Integer that makes the initial amplitudes reproducible; None draws fresh ones.
      name: Module name.
      context_size: C, where phi depends on a context; V ~ Normal(0, 0.01^2 / C).

    Raises:
      ValueError: A number is out of range.
    """
    super().__init__(event_size, name, context_size)
    if not is_whole(units):
      raise ValueError(f'`units` must be a positive integer, got {units!r}. Eight are usual.')
    if not is_finite(growth):
      raise ValueError(f'`growth` must be a finite number, got {growth!r}.')
    units = int(units)
    self.time_basis = time_basis
    seed = seeds.fresh() if seed is None else seed
    key = seeds.stateless(seed, salt='magnetisation')
    amplitude = 0.1 * units**-0.5 * tf.random.stateless_normal([units], key, dtype=dtype)
    kernel = tf.fill([units], tf.constant(STEEPNESS, dtype))
    self.kernel = tf.Variable(kernel, name='kernel')
    self.bias = tf.Variable(
      -kernel * tf.cast(tf.linspace(0.0, FARTHEST, units), dtype), name='bias'
    )
    self.amplitude = tf.Variable(starting(time_basis, amplitude), name='amplitude')
    self.growth = tf.Variable(tf.constant(growth, dtype), name='growth')
    self.context_kernel = contexts.kernel(context_size, [units], dtype, seed, scale=0.01)
    self._prepared_shift: tf.Tensor | None = None

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    return {
      'event_size': self.event_size,
      'units': self.kernel.shape[0],
      'time_basis': self.time_basis,
      'context_size': self.context_size,
    }

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(t, x), shape [...]."""
    scale = self._scale(t)
    values = LOG_COSH.value(self._hidden(tf.square(self._sum(x) / scale)))
    return tf.square(scale) * tf.reduce_sum(self._amplitude(t) * values, axis=-1)

  def start_from(self, smaller: Magnetisation) -> None:
    """Takes the weights of a potential of a field that may be smaller.

    The sum of a larger field may grow faster: `growth` can be assigned afterwards. Where the
    smaller one has fewer functions of time, the coefficients of further ones are zero.

    Raises:
      ValueError: It is no `Magnetisation`, or of a larger field; it has another number of units or
        context_size, more functions of time, or others.
    """
    if not isinstance(smaller, Magnetisation) or smaller.event_size > self.event_size:
      raise ValueError(
        f'`smaller` must be a Magnetisation of at most {self.event_size} coordinates, got a '
        f'{type(smaller).__name__} of {smaller.event_size}.'
      )
    amplitude = extended(smaller.amplitude.numpy(), smaller.time_basis, self.time_basis)
    if amplitude.shape != self.amplitude.shape or (smaller.context_size != self.context_size):
      raise ValueError(
        f'`smaller` must have amplitudes of shape {list(self.amplitude.shape)} and context_size '
        f'{self.context_size}, got {list(amplitude.shape)} and {smaller.context_size}: build both '
        'with as many units, and this one with as many functions of time, or more.'
      )
    self.amplitude.assign(amplitude)
    for name in ('kernel', 'bias', 'growth', 'context_kernel'):
      if (variable := getattr(self, name)) is not None:
        variable.assign(getattr(smaller, name).numpy())

  def prepared(self, times: tf.Tensor | None = None) -> Magnetisation:
    """Returns the potential with V'c and functions of time computed once."""
    basis = tabulated(self.time_basis, times, self.amplitude.dtype)
    return self._twin(time_basis=basis, _prepared_shift=self._shift())

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return self._gradient_and_laplacian(t, x)[0]

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    total = self._sum(x)
    square = tf.square(total / self._scale(t))
    slope = LOG_COSH.slope(self._hidden(square))  # [..., H].
    weights = self._amplitude(t) * self.kernel
    rate = 2.0 * tf.reduce_sum(weights * slope, axis=-1)
    gradient = (rate * total / self._root)[..., tf.newaxis] * tf.ones_like(x)
    bend = tf.reduce_sum(weights * self.kernel * LOG_COSH.curvature(slope), axis=-1)
    return gradient, rate + 4.0 * square * bend

  @property
  def _root(self) -> float:
    """sqrt N."""
    return math.sqrt(self.event_size)

  def _sum(self, x: tf.Tensor) -> tf.Tensor:
    """y, [...]."""
    return tf.reduce_sum(x, axis=-1) / self._root

  def _scale(self, t: tf.Tensor) -> tf.Tensor:
    """s(t), []."""
    return tf.exp(self.growth * tf.cast(t, self.growth.dtype))

  def _hidden(self, square: tf.Tensor) -> tf.Tensor:
    """z = w u^2 + b, [..., H]."""
    return square[..., tf.newaxis] * self.kernel + self.bias

  def _amplitude(self, t: tf.Tensor) -> tf.Tensor:
    """a(t), [H], or [..., H] with a context."""
    coefficients = tf.convert_to_tensor(self.amplitude)
    return amplitudes(self.time_basis, coefficients, t, self._shift())

  def _shift(self) -> tf.Tensor | None:
    """V'c, [..., H]."""
    if self._prepared_shift is not None or self.context_kernel is None:
      return self._prepared_shift
    return contexts.added(self.context, self.context_kernel)
