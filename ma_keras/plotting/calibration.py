"""Calibration of latents: data that flow back are samples of the base, if the model is right."""

from __future__ import annotations

from typing import Any

import numpy as np

from ma_keras.plotting.canvas import subplots

MOST_LINES = 8
KOLMOGOROV = 1.358  # sqrt(n) sup |F_n - F| is below it with probability 0.95, for large n.


def distances(probabilities: np.ndarray) -> np.ndarray:
  """sup |F_n(p) - p| of every column: the Kolmogorov distance to Uniform(0, 1).

  Args:
    probabilities: Shape [n, N].

  Returns:
    Shape [N].
  """
  ordered = np.sort(probabilities, axis=0)
  steps = np.arange(len(ordered) + 1)[:, np.newaxis] / len(ordered)
  return np.maximum(np.max(steps[1:] - ordered, axis=0), np.max(ordered - steps[:-1], axis=0))


def uniformity(probabilities: np.ndarray, note: str = '') -> Any:
  """Sorted probability integral transforms against quantiles of Uniform(0, 1).

  Lines of a right model stay on the diagonal; a single one leaves the band once in twenty times.

  Args:
    probabilities: Phi(z_i) of n latents, shape [n, N]; of more than MOST_LINES coordinates the
      farthest from uniform are shown, and all together.
    note: Title.

  Returns:
    A matplotlib figure.
  """
  figure, axes = subplots(figsize=(6.4, 4.6))
  levels = _levels(len(probabilities))
  width = KOLMOGOROV / np.sqrt(len(levels))
  axes.fill_between(levels, levels - width, levels + width, color='0.9', label=f'95 %: {width:.3f}')
  axes.plot(levels, levels, color='red', linewidth=0.8)
  distance = distances(probabilities)
  ranked = np.argsort(-distance, kind='stable')[:MOST_LINES]
  for i in np.sort(ranked):
    label = f'latent {i}: {distance[i]:.3f}'
    axes.plot(levels, np.sort(probabilities[:, i]), linewidth=1.2, label=label)
  if probabilities.shape[1] > MOST_LINES:
    together = np.quantile(probabilities, levels)
    axes.plot(levels, together, color='black', linewidth=1.5, label='all together')
  axes.set(xlabel='quantile of Uniform(0, 1)', ylabel=r'quantile of $\Phi$(latent)', title=note)
  axes.set(xlim=(0, 1), ylim=(0, 1), aspect='equal')
  figure.legend(loc='outside right upper', title='distance to uniform', fontsize=8)
  return figure


def base_quantiles(data: np.ndarray, base: np.ndarray, note: str = '') -> Any:
  """Quantiles of ln p0 of data latents against those of samples of the base.

  Args:
    data: ln p0(z) of latents of data, nats, shape [n].
    base: ln p0(z) of samples of the base, nats, shape [m].
    note: Title.

  Returns:
    A matplotlib figure.
  """
  figure, axes = subplots(figsize=(6, 5))
  levels = _levels(len(data))
  expected = np.quantile(base, levels)
  ends = min(np.min(data), expected[0]), max(np.max(data), expected[-1])
  margin = 0.04 * (ends[1] - ends[0]) + 1e-6
  bottom, top = ends[0] - margin, ends[1] + margin
  width = KOLMOGOROV / np.sqrt(len(levels))
  low, high = (np.quantile(base, np.clip(levels + sign * width, 0, 1)) for sign in (-1, 1))
  low, high = np.where(levels > width, low, bottom), np.where(levels < 1 - width, high, top)
  axes.fill_between(expected, low, high, color='0.9', label='95 % of right models')
  axes.plot(expected, expected, color='red', linewidth=0.8)
  axes.plot(expected, np.sort(data), '.', markersize=3)
  axes.set(ylim=(bottom, top), xlabel=r'ln $p_0$ of samples of the base / nats', title=note)
  axes.set_ylabel(r'ln $p_0$ of latents of data / nats')
  axes.legend(loc='upper left', fontsize=8)
  return figure


def _levels(count: int) -> np.ndarray:
  return (np.arange(count) + 0.5) / count
