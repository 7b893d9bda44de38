"""Pictures of mutual information, of data beside latents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ma_keras.plotting.canvas import subplots


def information_maps(maps: Mapping[str, np.ndarray], noise: float, note: str = '') -> Any:
  """One panel a map of nats, all on one logarithmic scale that begins at the noise.

  What is below the noise has the lowest colour: nothing is known of it but that it is little.

  Args:
    maps: Name to mutual information, [H, W]: by offset, or pair by pair; NaN is left white.
    noise: Standard deviation of an entry under independence, positive.
    note: Title.

  Returns:
    A matplotlib figure.

  Raises:
    ValueError: There is no map.
  """
  from matplotlib.colors import LogNorm

  if not maps:
    raise ValueError("`maps` is empty: give one map at least, {'latents': by.nats}.")
  most = max(float(np.nanmax(nats)) for nats in maps.values())
  norm = LogNorm(noise, max(most, 10 * noise), clip=True)
  figure, axes = subplots(1, len(maps), figsize=(3.4 * len(maps) + 0.8, 3.4), squeeze=False)
  for panel, (name, nats) in zip(axes[0], maps.items()):
    height, width = nats.shape
    left, top = -(width // 2) - 0.5, -(height // 2) - 0.5
    extent = (left, left + width, top + height, top)
    image = panel.imshow(nats, norm=norm, cmap='magma', extent=extent, interpolation='nearest')
    panel.set(title=name)
  figure.colorbar(image, ax=axes[0], label='nats; darkest: within the noise', shrink=0.8)
  figure.suptitle(note)
  return figure
