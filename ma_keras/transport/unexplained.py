"""The distance of a map from the optimal one where that is known."""

from __future__ import annotations

from typing import Any

import numpy as np

from ma_keras.transport.wasserstein import Estimate


def unexplained_variance(mapped: Any, optimal: Any) -> Estimate:
  """L2-UVP = 100 E|T(x) - T*(x)|^2 / Var(Q), in per cent (Korotin et al. 2021).

  Zero for the optimal map T*, 100 for the constant map to the mean of Q.

  Args:
    mapped: T(x) of independent x ~ P, [n, N].
    optimal: T*(x) of the same points, [n, N]: samples of Q, whose total variance is taken.

  Returns:
    The percentage with its standard error over points.

  Raises:
    ValueError: The two have not one shape [n, N] with n at least 2, or Q is a single point.
  """
  mapped, optimal = (np.asarray(points, np.float64) for points in (mapped, optimal))
  if mapped.shape != optimal.shape or mapped.ndim != 2 or len(mapped) < 2:
    raise ValueError(
      '`mapped` and `optimal` must be images [n, N] of the same points, n at least 2, got '
      f'{mapped.shape} and {optimal.shape}.'
    )
  variance = float(np.sum(np.var(optimal, axis=0, ddof=1)))
  if not variance > 0:
    raise ValueError('`optimal` does not vary: the map to a single point has nothing to explain.')
  errors = Estimate.of(np.sum((mapped - optimal) ** 2, axis=1))
  return Estimate(100 * errors.value / variance, 100 * errors.error / variance)
