"""Amplitudes that vary smoothly in time."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from ma_keras.arguments import is_finite, is_whole

LENIENCE = 1e-5  # Of the horizon, which may be a sum of rounded steps.
ROUNDINGS = 64  # Of the horizon, between a time of a table and the same time summed otherwise.


@dataclasses.dataclass(frozen=True)
class TimeBasis:
  """a(t) = sum_k c_k T_k(2 t/T - 1), T_k the Chebyshev polynomials T_0 = 1, T_1 = u, ...

  One flow then passes through a family of potentials, at the parameters of a few: coefficients
  [K, ...] instead of amplitudes [...]. With `size=1` amplitudes are constant.

  Attributes:
    time: T > 0, the horizon of the flow: num_steps * step_size.
    size: K, how many polynomials.
    ends_at_time: No flow may go on beyond T, where polynomials grow.
  """

  ends_at_time: ClassVar[bool] = True

  time: float
  size: int

  def __post_init__(self) -> None:
    """Checks the arguments.

    Raises:
      ValueError: `time` is not positive, or `size` not a positive integer.
    """
    if not is_finite(self.time) or self.time <= 0:
      raise ValueError(f'`time` must be positive, got {self.time}: it is num_steps * step_size.')
    if not is_whole(self.size):
      raise ValueError(f'`size` must be a positive integer, got {self.size}. Three is usual.')

  def config(self) -> dict[str, Any]:
    """The constructor's arguments."""
    return {'time': self.time, 'size': self.size}

  def values(self, t: tf.Tensor) -> tf.Tensor:
    """T_k(2 t/T - 1), [..., K] for times of shape [...]."""
    u = 2.0 * t / self.time - 1.0
    first = [tf.ones_like(u), u]
    while len(first) < self.size:
      first.append(2.0 * u * first[-1] - first[-2])
    return tf.stack(first[: self.size], axis=-1)

  def rates(self, t: tf.Tensor) -> tf.Tensor:
    """d/dt of the values, [..., K]: T_k' = k U_k-1, U_k the polynomials of second kind."""
    u = 2.0 * t / self.time - 1.0
    second = [tf.ones_like(u), 2.0 * u]
    while len(second) < self.size:
      second.append(2.0 * u * second[-1] - second[-2])
    slopes = [tf.zeros_like(u), *(k * polynomial for k, polynomial in enumerate(second, start=1))]
    return tf.stack(slopes[: self.size], axis=-1) * (2.0 / self.time)


class Basis(Protocol):
  """Functions of time: a `TimeBasis`, a `HyperNetwork`, a `ParameterODE`, or your own.

  One that no flow may go beyond has `ends_at_time = True`, and `time`, its end.
  """

  @property
  def size(self) -> int:
    """K; the first of them is 1."""

  def values(self, t: tf.Tensor) -> tf.Tensor:
    """[..., K] for times of shape [...]."""


def check_learned(time: float, size: int, width: int) -> None:
  """Raises ValueError unless a learned basis can have these: T > 0, K >= 2, hidden units."""
  if not is_finite(time) or time <= 0 or not is_whole(size, 2) or not is_whole(width):
    raise ValueError(
      '`time` and `width` must be positive and `size` at least 2, got '
      f'{time}, {width} and {size}. Time is num_steps * step_size.'
    )


def check_horizon(potential: tf.Module, time: float) -> None:
  """Raises ValueError where functions of time of a potential end before T (`ends_at_time`).

  Args:
    potential: A potential, whose parts are looked at as well, but for those at time 0 alone.
    time: T, the horizon of the flow.
  """
  parts = [potential, *potential.submodules]
  still = {id(part) for whole in parts if _is_still(whole) for part in whole.submodules}
  for part in parts:
    for argument in ('time_basis', 'layer_basis'):
      basis: Any = getattr(part, argument, None)
      if id(part) in still or not getattr(basis, 'ends_at_time', False):
        continue
      if float(time) > float(basis.time) * (1.0 + LENIENCE):
        raise ValueError(
          f'`{argument}` of {type(part).__name__} ends at time {float(basis.time):g}, and the flow '
          f'at num_steps * step_size = {float(time):g}: beyond its end nothing was learned. '
          'Make the basis with that time, or take fewer or smaller steps.'
        )


def _is_still(potential: tf.Module) -> bool:
  """Tells whether the parts of a potential are asked for their values at time 0 alone."""
  return bool(getattr(potential, 'parts_at_start', False))


class Table(NamedTuple):
  """A basis whose values at the times of one solve are at hand.

  Attributes:
    basis: The basis.
    times: t_i, shape [T].
    rows: Its values there, [T, K].
  """

  basis: Basis
  times: tf.Tensor
  rows: tf.Tensor

  @property
  def size(self) -> int:
    """K."""
    return self.basis.size

  def values(self, t: tf.Tensor) -> tf.Tensor:
    """The row of t [], which is one of the times but for rounding, [K]; NaN of any other time."""
    if t.shape.rank:
      return self.basis.values(t)
    distances = tf.abs(self.times - tf.cast(t, self.times.dtype))
    nearest = tf.argmin(distances)
    # A product, and not tf.gather, whose derivative XLA does not have within that of a loop.
    indicator = tf.one_hot(nearest, tf.shape(self.times)[0], dtype=self.rows.dtype)
    row = tf.linalg.matvec(self.rows, indicator, transpose_a=True)
    rounding = ROUNDINGS * np.finfo(self.times.dtype.as_numpy_dtype).eps
    is_tabulated = tf.reduce_min(distances) <= rounding * tf.reduce_max(tf.abs(self.times))
    return tf.where(is_tabulated, row, tf.constant(np.nan, row.dtype))


