"""The baseline that a model of images has to beat: pixels that know nothing of one another."""

from __future__ import annotations

import numpy as np

MOST_IMAGES = 10_000


def independent_pixel_bits(train: np.ndarray, test: np.ndarray, levels: int) -> float:
  """Mean of -log2 p_i(x_i) over held-out images and pixels i, in bits per dimension.

  p_i(k) = (n_i(k) + 1/2) / (n + levels/2) by the counts n_i(k) of value k at pixel i among n
  training images (Krichevsky & Trofimov 1981): no value is impossible. The density of dequantised
  pixels that is constant over the cell of a value takes as many bits: a flow's are on this scale.

  Args:
    train: Whole numbers 0..levels-1, [n, N]; the first `MOST_IMAGES` are counted.
    test: Held-out ones, [m, N].
    levels: How many values a pixel takes.
  """
  train = np.asarray(train[:MOST_IMAGES]).astype(np.int64)
  test = np.asarray(test).astype(np.int64)
  bits = 0.0
  for pixel, values in zip(train.T, test.T):
    probabilities = (np.bincount(pixel, minlength=levels) + 0.5) / (len(train) + levels / 2)
    bits -= float(np.mean(np.log2(probabilities[values])))
  return bits / train.shape[1]
