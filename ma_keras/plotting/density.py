"""Figure 3 and its companions: a density of images, its samples and its latents."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ma_keras.plotting.canvas import subplots, tile

# Test NLL on MNIST in nats, logit space: Papamakarios et al. (2017), and the paper's own.
MNIST_BASELINES = {
  'MADE': 1380.8,
  'Real NVP': 1323.2,
  'MAF': 1300.5,
  'Zhang, E & Wang': 1255.5,
  'MAF MoG': 1100.3,
  'MADE MoG': 1038.5,
}


def likelihood(
  epochs: np.ndarray,
  curves: Mapping[str, np.ndarray],
  baselines: Mapping[str, float] | None = None,
) -> Any:
  """Figure 3(a): negative log likelihood over epochs beside what others reached.

  Args:
    epochs: Shape [E].
    curves: Name to nats, shape [E].
    baselines: Name to nats, as horizontal lines.

  Returns:
    A matplotlib figure.
  """
  figure, axes = subplots(figsize=(7, 4.5))
  for name, values in curves.items():
    axes.plot(epochs + 1, values, label=name)
  for name, value in (baselines or {}).items():
    axes.axhline(value, color='0.6', linewidth=0.8, linestyle='--')
    axes.annotate(name, (1.0, value), xycoords=('axes fraction', 'data'), fontsize=8, ha='right')
  every = np.concatenate([np.ravel(v) for v in curves.values()])
  lowest = min([np.nanmin(every), *(baselines or {}).values()])
  highest = max([np.nanpercentile(every, 90), *(baselines or {}).values()])
  margin = 0.05 * (highest - lowest) + 1e-9
  axes.set(xlabel='epoch', ylabel='NLL / nats', ylim=(lowest - margin, highest + margin))
  axes.legend(loc='upper center')
  return figure


def flowing(images: np.ndarray, times: Sequence[float], label: str = 't') -> Any:
  """Figure 3(b): images on their way, one row per moment.

  Args:
    images: Shape [S, M, height, width, channels], every row scaled by itself.
    times: t_s, or whatever tells the rows apart, shape [S].
    label: Its name.

  Returns:
    A matplotlib figure.
  """
  rows, columns = images.shape[:2]
  figure, axes = subplots(rows, columns, figsize=(0.7 * columns + 0.6, 0.75 * rows), squeeze=False)
  for row, (pictures, t) in zip(axes, zip(images, times)):
    low, high = np.percentile(pictures, [1, 99])
    for ax, picture in zip(row, pictures):
      shown = np.clip((picture - low) / max(high - low, 1e-9), 0, 1)
      ax.imshow(np.squeeze(shown), cmap='gray', interpolation='nearest', vmin=0, vmax=1)
      ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(f'{label} = {t:.3g}', rotation=0, ha='right', va='center', fontsize=8)
  return figure


def gallery(images: np.ndarray) -> Any:
  """Samples side by side.

  Args:
    images: Shape [r * r, height, width, channels], heights and widths alike.

  Returns:
    A matplotlib figure.
  """
  figure, axes = subplots(figsize=(6, 6))
  axes.imshow(tile(np.mean(images, axis=-1)), cmap='gray', interpolation='nearest')
  axes.set(xticks=[], yticks=[])
  return figure


def latents(z: np.ndarray) -> Any:
  """The latents of data against Normal(0, 1): histogram and quantiles.

  Args:
    z: Latents, any shape; all coordinates together.

  Returns:
    A matplotlib figure.
  """
  values = np.sort(np.ravel(z))
  figure, (left, right) = subplots(1, 2, figsize=(8, 3.6))
  left.hist(values, bins=np.linspace(-5, 5, 101).tolist(), density=True, color='tab:blue')
  x = np.linspace(-5, 5, 201)
  left.plot(x, np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi), color='red', label='Normal(0, 1)')
  left.set(xlabel='latent coordinate', ylabel='density')
  left.legend()
  levels = (np.arange(199) + 1) / 200
  normal = _normal_quantiles(levels)
  right.plot(normal, np.quantile(values, levels), '.', markersize=3)
  right.plot(normal, normal, color='red', linewidth=0.8)
  right.set(xlabel='quantile of Normal(0, 1)', ylabel='quantile of latents')
  return figure


def pixel_maps(values: np.ndarray, mapped: Mapping[str, np.ndarray]) -> Any:
  """Maps of single pixels by the potential: latent coordinate over the pixel's value.

  Args:
    values: Shape [M].
    mapped: Name of a pixel to its latent at those values, shape [M].

  Returns:
    A matplotlib figure.
  """
  figure, axes = subplots(figsize=(5, 4))
  for name, curve in mapped.items():
    axes.plot(values, curve, label=name)
  axes.set(xlabel='pixel, logit', ylabel='latent')
  axes.legend()
  return figure


def _normal_quantiles(levels: np.ndarray) -> np.ndarray:
  from statistics import NormalDist

  return np.array([NormalDist().inv_cdf(float(level)) for level in levels])