def tabulated(basis: Basis | None, times: tf.Tensor | None, dtype: tf.DType) -> Basis | None:
  """Returns the basis with its values at times [T] in a table; itself where they are unknown."""
  if basis is None or times is None:
    return basis
  basis = basis.basis if isinstance(basis, Table) else basis
  return Table(basis, times, basis.values(tf.cast(times, dtype)))


def untabulated(potential: Any) -> Any:
  """Returns the potential with bases in place of tables, in which t has no derivative."""
  bases = {name: own.basis for name, own in vars(potential).items() if isinstance(own, Table)}
  twin = potential.over_parts(untabulated)
  return twin._twin(**bases) if bases else twin


@dataclasses.dataclass(frozen=True)
class Derivative:
  """The time derivatives of a basis, as a basis.

  Attributes:
    basis: A basis of time; its `rates` are used where it has them, and gradient tapes otherwise.
  """

  basis: Basis

  @property
  def size(self) -> int:
    """K."""
    return self.basis.size

  def values(self, t: tf.Tensor) -> tf.Tensor:
    """d/dt of the basis's values, [..., K] for times of shape [...]."""
    rates = getattr(self.basis, 'rates', None)
    return self._by_tape(t) if rates is None else rates(t)

  def _by_tape(self, t: tf.Tensor) -> tf.Tensor:
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
      tape.watch(t)
      columns = tf.unstack(self.basis.values(t), axis=-1)
    zero = tf.UnconnectedGradients.ZERO
    return tf.stack([tape.gradient(column, t, None, zero) for column in columns], axis=-1)


def time_derivative(potential: Any, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
  """d phi/dt, [...], of a potential linear in its amplitudes a(t): phi with a'(t) in their place.

  Args:
    potential: A potential with a `time_basis`, or None for amplitudes that are constant.
    t: Time, shape [].
    x: Points, [..., N].
  """
  basis = potential.time_basis
  if basis is None:
    return tf.zeros_like(x[..., 0])
  basis = basis.basis if isinstance(basis, Table) else basis
  return potential._twin(time_basis=Derivative(basis))(t, x)


def amplitudes(
  basis: Basis | None,
  coefficients: tf.Tensor,
  t: tf.Tensor,
  shift: tf.Tensor | None = None,
) -> tf.Tensor:
  """a(t): the coefficients themselves where there is no basis, [...]; sum_k T_k(t) c_k otherwise.

  Args:
    basis: The polynomials, or None for constant amplitudes.
    coefficients: c, shape [K, ...], or [...] without basis.
    t: Times, shape [*times]; [] where there is a shift.
    shift: What a context adds at all times, [..., ...]: to the coefficients of T_0 = 1.

  Returns:
    Shape [*times, ...].
  """
  t = tf.convert_to_tensor(t, dtype_hint=coefficients.dtype)
  if basis is None:
    shape = tf.concat([tf.shape(t), tf.shape(coefficients)], axis=0)
    constant = tf.broadcast_to(coefficients, shape) if t.shape.rank else tf.identity(coefficients)
    return constant if shift is None else constant + shift
  values = basis.values(tf.cast(t, coefficients.dtype))
  changing = tf.tensordot(values, coefficients, axes=1)
  return changing if shift is None else changing + values[0] * shift


def starting(basis: Basis | None, amplitude: tf.Tensor) -> tf.Tensor:
  """The coefficients that make `amplitude` [...] constant in time: [...], or [K, ...]."""
  if basis is None:
    return amplitude
  return tf.pad(amplitude[tf.newaxis], [[0, basis.size - 1], *[[0, 0]] * amplitude.shape.rank])


def extended(coefficients: np.ndarray, former: Basis | None, basis: Basis | None) -> np.ndarray:
  """The coefficients that make the same function of time in another basis.

  Args:
    coefficients: Shape [K', ...], or [...] of what is constant in time.
    former: The basis they are of, or None where they are constant.
    basis: T_0 = 1, T_1, ..., or None.

  Returns:
    Shape [K, ...], zero from K' on, where K' <= K; the coefficients themselves otherwise.

  Raises:
    ValueError: These are no polynomials of one horizon.
  """
  if basis is None:
    return coefficients
  if former is None:
    coefficients = coefficients[np.newaxis]
  elif not _same_polynomials(former, basis):
    raise ValueError(
      f'`smaller` must be constant in time, or vary by the polynomials of this one, {basis}, got '
      f'{former}: keep T = num_steps * step_size.'
    )
  missing = max(basis.size - len(coefficients), 0)
  return np.pad(coefficients, [(0, missing), *[(0, 0)] * (coefficients.ndim - 1)])


def _same_polynomials(one: Basis, other: Basis) -> bool:
  """True for two `TimeBasis` of one horizon, whose T_k are the same functions."""
  if not isinstance(one, TimeBasis) or not isinstance(other, TimeBasis):
    return one is other
  return bool(np.isclose(one.time, other.time))
