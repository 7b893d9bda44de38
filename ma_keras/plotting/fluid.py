"""Figure 1(a): parcels of a fluid."""

from __future__ import annotations

from typing import Any

import numpy as np

from ma_keras.plotting.canvas import subplots


def fluid(
  times: np.ndarray, paths: np.ndarray, densities: list[tuple[np.ndarray, np.ndarray]]
) -> Any:
  """Figure 1(a): parcels of a one-dimensional fluid, and its density at the same times.

  Args:
    times: t_s, shape [S].
    paths: x(t_s) of B parcels, shape [S, B].
    densities: For each time, positions and densities p(x, t_s), both of shape [M].

  Returns:
    A matplotlib figure, time upwards.
  """
  figure, axes = subplots(figsize=(6, 4))
  gap = np.min(np.diff(times))
  tallest = max(density.max() for _, density in densities)
  for t, (x, density) in zip(times, densities):
    height = 0.8 * gap * density / tallest
    axes.fill_between(x, t, t + height, color='tab:blue', alpha=0.35, linewidth=0)
    axes.plot(x, t + height, color='tab:blue', linewidth=1)
  axes.plot(paths, times, color='0.3', linewidth=0.7)
  axes.plot(paths, times, '.', color='0.3', markersize=3)
  axes.set(xlabel='x', ylabel='t', title='Gradient flow of a compressible fluid')
  return figure
