"""A normal of particles whose centre stays at the origin."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras.arguments import is_finite, is_whole
from ma_keras.bases.whole import VectorDistribution


class MeanFreeNormal(VectorDistribution):
  """p(z) = (2 pi s^2)^(-(n-1) d/2) exp(-|z|^2/(2 s^2)), n particles in d dimensions, sum_i z_i = 0.

  A density on the linear subspace of R^(n d) whose centre of mass is zero, by the volume of the
  subspace; elsewhere it is zero. A flow along a potential that translations leave alone stays in
  the subspace, and its Laplacian is the divergence there, so that log densities of the flow are
  those of the subspace (Koehler, Klein & Noe 2020, arXiv:2006.02425).

  Events are vectors [n d], particle by particle.
  """

  def __init__(
    self,
    particles: int,
    dimensions: int,
    dtype: tf.DType = tf.float32,
    name: str = 'mean_free_normal',
    scale: float = 1.0,
  ) -> None:
    """Checks the sizes.

    Args:
      particles: n, at least 2.
      dimensions: d.
      dtype: Floating dtype of events.
      name: Name of the distribution.
      scale: s, the standard deviation in every direction of the subspace; that of the target saves
        a flow the work of stretching.

    Raises:
      ValueError: A size is not whole, or too small, or the scale is not positive.
    """
    parameters = dict(locals())
    if not is_whole(particles, 2) or not is_whole(dimensions):
      raise ValueError(
        '`particles` must be at least 2 and `dimensions` at least 1, both whole, got '
        f'{particles!r} and {dimensions!r}.'
      )
    if not is_finite(scale) or scale <= 0:
      raise ValueError(f'`scale` must be a positive standard deviation, got {scale!r}.')
    self.particles, self.dimensions = int(particles), int(dimensions)
    self.scale = float(scale)
    super().__init__(self.particles * self.dimensions, dtype, parameters, name)

  @property
  def degrees_of_freedom(self) -> int:
    """(n - 1) d, the dimension of the subspace."""
    return (self.particles - 1) * self.dimensions

  def config(self) -> dict[str, Any]:
    """The constructor's arguments as plain values: see `model_file`."""
    return {'particles': self.particles, 'dimensions': self.dimensions, 'scale': self.scale}

  def _sample_n(self, n: tf.Tensor, seed: Any = None) -> tf.Tensor:
    seed = tfp.random.sanitize_seed(seed, salt='mean_free_normal')
    shape = [n, self.particles, self.dimensions]
    normal = self.scale * tf.random.stateless_normal(shape, seed, dtype=self.dtype)
    centred = normal - tf.reduce_mean(normal, axis=1, keepdims=True)
    return tf.reshape(centred, [n, self.particles * self.dimensions])

  def _log_prob(self, z: tf.Tensor) -> tf.Tensor:
    log_volume = math.log(2.0 * math.pi) + 2.0 * math.log(self.scale)
    constant = tf.constant(0.5 * self.degrees_of_freedom * log_volume, z.dtype)
    value = -0.5 * tf.reduce_sum(tf.square(z / self.scale), axis=-1) - constant
    return tf.where(self._is_centred(z), value, tf.constant(-np.inf, z.dtype))

  def _is_centred(self, z: tf.Tensor) -> tf.Tensor:
    """Tells if the centre of mass is zero, up to what rounding adds along a flow."""
    leading = tf.shape(z)[:-1]
    particles = tf.reshape(z, tf.concat([leading, [self.particles, self.dimensions]], axis=0))
    centre = tf.reduce_max(tf.abs(tf.reduce_mean(particles, axis=-2)), axis=-1)
    scale = 1.0 + tf.reduce_max(tf.abs(z), axis=-1)
    return centre <= np.sqrt(np.finfo(z.dtype.as_numpy_dtype).eps) * scale
