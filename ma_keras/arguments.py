"""Checks of numbers among arguments: whole, finite, or probabilities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def is_whole(value: Any, least: int = 1) -> bool:
  """Tells if it is a whole number from `least` on: 3, 3.0, np.int64(3); True, '3', NaN are none."""
  try:
    return not isinstance(value, bool) and int(value) == value and value >= least
  except (TypeError, ValueError, OverflowError):  # None and text; NaN; infinity.
    return False


def is_finite(value: Any) -> bool:
  """Tells if it is one real number, and finite."""
  try:
    return not isinstance(value, bool) and math.isfinite(value)
  except (TypeError, ValueError, OverflowError):  # None, text and arrays; 10**400.
    return False


def is_distribution(value: Any, size: int) -> bool:
  """Tells if they are `size` positive numbers of sum 1."""
  array = np.asarray(value)
  if array.shape != (size,) or array.dtype.kind not in 'iuf':
    return False
  return bool(np.all(array > 0)) and abs(float(np.sum(array)) - 1) <= 1e-6
