"""What figures are drawn on."""

from __future__ import annotations

from typing import Any

import numpy as np


def tile(configurations: np.ndarray) -> np.ndarray:
  """Lays r * r pictures [r * r, L, L] out on one [r (L + 1) - 1, r (L + 1) - 1] picture."""
  rows = int(np.sqrt(len(configurations)))
  framed = np.pad(
    configurations[: rows * rows].astype(float), ((0, 0), (0, 1), (0, 1)), constant_values=np.nan
  )
  side = framed.shape[-1]
  grid = framed.reshape(rows, rows, side, side).swapaxes(1, 2)
  return grid.reshape(rows * side, rows * side)[:-1, :-1]


def subplots(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
  """A figure and its axes, with or without a display."""
  from matplotlib.figure import Figure  # Not pyplot: no global state, no display needed.

  figure = Figure(figsize=kwargs.pop('figsize'), layout='constrained')
  return figure, figure.subplots(*args, **kwargs)
