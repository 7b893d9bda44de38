"""Transport in the plane: paths, a convex function with its map, and what training does to cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ma_keras.plotting.canvas import subplots

START, END = 'tab:blue', 'tab:red'


def paths(flows: Mapping[str, np.ndarray]) -> Any:
  """Paths of the same points under several flows, side by side.

  Args:
    flows: Title to positions x(t_s) of n points, shape [S, n, 2], from the first time to the last.

  Returns:
    A matplotlib figure: blue where paths start, red where they end.

  Raises:
    ValueError: There is no flow, or the points are not of the plane.
  """
  for name, positions in flows.items():
    if np.ndim(positions) != 3 or np.shape(positions)[2] != 2:
      raise ValueError(
        f'`flows` {name!r} must have shape [S, n, 2], got {list(np.shape(positions))}.'
      )
  if not flows:
    raise ValueError('`flows` must hold one flow at least.')
  size = len(flows)
  figure, axes = subplots(1, size, figsize=(4 * size, 4), squeeze=False, sharex=True, sharey=True)
  for ax, (name, positions) in zip(axes[0], flows.items()):
    ax.plot(positions[..., 0], positions[..., 1], color='0.6', linewidth=0.5)
    ax.plot(*positions[0].T, '.', color=START, markersize=3)
    ax.plot(*positions[-1].T, '.', color=END, markersize=3)
    ax.set(title=name, aspect='equal')
  return figure


def convex_map(
  grid: tuple[np.ndarray, np.ndarray], values: np.ndarray, images: np.ndarray, z: np.ndarray
) -> Any:
  """A convex function u by its level lines, and its gradient map by what it makes of a grid.

  Args:
    grid: Coordinates of the grid's columns and rows, shapes [I] and [J].
    values: u on the grid, shape [I, J].
    images: grad u there, shape [I, J, 2].
    z: Samples of what goes in, shape [n, 2], drawn over the level lines.

  Returns:
    A matplotlib figure of two panels.
  """
  first, second = grid
  if np.shape(values) != (len(first), len(second)) or np.shape(images) != (*np.shape(values), 2):
    raise ValueError(
      f'`values` and `images` must have shapes [{len(first)}, {len(second)}] and [..., 2], got '
      f'{list(np.shape(values))} and {list(np.shape(images))}.'
    )
  figure, (left, right) = subplots(1, 2, figsize=(8, 4))
  left.contour(first, second, np.transpose(values), levels=20, linewidths=0.7)
  left.plot(*np.transpose(z), '.', color=START, markersize=2)
  left.set(title='u', xlabel='$z_1$', ylabel='$z_2$', aspect='equal')
  left.set(xlim=(np.min(first), np.max(first)), ylim=(np.min(second), np.max(second)))
  right.plot(images[..., 0], images[..., 1], color='0.4', linewidth=0.5)
  right.plot(images[..., 0].T, images[..., 1].T, color='0.4', linewidth=0.5)
  right.set(title='grad u of a square grid', xlabel='$x_1$', ylabel='$x_2$', aspect='equal')
  return figure


def transport_cost(steps: np.ndarray, curves: Mapping[str, np.ndarray], least: float) -> Any:
  """Path energy, or a bound of the squared distance, over training.

  Args:
    steps: Number of the step or epoch, shape [E].
    curves: Name to squared distances, T times the mean integral of |v|^2 for a flow, shape [E].
    least: W2^2, which no path energy is below.

  Returns:
    A matplotlib figure.
  """
  figure, ax = subplots(figsize=(6, 4))
  for name, values in curves.items():
    ax.plot(steps, values, label=name)
  ax.axhline(least, color='0.3', linewidth=0.8, linestyle='--', label='$W_2^2$')
  ax.set(xlabel='step', ylabel='squared distance')
  ax.legend()
  return figure
