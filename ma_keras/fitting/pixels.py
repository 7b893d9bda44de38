"""A baseline of images: pixels that know nothing of one another."""

from __future__ import annotations

import math

import numpy as np

# How many images' worth the values of all pixels together may count at each.
WEIGHTS = (1.0, 10.0, 100.0, 1e3, 1e4, 1e6)


def independent_pixel_bits(train: np.ndarray, test: np.ndarray, levels: int) -> float:
  """Mean of -log2 p_i(x_i) over held-out images and pixels i, in bits per dimension.

  p_i(k) = (n_i(k) + a q(k)) / (n + a): n_i(k) of the n training images have value k at pixel i, and
  q(k) is the share of k among all pixels, with a count for each of the values that there are spread
  over all levels (Witten & Bell 1991), so that none is impossible. The weight a is the one of
  `WEIGHTS` by which the others predict each training image best. Uniform values are taken where
  they are better. The density of dequantised pixels that is constant over the cell of a value takes
  as many bits: a flow's are on this scale.

  Args:
    train: Whole numbers 0..levels-1, [n, N].
    test: Held-out ones, [m, N].
    levels: How many values a pixel takes.

  Raises:
    ValueError: These are no such numbers, or images of another size.
  """
  train, test = _checked('train', train, levels), _checked('test', test, levels)
  if train.shape[1] != test.shape[1]:
    raise ValueError(
      f'`test` must have the {train.shape[1]} pixels of `train`, got {test.shape[1]}.'
    )
  counts = [np.bincount(pixel, minlength=levels) for pixel in train.T]
  shares = np.sum(counts, axis=0)
  shares = shares + np.count_nonzero(shares) / levels
  shares = shares / np.sum(shares)
  number = len(train)

  def predicted(weight: float) -> float:
    """Log likelihood of every training pixel by those of the other images."""
    logs = 0.0
    for count in counts:
      values = np.flatnonzero(count)
      chances = (count[values] - 1 + weight * shares[values]) / (number - 1 + weight)
      logs += float(np.sum(count[values] * np.log(chances)))
    return logs

  weight = max(WEIGHTS, key=predicted)
  bits = 0.0
  for count, values in zip(counts, test.T):
    chances = (count[values] + weight * shares[values]) / (number + weight)
    bits -= float(np.mean(np.log2(chances)))
  return min(bits / len(counts), math.log2(levels))


def _checked(name: str, images: np.ndarray, levels: int) -> np.ndarray:
  images = np.asarray(images)
  whole = images.ndim == 2 and images.size > 0 and images.dtype.kind in 'ui'
  if not whole or images.min() < 0 or images.max() >= levels:
    raise ValueError(
      f'`{name}` must hold whole numbers 0..{levels - 1} as rows [n, N], got {images.dtype} '
      f'{list(images.shape)}: quantise them first.'
    )
  return images
