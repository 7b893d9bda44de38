"""Canvas that figures are drawn on."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np

from ma_keras.files.replacing import replacing


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


def save(figure: Any, path: str | pathlib.Path) -> None:
  """Writes the figure as a PNG, whole or not at all.

  Raises:
    ValueError: The name is not that of a .png.
    OSError: It cannot be written.
  """
  if pathlib.Path(path).suffix.lower() != '.png':
    raise ValueError(f'`path` {path} must end in .png.')
  with replacing(pathlib.Path(path)) as beside:
    figure.savefig(beside, dpi=150, format='png')
