"""Clusters of particles: distances and energies of two sources, a training, and structures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ma_keras.plotting.canvas import subplots

BINS = 120
OUTLIERS = 0.5  # Per cent at either end that the axes leave out.
BOND = 1.3  # Neighbours are nearer than so many least distances.


def cluster_histograms(
  distances: Mapping[str, np.ndarray], energies: Mapping[str, np.ndarray]
) -> Any:
  """Histograms of pair distances and of energies, sources on top of one another.

  Args:
    distances: Source to distances of pairs, any shape.
    energies: Source to energies in kT, any shape.

  Returns:
    A matplotlib figure of two panels.
  """
  figure, axes = subplots(1, 2, figsize=(9, 3.6))
  for ax, values, name in zip(axes, (distances, energies), ('distance of a pair', 'energy / kT')):
    every = np.concatenate([np.ravel(source) for source in values.values()])
    low, top = np.percentile(every, [OUTLIERS, 100 - OUTLIERS])
    edges = np.linspace(low, top, BINS + 1)
    for label, source in values.items():
      counts, _ = np.histogram(source, edges)
      ax.stairs(counts / (np.size(source) * np.diff(edges)), edges, label=label, linewidth=1.4)
    ax.set(xlabel=name, ylabel='density')
  axes[0].legend()
  return figure


def cluster_training(
  epochs: np.ndarray, loss: np.ndarray, effective_sample_size: np.ndarray | None = None
) -> Any:
  """The loss and the effective sample size over the epochs.

  Args:
    epochs: Shape [E].
    loss: Nats, shape [E].
    effective_sample_size: As a fraction, shape [E]; None where it was not measured.

  Returns:
    A matplotlib figure.
  """
  figure, ax = subplots(figsize=(6.4, 3.6))
  ax.plot(epochs + 1, loss, color='tab:blue')
  ax.set(xlabel='epoch')
  ax.set_ylabel('loss / nats', color='tab:blue')
  finite = loss[np.isfinite(loss)]
  if finite.size:  # The first epochs fall from very high.
    low, top = finite.min(), np.percentile(finite, 90)
    ax.set_ylim(low - 0.1 * (top - low) - 1e-3, top + 0.1 * (top - low) + 1e-3)
  if effective_sample_size is not None:
    other = ax.twinx()
    other.plot(epochs + 1, 100 * effective_sample_size, color='tab:orange')
    other.set_ylim(0, 100)
    other.set_ylabel('effective sample size / %', color='tab:orange')
  return figure


def structures(positions: np.ndarray) -> Any:
  """Clusters side by side, neighbours joined by bonds.

  Args:
    positions: Of particles in the plane or in space, [m, n, 2] or [m, n, 3].

  Returns:
    A matplotlib figure.
  """
  count, _, dimensions = positions.shape
  kind = {'projection': '3d'} if dimensions == 3 else {}
  figure, axes = subplots(1, count, figsize=(2.2 * count, 2.4), subplot_kw=kind, squeeze=False)
  for ax, cluster in zip(axes[0], positions):
    for i, j in bonds(cluster):
      ax.plot(*cluster[[i, j]].T, color='0.6', linewidth=1.0)
    ax.scatter(*cluster.T, s=60, color='tab:blue', edgecolors='black', linewidths=0.5)
    ax.set_aspect('equal')
    ax.margins(0.2)
    ax.set_axis_off()
  return figure


def bonds(cluster: np.ndarray) -> list[tuple[int, int]]:
  """Pairs (i, j), i < j, of a cluster [n, D] that are near one another."""
  gaps = np.linalg.norm(cluster[:, np.newaxis] - cluster, axis=-1)
  np.fill_diagonal(gaps, np.inf)
  near = gaps < BOND * np.median(gaps.min(axis=-1))
  return [(int(i), int(j)) for i, j in np.argwhere(np.triu(near))]
