"""Kantorovich's dual problem: a lower bound of W2^2, and what to maximise for an optimal map."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras.transport import hessian
from ma_keras.transport.brenier import BrenierMap

ROWS = 4096  # Of an evaluation, at once.


@dataclasses.dataclass(frozen=True)
class DualBound:
  """A lower bound of W2^2, the least mean squared distance of a plan between P and Q.

  Attributes:
    value: Its estimate from samples, in squared units of the data; NaN if an inverse is unsolved.
    standard_error: Of the estimate; samples of P and Q are independent.
    unsolved: Share of the samples of Q whose inverse misses the tolerance.
    convex: Whether u is convex by construction; else it is a bound only if you know u to be.
  """

  value: float
  standard_error: float
  unsolved: float
  convex: bool

  def __str__(self) -> str:
    """One line."""
    doubt = f'; {self.unsolved:.2%} of the inverses are unsolved' if self.unsolved else ''
    doubt += '' if self.convex else '; if u is convex, which its potential does not see to'
    return f'W2^2 >= {self.value:.6g} +- {self.standard_error:.2g}{doubt}'


def potential_terms(optimal: BrenierMap, z: tf.Tensor) -> tf.Tensor:
  """psi(z) = u(z) - |z|^2/2, [...]: the term of samples of P in the dual problem."""
  phi = optimal.potential(tf.zeros([], z.dtype), z)
  return phi + (optimal.modulus - 1.0) * _half_square(z)


def conjugate_terms(optimal: BrenierMap, z: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
  """u*(x) - |x|^2/2 = -psi(z) - |x - z|^2/2 at z = (grad u)^-1(x), [...]: the term of samples of Q.

  With z held fixed its gradient by the variables is that of u*(x): by the envelope theorem the
  derivative through z vanishes.
  """
  return -potential_terms(optimal, z) - _half_square(x - z)


def dual_bound(optimal: BrenierMap, z: Any, x: Any) -> DualBound:
  """W2(P, Q)^2 >= -2 (E_P[u(z) - |z|^2/2] + E_Q[u*(x) - |x|^2/2]), equal for the optimal map.

  It holds for any convex u, so that samples which u was not trained on give an honest bound, in the
  mean. A z that misses the minimum of u(z) - x.z would make it too large: then it is NaN.

  Args:
    optimal: The map grad u.
    z: Samples of P, [n, N].
    x: Samples of Q, [m, N]; their number may be another one.

  Returns:
    The bound with its standard error.

  Raises:
    ValueError: The samples are not rows of N numbers, or fewer than two.
  """
  z, x = samples('z', z, optimal), samples('x', x, optimal)
  first = _in_batches(lambda rows: [potential_terms(optimal, rows)], z)[0]
  second, solved = _in_batches(lambda rows: _conjugate(optimal, rows), x)
  parts = -2.0 * first, -2.0 * second
  error = np.sqrt(sum(np.var(part, ddof=1) / len(part) for part in parts))
  unsolved = 1.0 - float(np.mean(solved))
  value = float(sum(np.mean(part) for part in parts)) if not unsolved else float('nan')
  return DualBound(value, float(error), unsolved, hessian.is_convex(optimal.potential))


def samples(name: str, x: Any, optimal: BrenierMap) -> np.ndarray:
  """Samples [n, N] in the map's dtype.

  Raises:
    ValueError: They are not finite rows of N numbers, or fewer than two.
  """
  array, size = np.asarray(x), optimal.potential.event_size
  if array.ndim != 2 or array.shape[1] != size or len(array) < 2:
    raise ValueError(
      f'`{name}` must be two samples or more, shape [n, {size}], got {list(array.shape)}: the map '
      f'has event_size={size}.'
    )
  if array.dtype.kind not in 'biuf' or not np.all(np.isfinite(array)):
    raise ValueError(f'`{name}` must hold finite real numbers, got {array.dtype}.')
  return array.astype(optimal.dtype.as_numpy_dtype)


def _conjugate(optimal: BrenierMap, x: tf.Tensor) -> list[tf.Tensor]:
  inverse = optimal.solve_inverse(x)
  return [conjugate_terms(optimal, inverse.z, x), inverse.solved]


def _in_batches(function: Any, x: np.ndarray) -> list[np.ndarray]:
  """Values of a function of rows, in float64, for all rows."""
  parts = [function(tf.constant(x[k : k + ROWS])) for k in range(0, len(x), ROWS)]
  return [np.concatenate(values).astype(np.float64) for values in zip(*parts)]


def _half_square(x: tf.Tensor) -> tf.Tensor:
  return 0.5 * tf.reduce_sum(tf.square(x), axis=-1)
