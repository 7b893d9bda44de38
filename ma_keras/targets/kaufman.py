"""Exact partition functions of the Ising model on finite square lattices, in NumPy float64.

The torus by Kaufman's closed form; lattices with open edges by transfer matrix, for want of one.
"""

from __future__ import annotations

import math

import numpy as np

from ma_keras.arguments import is_finite
from ma_keras.targets import lattice

# sinh(2K) = 1 (Onsager 1944). The paper's (1 + sqrt 2)/2 below Eq. 8 has lost the logarithm.
CRITICAL_COUPLING = math.log1p(math.sqrt(2.0)) / 2
MAX_OPEN_SIDE = 20


def log_partition(rows: int, columns: int, coupling: float) -> float:
  """Z = sum over spins of exp(K sum over bonds of s_i s_j), Eq. 10, on a rows x columns torus.

  With m = rows, n = columns (Kaufman 1949, Phys. Rev. 76, 1232, Eq. 39):
    Z = 1/2 (2 sinh 2K)^(mn/2) [prod 2 cosh(n g_odd / 2) + prod 2 sinh(n g_odd / 2)
                              + prod 2 cosh(n g_even / 2) + prod 2 sinh(n g_even / 2)],
  g_l the `_rapidities`, l = 0..2m-1. Only g_0 = 2K + ln tanh K is signed: it is negative above the
  critical temperature, and with it the fourth product. Turning over every other spin makes a
  negative K positive, but for the bonds that close a ring of odd length: those are antiperiodic,
  which changes the signs of the products (`_signs`).

  Args:
    rows: Number of rows m, at least 2.
    columns: Number of columns n, at least 2. A side of 2 has two bonds between its two sites.
    coupling: K in units of kT; any finite value of either sign.

  Returns:
    ln Z, a float; relative error about 1e-14, finite for any size.

  Raises:
    ValueError: If a side is below 2, the coupling is not finite, or so negative on an odd side that
      the products cancel.
  """
  lattice.check_lattice(rows, columns)
  coupling = check_coupling(coupling)
  if coupling == 0.0:
    return rows * columns * math.log(2.0)  # Free spins; g_0 = -inf below.
  if coupling < 0 and rows % 2 and not columns % 2:
    rows, columns = columns, rows  # The odd side last, as `_signs` has it.
  signs = _signs(rows, columns, coupling)
  coupling = abs(coupling)
  gap = 2 * coupling + math.log(math.tanh(coupling))
  half_angles = columns * _rapidities(rows, gap) / 2
  odd, even = half_angles[1::2], half_angles[::2]
  log_terms = [_log_2cosh(odd), _log_2sinh(odd), _log_2cosh(even), _log_2sinh(even)]
  prefactor = rows * columns / 2 * (2 * coupling + math.log(-math.expm1(-4 * coupling)))
  signs[3] *= np.sign(gap)
  return prefactor - math.log(2.0) + _log_signed_sum(log_terms, signs)


def open_log_partition(rows: int, columns: int, coupling: float) -> float:
  """Z = 1.(R V)^(m-1) R 1, the same sum over spins on a lattice with open edges.

  V = exp(K s s') joins each spin s of a row to s' of the next, R is the weight of the bonds within
  a row (Kramers and Wannier 1941). Time and memory grow as 2^min(rows, columns).

  Args:
    rows: Number of rows, at least 2.
    columns: Number of columns, at least 2; the shorter side at most 20.
    coupling: K in units of kT; any finite value of either sign.

  Returns:
    ln Z, a float.

  Raises:
    ValueError: If a side is below 2, both are above 20, or the coupling is not finite.
  """
  lattice.check_lattice(rows, columns, 'open')
  width, length = sorted((rows, columns))
  if width > MAX_OPEN_SIDE:
    raise ValueError(
      f'`rows` and `columns` must not both exceed {MAX_OPEN_SIDE} for open edges, got {rows} and '
      f"{columns}. Use boundary='periodic', which Kaufman's formula solves at any size."
    )
  coupling = check_coupling(coupling)
  # The strongest bond weighs 1, whatever K: products cannot overflow.
  bond = np.exp(coupling * np.array([[1.0, -1.0], [-1.0, 1.0]]) - abs(coupling))
  within_row = _row_weights(width, bond)
  bonds = 2 * rows * columns - rows - columns
  weights, log_scale = within_row, bonds * abs(coupling)
  for _ in range(length - 1):
    for _ in range(width):
      # Transposing brings the next spin to the front; after `width` turns the order is restored.
      weights = (bond @ weights.reshape(2, -1)).T.reshape(-1)
    weights = weights * within_row
    log_scale += math.log(weights.max())
    weights = weights / weights.max()
  return log_scale + math.log(weights.sum())


