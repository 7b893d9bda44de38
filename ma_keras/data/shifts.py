"""Images moved by a few pixels at random, so that a model learns more of them than there are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def shifted(
  rows: np.ndarray, image_shape: Sequence[int], pixels: int, generator: np.random.Generator
) -> np.ndarray:
  """Every image moved by up to so many pixels, down and to the right, each shift as likely.

  What comes in over an edge repeats the pixels of that edge. With s pixels an image has (2 s + 1)^2
  shifts, so a density that knows all of them pays at most 2 ln(2 s + 1) nats.

  Args:
    rows: Images of H W C numbers, after any contexts, [n, O + H W C].
    image_shape: (H, W, C).
    pixels: s, at most H and W.
    generator: Draws the shifts.

  Returns:
    Rows of the same shape and dtype, with the contexts as they were.
  """
  height, width, channels = image_shape
  size, count = math.prod(image_shape), len(rows)
  images = rows[:, -size:].reshape(count, height, width, channels)
  padded = np.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)), mode='edge')
  starts = generator.integers(0, 2 * pixels + 1, [2, count, 1])
  down, right = starts[0] + np.arange(height), starts[1] + np.arange(width)
  moved = padded[np.arange(count)[:, None, None], down[:, :, None], right[:, None, :]]
  return np.concatenate([rows[:, :-size], moved.reshape(count, size)], axis=1)
