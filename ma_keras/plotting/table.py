"""A density of the rows of a table: data, samples and, in one and two dimensions, the density."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ma_keras.plotting.axis import Axis
from ma_keras.plotting.canvas import subplots

COLOURS = {'data': 'tab:blue', 'samples': 'tab:orange'}
SHARES = (0.1, 0.5, 0.9, 0.99)  # Of samples within a contour.
FEW = 300  # Points that are drawn larger.
Points = Mapping[str, np.ndarray]


def histogram(axis: Axis, points: Points, density: np.ndarray | None = None) -> Any:
  """One column: histograms, and the density as a curve.

  Args:
    axis: Of the column.
    points: 'data' and 'samples', or one of them, shape [n, 1] each.
    density: p(x) at `axis.grid(M)`, shape [M], or None.

  Returns:
    A matplotlib figure.
  """
  figure, axes = subplots(figsize=(7, 4.5))
  _histograms(axes, axis, {name: x[:, 0] for name, x in points.items()})
  if density is not None:
    x = axis.grid(len(density))
    axes.plot(x, density * axis.slope(x), color='black', linewidth=1.2, label='density')
  axes.set(xlabel=axis.name, ylabel=axis.density_label, ylim=(0, None))
  handles, names = axes.get_legend_handles_labels()
  counts = {name: _counted(name, x, [axis]) for name, x in points.items()}
  figure.legend(
    handles, [counts.get(name, name) for name in names], loc='outside upper center', ncols=2
  )
  return figure


def contours(
  pair: Sequence[Axis], points: Points, log_prob: np.ndarray, sampled: np.ndarray
) -> Any:
  """Two columns: regions of highest density, with data and samples over them.

  The region {ln p >= l} that holds a share s of samples has l = quantile 1 - s of their ln p. On
  axes that are not linear p is the density of what is plotted, ln x say.

  Args:
    pair: Axes of the columns.
    points: 'samples', and 'data' or not, shape [n, 2] each.
    log_prob: ln p(x) at `grid(M)` of both axes, nats, shape [M, M], the first column along the
      first.
    sampled: ln p(x) of the samples, nats, shape [n].

  Returns:
    A matplotlib figure.
  """
  figure, axes = subplots(figsize=(7, 6))
  slopes = [np.log(axis.slope(x)) for axis, x in zip(pair, points['samples'].T)]
  levels = _levels(sampled + slopes[0] + slopes[1])
  grids = [axis.grid(size) for axis, size in zip(pair, log_prob.shape)]
  slopes = [np.log(axis.slope(x)) for axis, x in zip(pair, grids)]
  _fill(figure, axes, grids, log_prob + np.add.outer(*slopes), levels)
  _scatter(axes, pair, points, 2.5)
  axes.set(xlabel=pair[0].name, ylabel=pair[1].name)
  labels = [_counted(name, points[name], pair) for name in _drawn_in_order(points)]
  figure.legend(axes.lines, labels, loc='outside upper center', ncols=2, markerscale=4)
  return figure


def pairs(columns: Sequence[Axis], points: Points) -> Any:
  """Several columns: every pair of them below the diagonal, histograms on it.

  Args:
    columns: K axes.
    points: 'data' and 'samples', or one of them, shape [n, K] each.

  Returns:
    A matplotlib figure.
  """
  count = len(columns)
  side = max(1.9 * count, 4.0)
  figure, panels = subplots(count, count, figsize=(side, side + 0.4), squeeze=False)
  for i, row in enumerate(panels):
    for j, panel in enumerate(row):
      if j > i:
        panel.remove()
      elif j == i:
        _histograms(panel, columns[i], {name: x[:, i] for name, x in points.items()})
        panel.set(yticks=[], ylim=(0, None))
      else:
        _scatter(panel, (columns[j], columns[i]), {n: x[:, [j, i]] for n, x in points.items()})
      panel.tick_params(labelsize=7)
      _label(panel, columns, i, j)
  labels = [_counted(name, x, columns) for name, x in points.items()]
  handles = panels[0, 0].get_legend_handles_labels()[0]
  figure.legend(handles, labels, loc='outside upper right', ncols=1)
  figure.align_ylabels()
  return figure


def _label(panel: Any, columns: Sequence[Axis], i: int, j: int) -> None:
  """Names and ticks at the left and at the bottom of all panels alone."""
  if i == len(columns) - 1:
    panel.set_xlabel(_short(columns[j].name), fontsize=9)
    panel.tick_params(axis='x', labelrotation=45)
  else:
    panel.tick_params(axis='x', which='both', labelbottom=False)
  if j == 0:
    panel.set_ylabel(_short(columns[i].name), fontsize=9)
  elif i != j:
    panel.tick_params(axis='y', which='both', labelleft=False)


def _short(name: str, most: int = 22) -> str:
  return name if len(name) <= most else f'{name[: most - 3]}...'


def _drawn_in_order(points: Points) -> list[str]:
  """Names, the most numerous points first: they are drawn below the others."""
  return sorted(points, key=lambda name: -len(points[name]))


def _scatter(panel: Any, pair: Sequence[Axis], points: Points, size: float = 1.5) -> None:
  for name in _drawn_in_order(points):
    x = points[name]
    larger = 2 * size if len(x) < FEW else size
    panel.plot(*x.T, '.', markersize=larger, alpha=0.5, color=COLOURS[name], zorder=3)
  for axis, which in zip(pair, 'xy'):
    axis.apply(panel, which)


def _histograms(panel: Any, axis: Axis, points: Points) -> None:
  for name, x in points.items():
    heights, edges = axis.histogram(x)
    style = {'color': COLOURS[name], 'label': name}
    if name == 'data':
      panel.stairs(heights, edges, fill=True, alpha=0.4, **style)
    else:
      panel.stairs(heights, edges, linewidth=1.4, **style)
  axis.apply(panel, 'x')


def _levels(sampled: np.ndarray) -> dict[float, float]:
  """Levels of ln p, increasing and different, to the share of samples within each."""
  finite = sampled[np.isfinite(sampled)]
  shares = sorted(SHARES, reverse=True) if finite.size else []
  return {float(np.quantile(finite, 1 - share)): share for share in shares}


def _fill(
  figure: Any,
  axes: Any,
  grids: Sequence[np.ndarray],
  values: np.ndarray,
  levels: dict[float, float],
) -> None:
  """Draws regions in grey, and tells the share of samples in each and ln p at its edge."""
  masked = np.ma.masked_invalid(values.T)
  if not levels or not masked.count():
    return
  top = max(float(masked.max()), max(levels)) + 1e-6
  filled = axes.contourf(*grids, masked, [*levels, top], cmap='Greys', alpha=0.4)
  axes.contour(*grids, masked, list(levels), colors='black', linewidths=0.8, linestyles='solid')
  bar = figure.colorbar(filled, ax=axes, spacing='uniform')
  bar.set_ticks(list(levels), labels=[f'{s:.0%}: {level:.2f}' for level, s in levels.items()])
  bar.set_label('share of samples within: ln p at the edge / nats')


def _counted(name: str, x: np.ndarray, columns: Sequence[Axis]) -> str:
  """'data (1,000; 3 beyond the axes)'."""
  shown = np.all([axis.shows(x[:, k]) for k, axis in enumerate(columns)], axis=0)
  beyond = len(x) - int(np.sum(shown))
  return f'{name} ({len(x):,}{f"; {beyond:,} beyond the axes" if beyond else ""})'
