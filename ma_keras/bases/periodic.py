"""Particles anywhere in a periodic box."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras.arguments import is_finite, is_whole
from ma_keras.bases.whole import VectorDistribution


class PeriodicUniform(VectorDistribution):
  """p(z) = V^-n, n particles in a periodic box of volume V = L_1 ... L_d, wherever z is.

  A density on the torus, by the volume of one box: coordinates that differ by lattice vectors are
  the same configuration, and samples lie in [0, L). A flow along a potential with the period of the
  box is a map of the torus to itself, so that its log densities are those of one box as well.

  Events are vectors [n d], particle by particle.
  """

  def __init__(
    self,
    particles: int,
    box: Sequence[float],
    dtype: tf.DType = tf.float32,
    name: str = 'periodic_uniform',
  ) -> None:
    """Checks the sizes.

    Args:
      particles: n, at least 1.
      box: Lengths L of the box, [d].
      dtype: Floating dtype of events.
      name: Name of the distribution.

    Raises:
      ValueError: `particles` is not whole, or too small, or a length is not positive.
    """
    parameters = dict(locals())
    if not is_whole(particles):
      raise ValueError(f'`particles` must be a positive integer, got {particles!r}.')
    self.box = tuple(box) if isinstance(box, Sequence | np.ndarray) else ()
    if not self.box or not all(is_finite(side) and side > 0 for side in self.box):
      raise ValueError(f'`box` must hold positive lengths, one for every dimension, got {box!r}.')
    self.particles = int(particles)
    super().__init__(self.degrees_of_freedom, dtype, parameters, name)

  @property
  def degrees_of_freedom(self) -> int:
    """n d."""
    return self.particles * len(self.box)

  def config(self) -> dict[str, Any]:
    """The constructor's arguments as plain values: see `model_file`."""
    return {'particles': self.particles, 'box': list(map(float, self.box))}

  def _sample_n(self, n: tf.Tensor, seed: Any = None) -> tf.Tensor:
    seed = tfp.random.sanitize_seed(seed, salt='periodic_uniform')
    sides = tf.tile(tf.constant(self.box, self.dtype), [self.particles])
    return sides * tf.random.stateless_uniform([n, self.degrees_of_freedom], seed, dtype=self.dtype)

  def _log_prob(self, z: tf.Tensor) -> tf.Tensor:
    log_volume = self.particles * sum(map(math.log, self.box))
    # By z, if only formally: a density that TensorFlow differentiates has a score, of zero.
    return tf.reduce_sum(0.0 * z, axis=-1) - tf.constant(log_volume, z.dtype)
