"""Amplitudes in time that solve a differential equation of their own (section 6)."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from ma_keras import seeds
from ma_keras.potentials.time_basis import check_learned

STEPS = 8  # Of the solution between 0 and T; cubic between them, as accurate as the method.


class ParameterODE(tf.Module):
  """a(t) = c_0 + sum_k c_k y_k(t/T), dy/ds = V tanh(U y + b), y(0) = y_0: all learned.

  The equation is solved once per solve of the flow, for all of its times: by the classical
  Runge-Kutta method in a few steps, and by the cubic polynomial of values and slopes (Hermite)
  between them. Wherever a potential takes a `TimeBasis` it takes one of these.

  Attributes:
    time: T > 0, the horizon of the flow.
    size: K, how many functions, the constant 1 among them.
    start: y_0, variable [K - 1].
    mixing: U, variable [K - 1, width].
    shift: b, variable [width].
    rate: V, variable [width, K - 1].
    ends_at_time: No flow may go on beyond T, where its cubic polynomials end.
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
    """Draws y_0, U and b ~ Normal(0, 1), V ~ Normal(0, 4/width).

    Args:
      time: T, num_steps * step_size of the flow.
      size: K, at least 2.
      width: Hidden units of the equation's right-hand side.
      dtype: Floating dtype of the variables, that of the potential.
      seed: Integer that makes the initial values reproducible; None draws fresh ones.
      name: Module name.

    Raises:
      ValueError: An argument is out of range.
    """
    super().__init__(name=name)
    check_learned(time, size, width)
    self.time, self.size = time, size
    key = seeds.stateless(seeds.fresh() if seed is None else seed, salt='parameter_ode')
    keys = seeds.split(key, 4, salt='variables')
    shapes = {
      'start': [size - 1],
      'mixing': [size - 1, width],
      'shift': [width],
      'rate': [width, size - 1],
    }
    start, mixing, shift, rate = (
      tf.Variable(tf.random.stateless_normal(shape, key, dtype=dtype), name=name)
      for key, (name, shape) in zip(keys, shapes.items())
    )
    self.start, self.mixing, self.shift, self.rate = start, mixing, shift, rate
    self.rate.assign(2.0 / math.sqrt(width) * self.rate)

  def config(self) -> dict[str, Any]:
    """The constructor's arguments."""
    return {'time': self.time, 'size': self.size, 'width': self.shift.shape[0]}

  def values(self, t: tf.Tensor) -> tf.Tensor:
    """(1, y(t/T)), [..., K] for times of shape [...]."""
    u, left, right, first, last = self._intervals(t)
    rise = right - left
    y = left + u * (first + u * (3.0 * rise - 2.0 * first - last + u * (first + last - 2.0 * rise)))
    return tf.concat([tf.ones_like(u), y], axis=-1)

  def rates(self, t: tf.Tensor) -> tf.Tensor:
    """d/dt of the values, [..., K]."""
    u, left, right, first, last = self._intervals(t)
    rise = right - left
    slope = first + u * (
      2.0 * (3.0 * rise - 2.0 * first - last) + 3.0 * u * (first + last - 2.0 * rise)
    )
    return tf.concat([tf.zeros_like(u), slope * (STEPS / self.time)], axis=-1)

  def _intervals(self, t: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Place within its step, [..., 1], and values and slopes at both ends of it, [..., K - 1]."""
    s = tf.cast(t, self.shift.dtype) * (STEPS / self.time)
    number = tf.clip_by_value(tf.cast(tf.floor(s), tf.int32), 0, STEPS - 1)
    values, slopes = self._solution()
    # Products, and not tf.gather, whose derivative XLA does not have within that of a loop.
    left = tf.one_hot(number, STEPS + 1, dtype=s.dtype)
    right = tf.one_hot(number + 1, STEPS + 1, dtype=s.dtype)
    ends = [tf.tensordot(one, part, 1) for part in (values, slopes) for one in (left, right)]
    return (s - tf.cast(number, s.dtype))[..., tf.newaxis], *ends

  def _solution(self) -> tuple[tf.Tensor, tf.Tensor]:
    """y and its slope per step at the ends of all steps, [STEPS + 1, K - 1] each."""
    h = 1.0 / STEPS
    values, slopes = [tf.convert_to_tensor(self.start)], []
    for _ in range(STEPS):
      y = values[-1]
      one = h * self._field(y)
      two = h * self._field(y + 0.5 * one)
      three = h * self._field(y + 0.5 * two)
      four = h * self._field(y + three)
      slopes.append(one)
      values.append(y + (one + 2.0 * two + 2.0 * three + four) / 6.0)
    slopes.append(h * self._field(values[-1]))
    return tf.stack(values), tf.stack(slopes)

  def _field(self, y: tf.Tensor) -> tf.Tensor:
    """dy/ds, [K - 1]."""
    hidden = tf.tanh(tf.linalg.matvec(self.mixing, y, transpose_a=True) + self.shift)
    return tf.linalg.matvec(self.rate, hidden, transpose_a=True)
