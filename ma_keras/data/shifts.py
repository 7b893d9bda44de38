"""Images moved by a few pixels at random, so that a model learns more of them than there are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ma_keras.arguments import is_whole


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

  Raises:
    ValueError: `image_shape` is no (H, W, C), the rows are shorter than such images, or `pixels`
      is no whole number from 0 to H and W.
  """
  if len(image_shape) != 3 or np.ndim(rows) != 2 or rows.shape[1] < math.prod(image_shape):
    raise ValueError(
      f'`rows` must be images of `image_shape` (H, W, C), at the end of every row, got '
      f'{list(np.shape(rows))} and {tuple(image_shape)}.'
    )
  height, width, channels = image_shape
  if not is_whole(pixels, least=0) or pixels > min(height, width):
    raise ValueError(
      f'`pixels` must be a whole number from 0 to {min(height, width)}, got {pixels!r}.'
    )
  pixels, size, count = int(pixels), math.prod(image_shape), len(rows)
  images = rows[:, -size:].reshape(count, height, width, channels)
  padded = np.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)), mode='edge')
  starts = generator.integers(0, 2 * pixels + 1, [2, count, 1])
  down, right = starts[0] + np.arange(height), starts[1] + np.arange(width)
  moved = padded[np.arange(count)[:, None, None], down[:, :, None], right[:, None, :]]
  return np.concatenate([rows[:, :-size], moved.reshape(count, size)], axis=1)