def check_coupling(coupling: float) -> float:
  """Returns the coupling as a float.

  Raises:
    ValueError: If it is infinite or not a number.
  """
  if not is_finite(coupling):
    raise ValueError(f'`coupling` must be finite, got {coupling!r}. Criticality is at 0.44068679.')
  return float(coupling)


def _signs(rows: int, columns: int, coupling: float) -> list[float]:
  """Signs of the four products: those of an even number of fermions, or odd, in odd or even modes.

  A seam of antiperiodic bonds across the columns weighs odd numbers of fermions by -1 in the trace;
  one along them exchanges the modes of the two sectors. An odd number of rows alone is not asked
  for: the torus may be turned.
  """
  if coupling > 0 or (rows % 2, columns % 2) == (0, 0):
    return [1.0, 1.0, 1.0, 1.0]
  return [-1.0, 1.0, 1.0, -1.0] if rows % 2 else [1.0, 1.0, -1.0, -1.0]


def _rapidities(rows: int, gap: float) -> np.ndarray:
  """Angles g_l, cosh g_l = cosh 2K coth 2K - cos(pi l / m), l = 0..2m-1; only g_0 = gap is signed.

  Used as sinh^2(g_l/2) = sinh^2(g_0/2) + sin^2(pi l / 2m), which keeps its digits near g_0 = 0, the
  critical point, where arccosh would lose half of them.
  """
  sines = np.sin(np.pi * np.arange(2 * rows) / (2 * rows))
  # The cap keeps sinh finite; beyond it every angle is |g_0|, its lower bound, to the last digit.
  angles = 2 * np.arcsinh(np.hypot(np.sinh(min(abs(gap), 1400.0) / 2), sines))
  angles = np.maximum(angles, abs(gap))
  angles[0] = gap
  return angles


def _log_2cosh(x: np.ndarray) -> float:
  """Sum of ln(2 cosh x)."""
  return float(np.sum(np.abs(x) + np.log1p(np.exp(-2 * np.abs(x)))))


def _log_2sinh(x: np.ndarray) -> float:
  """Sum of ln|2 sinh x|; -inf if any x is 0."""
  with np.errstate(divide='ignore'):
    return float(np.sum(np.abs(x) + np.log(-np.expm1(-2 * np.abs(x)))))


def _log_signed_sum(log_terms: list[float], signs: list[float]) -> float:
  """Stable ln sum_i sign_i exp(log_i).

  Raises:
    ValueError: Fewer than eight digits are left of the sum.
  """
  peak = max(log_terms)
  total = sum(s * math.exp(t - peak) for s, t in zip(signs, log_terms))
  if total < 1e-8:
    raise ValueError(
      '`coupling` is too negative for a torus with an odd side, whose rings are frustrated: the '
      'terms of the closed form cancel. Use even sides, or open edges.'
    )
  return peak + math.log(total)


def _row_weights(width: int, bond: np.ndarray) -> np.ndarray:
  """Product of the bonds within one row, for each of its 2^width configurations: [2^width]."""
  weights = np.ones(2)
  for _ in range(width - 1):
    # The new spin is the last, fastest index; the one before it is the last of `weights`.
    weights = (weights.reshape(-1, 2, 1) * bond).reshape(-1)
  return weights
