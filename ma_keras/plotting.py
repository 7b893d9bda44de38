"""Figures of the paper: arrays in, matplotlib figures out. Needs the `plot` extra."""

from __future__ import annotations

from typing import Any

import numpy as np

MOST_SNAPSHOTS = 4  # As in the paper.


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
  figure, axes = _subplots(figsize=(6, 4))
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


def free_energy(
  epochs: np.ndarray,
  free_energy_per_site: np.ndarray,
  exact_per_site: float | None,
  snapshots: dict[int, np.ndarray],
) -> Any:
  """Figure 4: the variational free energy falling to the exact one, with configurations.

  Args:
    epochs: Shape [E].
    free_energy_per_site: F/N after each epoch, shape [E].
    exact_per_site: -ln Z/N, the red line; None leaves it out.
    snapshots: Epoch to configurations, shape [rows * rows, L, L].

  Returns:
    A matplotlib figure: the curve above, one tile of configurations per snapshot below.
  """
  if len(snapshots) > MOST_SNAPSHOTS:  # A run that was extended has more.
    chosen = np.linspace(0, len(snapshots) - 1, MOST_SNAPSHOTS).round().astype(int)
    snapshots = {epoch: snapshots[epoch] for epoch in np.array(list(snapshots))[chosen]}
  columns = max(len(snapshots), 1)
  figure, axes = _subplots(
    2, columns, figsize=(8, 6), gridspec_kw={'height_ratios': [2, 1.2]}, squeeze=False
  )
  curve = figure.add_subplot(figure.axes[0].get_gridspec()[0, :])
  for unused in axes[0]:
    unused.remove()
  curve.plot(epochs + 1, free_energy_per_site, label='variational free energy')
  if exact_per_site is not None:
    curve.axhline(exact_per_site, color='red', label=f'exact {exact_per_site:.6f}')
  low = free_energy_per_site.min() if exact_per_site is None else exact_per_site
  top = np.percentile(free_energy_per_site, 90)
  curve.set_ylim(low - 0.1 * (top - low), top + 0.1 * (top - low))
  curve.set(xlabel='epoch', ylabel='F / N')
  curve.legend()
  for inset, (epoch, configurations) in zip(axes[1], snapshots.items()):
    inset.imshow(tile(configurations), cmap='gray', interpolation='nearest')
    inset.set(title=f'epoch {epoch}', xticks=[], yticks=[], facecolor='tab:gray')
  return figure


def tile(configurations: np.ndarray) -> np.ndarray:
  """Lays r * r pictures [r * r, L, L] out on one [r (L + 1) - 1, r (L + 1) - 1] picture."""
  rows = int(np.sqrt(len(configurations)))
  framed = np.pad(
    configurations[: rows * rows].astype(float), ((0, 0), (0, 1), (0, 1)), constant_values=np.nan
  )
  side = framed.shape[-1]
  grid = framed.reshape(rows, rows, side, side).swapaxes(1, 2)
  return grid.reshape(rows * side, rows * side)[:-1, :-1]


def _subplots(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
  from matplotlib.figure import Figure  # Not pyplot: no global state, no display needed.

  figure = Figure(figsize=kwargs.pop('figsize'), layout='constrained')
  return figure, figure.subplots(*args, **kwargs)
