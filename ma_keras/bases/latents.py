"""Draws of a base, one for every sample of a batch."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ma_keras import seeds
from ma_keras.bases.standard_normal import StandardNormal


def latents(base: Any, seed: seeds.Seed) -> tf.Tensor:
  """z of the samples at hand, [b, N]: the rows of their numbers in a draw of the whole batch.

  So every replica, and every part of a batch, has the latents that it would have in one piece.

  Args:
    base: p(x, 0), any `tfd.Distribution` with vector events; where its draws are functions of its
      variables (`FULLY_REPARAMETERIZED`), these latents are, too.
    seed: A `seeds.PerSample`: the draw and the numbers of the samples.

  Raises:
    TypeError: The seed is another.
  """
  if not isinstance(seed, seeds.PerSample):
    raise TypeError(f'`seed` must be a seeds.PerSample, got {type(seed).__name__}.')
  if type(base) is StandardNormal:
    return seeds.normal([base.degrees_of_freedom], seed, base.dtype)
  return tf.gather(base.sample(seed.batch_size, seed=seed.seed), seed.numbers)
