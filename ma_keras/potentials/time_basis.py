"""Amplitudes that vary smoothly in time."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class TimeBasis:
  """a(t) = sum_k c_k T_k(2 t/T - 1), T_k the Chebyshev polynomials T_0 = 1, T_1 = u, ...

  One flow then passes through a family of potentials, at the parameters of a few: coefficients
  [K, ...] instead of amplitudes [...]. With `size=1` amplitudes are constant.

  Attributes:
    time: T > 0, the horizon of the flow: num_steps * step_size.
    size: K, how many polynomials.
  """

  time: float
  size: int

  def __post_init__(self) -> None:
    """Checks the arguments.

    Raises:
      ValueError: `time` is not positive, or `size` not a positive integer.
    """
    if not self.time > 0:
      raise ValueError(f'`time` must be positive, got {self.time}: it is num_steps * step_size.')
    if int(self.size) != self.size or self.size < 1:
      raise ValueError(f'`size` must be a positive integer, got {self.size}. Three is usual.')

  def config(self) -> dict[str, Any]:
    """The constructor's arguments."""
    return {'time': self.time, 'size': self.size}

  def values(self, t: tf.Tensor) -> tf.Tensor:
    """T_k(2 t/T - 1), [..., K] for times of shape [...]."""
    u = 2.0 * t / self.time - 1.0
    found = [tf.ones_like(u), u]
    while len(found) < self.size:
      found.append(2.0 * u * found[-1] - found[-2])
    return tf.stack(found[: self.size], axis=-1)


class Basis(Protocol):
  """Functions of time: a `TimeBasis`, a `HyperNetwork`, or your own."""

  @property
  def size(self) -> int:
    """K; the first of them is 1."""

  def values(self, t: tf.Tensor) -> tf.Tensor:
    """[..., K] for times of shape [...]."""


def amplitudes(basis: Basis | None, coefficients: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
  """a(t): the coefficients themselves where there is no basis, [...]; sum_k T_k(t) c_k otherwise.

  Args:
    basis: The polynomials, or None for constant amplitudes.
    coefficients: c, shape [K, ...], or [...] without basis.
    t: Times, shape [*times].

  Returns:
    Shape [*times, ...].
  """
  t = tf.convert_to_tensor(t, dtype_hint=coefficients.dtype)
  if basis is None:
    shape = tf.concat([tf.shape(t), tf.shape(coefficients)], axis=0)
    return tf.broadcast_to(coefficients, shape) if t.shape.rank else tf.identity(coefficients)
  return tf.tensordot(basis.values(tf.cast(t, coefficients.dtype)), coefficients, axes=1)


def starting(basis: Basis | None, amplitude: tf.Tensor) -> tf.Tensor:
  """The coefficients that make `amplitude` [...] constant in time: [...], or [K, ...]."""
  if basis is None:
    return amplitude
  return tf.pad(amplitude[tf.newaxis], [[0, basis.size - 1], *[[0, 0]] * amplitude.shape.rank])
