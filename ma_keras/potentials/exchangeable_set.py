"""A potential of sets of vectors, with a Laplacian in closed form."""

from __future__ import annotations

import functools
from typing import Any

import tensorflow as tf

from ma_keras import seeds
from ma_keras.arguments import is_whole
from ma_keras.potentials import activations, contexts
from ma_keras.potentials.base import Potential
from ma_keras.potentials.linear import apply_kernel
from ma_keras.potentials.time_basis import (
  Basis,
  amplitudes,
  starting,
  tabulated,
  time_derivative,
)


class ExchangeableSet(Potential):
  """phi(t, x) = sum_h a_h(t) act(z_h), z = V's + b, s_k = sum_i act(u_ik), u_i = W'x_i + c.

  A function of a sum over vectors x_i, i = 1, ..., n (Zaheer et al. 2017, arXiv:1703.06114):
  invariant under permutations of them, and under nothing else. With r = V (a act'(z))

    grad_i phi = sum_k r_k act'(u_ik) W_k,
    laplacian  = sum_k r_k |W_k|^2 sum_i act''(u_ik) + sum_h a_h act''(z_h) |grad z_h|^2,
    |grad z_h|^2 = sum_i |sum_k V_kh act'(u_ik) W_k|^2,

  at O(n D K H), linear in the size of the set. A context shifts c.

  Attributes:
    particles: n.
    dimensions: D.
    kernel: W, variable [D, K].
    feature_bias: c, variable [K].
    mixing: V, variable [K, H].
    bias: b, variable [H].
    amplitude: a, variable [H]; with a time basis its coefficients, [M, H].
    time_basis: How the amplitudes vary in time, or None.
    context_kernel: What a context shifts c by, variable [C, K]; None without context.
  """

  self_contained = True

  def __init__(
    self,
    particles: int,
    dimensions: int,
    features: int = 32,
    hidden_units: int = 32,
    activation: str = 'softplus',
    time_basis: Basis | None = None,
    dtype: tf.DType = tf.float32,
    seed: int | None = None,
    context_size: int | None = None,
    name: str | None = None,
  ) -> None:
    """Draws W ~ Normal(0, 1/D), b, c ~ Normal(0, 1), V ~ Normal(0, 1/(n K)), a ~ Normal(0, 0.01/H).

    Args:
      particles: n, vectors of a set.
      dimensions: D.
      features: K, of every vector.
      hidden_units: H.
      activation: One of `activations.JETS`.
      time_basis: Makes the amplitudes functions of time; they start constant.
      dtype: Floating dtype of the variables.
      seed: Integer that makes the initial values reproducible; None draws fresh ones.
      context_size: C, where phi depends on a context.
      name: Module name.

    Raises:
      ValueError: A number is out of range, or the activation is unknown.
    """
    sizes = {'particles': particles, 'dimensions': dimensions, 'features': features}
    for key, value in {**sizes, 'hidden_units': hidden_units}.items():
      if not is_whole(value):
        raise ValueError(f'`{key}` must be a positive integer, got {value!r}.')
    super().__init__(int(particles) * int(dimensions), name, context_size)
    self.particles, self.dimensions = int(particles), int(dimensions)
    self.activation, self._jet = activation, activations.get_jet(activation)
    self.time_basis = time_basis
    seed = seeds.fresh() if seed is None else seed
    keys = iter(seeds.split(seeds.stateless(seed, salt='exchangeable_set'), 5, salt='variables'))

    def normal(shape: list[int], scale: float, name: str) -> tf.Variable:
      values = tf.random.stateless_normal(shape, next(keys), dtype=dtype)
      return tf.Variable(scale * values, name=name)

    self.kernel = normal([dimensions, features], dimensions**-0.5, 'kernel')
    self.feature_bias = normal([features], 1.0, 'feature_bias')
    self.mixing = normal([features, hidden_units], (particles * features) ** -0.5, 'mixing')
    self.bias = normal([hidden_units], 1.0, 'bias')
    amplitude = tf.random.stateless_normal([hidden_units], next(keys), dtype=dtype)
    self.amplitude = tf.Variable(
      starting(time_basis, 0.1 * hidden_units**-0.5 * amplitude), name='amplitude'
    )
    self.context_kernel = contexts.kernel(context_size, [features], dtype, seed)
    self._prepared_bias: tf.Tensor | None = None

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    return {
      'particles': self.particles,
      'dimensions': self.dimensions,
      'features': self.kernel.shape[1],
      'hidden_units': self.bias.shape[0],
      'activation': self.activation,
      'time_basis': self.time_basis,
      'context_size': self._context_size,
    }

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(t, x), shape [...]."""
    features, _, _ = self._jet(self._inner(x))
    act, _, _ = self._jet(self._outer(features))
    return tf.reduce_sum(self._amplitude(t) * act, axis=-1)

  def prepared(self, times: tf.Tensor | None = None) -> ExchangeableSet:
    """Returns the potential with functions of time, and of the context, computed once."""
    basis = tabulated(self.time_basis, times, self.amplitude.dtype)
    twin = self._twin(time_basis=basis)
    return twin if self._context is None else twin._twin(_prepared_bias=self._shifted_bias())

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    features, slope, _ = self._jet(self._inner(x))
    _, outer_slope, _ = self._jet(self._outer(features))
    return self._velocity(self._rates(self._amplitude(t) * outer_slope), slope)

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    amplitude = self._amplitude(t)
    features, slope, curvature = self._jet(self._inner(x))
    _, outer_slope, outer_curvature = self._jet(self._outer(features))
    rates = self._rates(amplitude * outer_slope)
    norms = tf.reduce_sum(tf.square(self.kernel), axis=0)
    laplacian = tf.reduce_sum(rates * norms * tf.reduce_sum(curvature, axis=-2), axis=-1)
    laplacian += tf.reduce_sum(amplitude * outer_curvature * self._squared(slope), axis=-1)
    return self._velocity(rates, slope), laplacian

  def _inner(self, x: tf.Tensor) -> tf.Tensor:
    """u, [..., n, K]."""
    leading, sizes = tf.shape(x)[:-1], [self.particles, self.dimensions]
    positions = tf.reshape(x, tf.concat([leading, sizes], axis=0))
    return tf.matmul(positions, self.kernel) + self._shifted_bias()

  def _shifted_bias(self) -> tf.Tensor:
    """c, [K], or with what the context adds to it, [..., 1, K]."""
    if self._prepared_bias is not None:
      return self._prepared_bias
    bias = tf.convert_to_tensor(self.feature_bias)
    if self.context_kernel is None:
      return bias
    return (bias + contexts.added(self.context, self.context_kernel))[..., tf.newaxis, :]

  def _outer(self, features: tf.Tensor) -> tf.Tensor:
    """z, [..., H], of features of the vectors, [..., n, K]."""
    return apply_kernel(tf.reduce_sum(features, axis=-2), self.mixing) + self.bias

  def _rates(self, outer: tf.Tensor) -> tf.Tensor:
    """d phi/ds, [..., K], by a act'(z), [..., H]."""
    return apply_kernel(outer, self.mixing, transpose=True)

  def _velocity(self, rates: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    """grad phi, [..., N]."""
    weighted = rates[..., tf.newaxis, :] * slope
    velocity = tf.matmul(weighted, self.kernel, transpose_b=True)
    leading = tf.shape(velocity)[:-2]
    return tf.reshape(velocity, tf.concat([leading, [self.event_size]], axis=0))

  def _squared(self, slope: tf.Tensor) -> tf.Tensor:
    """|grad z_h|^2, [..., H], one coordinate of all vectors after another."""
    rows = tf.unstack(tf.convert_to_tensor(self.kernel))
    along = [tf.square(tf.matmul(slope * row, self.mixing)) for row in rows]
    return tf.reduce_sum(functools.reduce(tf.add, along), axis=-2)

  def _time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return time_derivative(self, t, x)

  def _amplitude(self, t: tf.Tensor) -> tf.Tensor:
    return amplitudes(self.time_basis, tf.convert_to_tensor(self.amplitude), t)
