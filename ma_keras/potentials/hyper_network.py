"""Amplitudes in time by a small network, in place of polynomials (section 6, Ha et al. 2016)."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from ma_keras import seeds
from ma_keras.potentials.time_basis import check_learned


class HyperNetwork(tf.Module):
  """a(t) = c_0 + sum_k c_k g_k(t), g = V tanh(w u + b), u = 2 t/T - 1: functions of time, learned.

  Wherever a potential takes a `TimeBasis` it takes one of these: its coefficients then are the
  last layer of a network of time that makes the potential's amplitudes. Two potentials that share
  one are tied in time.

  Attributes:
    time: T > 0, the horizon of the flow.
    size: K, how many functions, the constant 1 among them.
    slope: w, variable [width].
    shift: b, variable [width].
    mixing: V, variable [width, K - 1].
    ends_at_time: No flow may go on beyond T, where nothing was learned.
  """

  ends_at_time = True

  def __init__(
    self,
    time: float,
    size: int,
    width: int = 16,
    dtype: tf.DType = tf.float32,
    seed: int | None = None,
    name: str | None = None,
  ) -> None:
    """Spreads the steps of tanh over the horizon and draws V ~ Normal(0, 1/width).

    Args:
      time: T, num_steps * step_size of the flow.
      size: K, at least 2.
      width: Hidden units of the network of time.
      dtype: Floating dtype of the variables, that of the potential.
      seed: Integer that makes the initial values reproducible; None draws fresh ones.
      name: Module name.

    Raises:
      ValueError: An argument is out of range.
    """
    super().__init__(name=name)
    check_learned(time, size, width)
    self.time, self.size = time, size
    key = seeds.stateless(seeds.fresh() if seed is None else seed, salt='hyper_network')
    steepness = tf.fill([width], tf.constant(width / 2.0, dtype))  # A step over 1/width of [-1, 1].
    centres = tf.linspace(tf.constant(-1.0, dtype), 1.0, width)
    normal = tf.random.stateless_normal([width, size - 1], key, dtype=dtype)
    self.slope = tf.Variable(steepness, name='slope')
    self.shift = tf.Variable(-steepness * tf.cast(centres, dtype), name='shift')
    self.mixing = tf.Variable(normal / math.sqrt(width), name='mixing')

  def config(self) -> dict[str, Any]:
    """The constructor's arguments."""
    return {'time': self.time, 'size': self.size, 'width': self.slope.shape[0]}

  def values(self, t: tf.Tensor) -> tf.Tensor:
    """(1, g(t)), [..., K] for times of shape [...]."""
    u = (2.0 * tf.cast(t, self.slope.dtype) / self.time - 1.0)[..., tf.newaxis]
    learned = tf.tensordot(tf.tanh(u * self.slope + self.shift), self.mixing, axes=1)
    return tf.concat([tf.ones_like(u), learned], axis=-1)

  def rates(self, t: tf.Tensor) -> tf.Tensor:
    """d/dt of the values, [..., K]: (0, 2 V (w tanh'(w u + b))/T)."""
    u = (2.0 * tf.cast(t, self.slope.dtype) / self.time - 1.0)[..., tf.newaxis]
    values = tf.tanh(u * self.slope + self.shift)
    slopes = (2.0 / self.time) * self.slope * (1.0 - tf.square(values))
    return tf.concat([tf.zeros_like(u), tf.tensordot(slopes, self.mixing, axes=1)], axis=-1)
