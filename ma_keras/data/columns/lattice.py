"""The lattice that the values of a column lie on: whole numbers, tenths, two values."""

from __future__ import annotations

import numpy as np

EXACT = 2.0**53  # Whole numbers below are exact in float64.
ON_LATTICE = 1e-3  # Of a step: how far from the lattice a value may lie.
FLOAT32_ROUNDING = 2.0**29  # In units of float64's.


def lattice_step(unique: np.ndarray, count: int) -> float:
  """Returns the largest step with v = least + k step for all values; 0 where there is none.

  Ties must abound: at most half as many different values as values. The step is the greatest
  common divisor of the distances from the least value: exactly, of whole numbers; by Euclid's
  algorithm up to a thousandth of itself, of others, which may have been rounded.

  Args:
    unique: The different values, rising, shape [u].
    count: Number of values.
  """
  if unique.size < 2 or 2 * unique.size > count:
    return 0.0
  offsets = unique - unique[0]
  if np.array_equal(np.floor(unique), unique) and np.max(np.abs(unique)) < EXACT:
    return float(np.gcd.reduce(offsets.astype(np.int64)))
  rounding = _rounding(unique)
  step = float(np.min(np.diff(unique)))
  while step > 100 * rounding:
    remainder = np.abs(offsets - step * np.round(offsets / step))
    off = remainder > max(ON_LATTICE * step, 4 * rounding)
    if not np.any(off):
      return float(offsets[-1] / np.round(offsets[-1] / step))
    step = float(np.min(remainder[off]))
  return 0.0


def nearest(
  values: np.ndarray, step: float, origin: float, low: float = -np.inf, high: float = np.inf
) -> np.ndarray:
  """origin + k step nearest to each value: 0.3, and no 0.30000000000000004, among tenths.

  Args:
    values: Any shape.
    step: Positive.
    origin: One value of the lattice.
    low: Least that may come out, up to a millionth of a step.
    high: Greatest.
  """
  slack = 1e-6
  least = np.ceil((low - origin) / step - slack)
  greatest = np.floor((high - origin) / step + slack)
  k = np.clip(np.round((values - origin) / step), least, greatest)
  parts, shift = 1.0 / step, origin / step
  whole_parts = round(parts)
  if whole_parts and abs(parts - whole_parts) < slack * parts and abs(shift - round(shift)) < slack:
    return (k + round(shift)) / whole_parts  # A quotient of whole numbers is rounded once.
  return origin + k * step


def _rounding(values: np.ndarray) -> float:
  """Rounding error of the largest value: that of float32 where it holds all values."""
  rounding = float(np.finfo(np.float64).eps * np.max(np.abs(values)))
  with np.errstate(over='ignore'):
    single = np.array_equal(values.astype(np.float32), values)
  return rounding * FLOAT32_ROUNDING if single else rounding
