"""Figure 4: the variational free energy and configurations."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

import numpy as np

from ma_keras.plotting.canvas import subplots, tile

MOST_SNAPSHOTS = 4  # As in the paper.


def free_energy(
  epochs: np.ndarray,
  free_energy_per_site: np.ndarray,
  exact_per_site: float | None,
  snapshots: dict[int, np.ndarray],
  others: Mapping[str, tuple[np.ndarray, np.ndarray]] = types.MappingProxyType({}),
) -> Any:
  """Figure 4: the variational free energy falling to the exact one, with configurations.

  Args:
    epochs: Shape [E].
    free_energy_per_site: F/N after each epoch, shape [E].
    exact_per_site: -ln Z/N, the red line; None leaves it out.
    snapshots: Epoch to configurations, shape [rows * rows, L, L].
    others: Name to (epochs, F/N) of other runs, drawn behind.

  Returns:
    A matplotlib figure: the curve above, one tile of configurations per snapshot below.
  """
  if len(snapshots) > MOST_SNAPSHOTS:  # A run that was extended has more.
    chosen = np.linspace(0, len(snapshots) - 1, MOST_SNAPSHOTS).round().astype(int)
    snapshots = {epoch: snapshots[epoch] for epoch in np.array(list(snapshots))[chosen]}
  columns = max(len(snapshots), 1)
  figure, axes = subplots(
    2, columns, figsize=(8, 6), gridspec_kw={'height_ratios': [2, 1.2]}, squeeze=False
  )
  curve = figure.add_subplot(figure.axes[0].get_gridspec()[0, :])
  for unused in axes[0]:
    unused.remove()
  for name, (numbers, values) in others.items():
    curve.plot(numbers + 1, values, color='tab:gray', label=name)
  curve.plot(epochs + 1, free_energy_per_site, label='variational free energy')
  if exact_per_site is not None:
    curve.axhline(exact_per_site, color='red', label=f'exact {exact_per_site:.6f}')
  low = free_energy_per_site.min() if exact_per_site is None else exact_per_site
  top = max(np.percentile(y, 90) for y in (free_energy_per_site, *(y for _, y in others.values())))
  curve.set_ylim(low - 0.1 * (top - low), top + 0.1 * (top - low))
  curve.set(xlabel='epoch', ylabel='F / N')
  curve.legend()
  for inset, (epoch, configurations) in zip(axes[1], snapshots.items()):
    inset.imshow(tile(configurations), cmap='gray', interpolation='nearest')
    inset.set(title=f'epoch {epoch}', xticks=[], yticks=[], facecolor='tab:gray')
  return figure


def domains(fields: np.ndarray, times: np.ndarray, configurations: np.ndarray) -> Any:
  """Noise flowing to domains: one row of fields per moment, and the configurations drawn of them.

  Args:
    fields: x(t_s), shape [S, M, L, L], every row scaled by itself.
    times: t_s, shape [S].
    configurations: Spins of the last fields, shape [M, L, L].

  Returns:
    A matplotlib figure.
  """
  rows = [*fields, configurations]
  names = [*(f't = {t:.2g}' for t in times), 'drawn']
  count = len(configurations)
  figure, axes = subplots(len(rows), count, figsize=(count + 0.7, 1.02 * len(rows)), squeeze=False)
  for line, pictures, name in zip(axes, rows, names):
    most = np.percentile(np.abs(pictures), 99)
    for ax, picture in zip(line, pictures):
      ax.imshow(picture, cmap='RdBu', interpolation='nearest', vmin=-most, vmax=most)
      ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name, rotation=0, ha='right', va='center', fontsize=8)
  return figure
