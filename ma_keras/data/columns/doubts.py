"""Ties that no density has: codes of missing values, and values that recur."""

from __future__ import annotations

import numpy as np

LEAST_REPEATS = 3
LEAST_SHARE = 1e-3  # Of the rows, for a code of missing values,
FREQUENT = 0.05  # and for a value that recurs in a column without a lattice,
TIMES = 3  # more often than any other by this factor,
VERY_FREQUENT = 0.2  # or so often.
MOST_CODES = 2


def doubts(unique: np.ndarray, repeats: np.ndarray, step: float) -> list[str]:
  """Returns phrases on suspicious ties, none where all is well.

  Args:
    unique: The different values, rising, shape [u], u > 1.
    repeats: Number of rows that each occurs in, shape [u].
    step: Spacing of the lattice they lie on, or 0.
  """
  share = repeats / repeats.sum()
  codes = _codes(unique, repeats)
  phrases = [
    f'{unique[k]:g} in {share[k]:.1%} of the rows, far outside: a code for missing values?'
    for k in codes
  ]
  often = int(np.argmax(repeats))
  if not step and often not in codes and _recurs(repeats):
    phrases.append(
      f'{unique[often]:g} in {share[often]:.1%} of the rows: no density has a value that recurs'
    )
  return phrases


def _recurs(repeats: np.ndarray) -> bool:
  second, first = np.partition(repeats, -2)[-2:]
  share = first / repeats.sum()
  if first < LEAST_REPEATS or share < FREQUENT:
    return False
  return bool(share >= VERY_FREQUENT or first >= TIMES * second)


def _codes(unique: np.ndarray, repeats: np.ndarray) -> list[int]:
  """Indices of ends that recur and are further from the rest than the rest is wide."""
  codes: list[int] = []
  low, high = 0, unique.size
  for _ in range(MOST_CODES):
    for end, begin, stop in ((high - 1, low, high - 1), (low, low + 1, high)):
      if stop - begin < 2 or repeats[end] < max(LEAST_REPEATS, LEAST_SHARE * repeats.sum()):
        continue
      rest, code = unique[begin:stop] / 2, unique[end] / 2  # Differences do not overflow.
      if min(abs(code - rest[0]), abs(code - rest[-1])) > np.ptp(rest):
        codes.append(end)
        low, high = begin, stop
        break
  return codes
