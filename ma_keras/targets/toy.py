"""Two-dimensional densities that can be looked at, three of them normalised and sampled exactly."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras import seeds
from ma_keras.arguments import is_finite, is_whole
from ma_keras.targets.target import as_event, floating_dtype


class _Plane:
  """Common part of the targets below: N = 2, a dtype, and length scales that must be positive."""

  event_size = 2

  def __init__(self, dtype: Any, **lengths: float) -> None:
    self.dtype = floating_dtype(dtype)
    for name, value in lengths.items():
      if not is_finite(value) or value <= 0:
        raise ValueError(f'`{name}` must be positive and finite, got {value!r}. Try the default.')


class GaussianMixture(_Plane):
  """p(x) = (1/M) sum_k N(x; c_k, s^2 I), M equal modes c_k on a circle about the origin.

  Normalised, so E = -ln p and Z = 1. Shows whether a flow finds every mode.
  """

  def __init__(
    self, modes: int = 8, radius: float = 4.0, scale: float = 0.5, dtype: Any = tf.float32
  ) -> None:
    """Places the modes.

    Args:
      modes: Number M of modes, at least 1.
      radius: Of the circle of centres.
      scale: Standard deviation s of each mode.
      dtype: Floating dtype.

    Raises:
      ValueError: If there are no modes, or a length is not positive.
    """
    super().__init__(dtype, radius=radius, scale=scale)
    if not is_whole(modes):
      raise ValueError(
        f'`modes` must be at least 1, and whole, got {modes!r}. Eight make the usual picture.'
      )
    modes = int(modes)
    angles = 2 * np.pi * np.arange(modes) / modes
    self.scale = float(scale)
    self.centres = radius * np.stack([np.cos(angles), np.sin(angles)], axis=-1)

  def energy(self, x: Any) -> tf.Tensor:
    """E(x) = -ln (1/M) sum_k N(x; c_k, s^2 I): [..., 2] -> [...]."""
    x = as_event(x, self)
    centres = tf.constant(self.centres, self.dtype)
    squares = tf.reduce_sum((x[..., None, :] - centres) ** 2, axis=-1)
    log_modes = tf.reduce_logsumexp(-squares / (2 * self.scale**2), axis=-1)
    return math.log(2 * math.pi * self.scale**2 * len(self.centres)) - log_modes

  def exact_log_partition(self) -> float:
    """Z = 1, so ln Z = 0."""
    return 0.0

  def sample(self, n: int, seed: Any) -> tf.Tensor:
    """Draws x = c_k + s z, k uniform, z standard normal: [n, 2], the same for the same seed."""
    which, noise = seeds.split(seed, 2, 'gaussian_mixture')
    modes = seeds.integers([n], which, len(self.centres))
    centres = tf.gather(tf.constant(self.centres, self.dtype), modes)
    return centres + self.scale * tf.random.stateless_normal([n, 2], noise, dtype=self.dtype)


class Ring(_Plane):
  """E(x) = (|x|^2 - R^2)^2 / (2 w^2), the Mexican hat: a smooth ring of radius R.

  Near the ring E = (|x| - R)^2 / 2 s^2 with s = w / 2R. |x|^2 is a normal variable cut off at 0,
  which gives Z and exact samples. Shows what a flow does about a hole.
  """

  def __init__(self, radius: float = 2.0, width: float = 1.0, dtype: Any = tf.float32) -> None:
    """Sets R and w.

    Args:
      radius: R.
      width: w, the standard deviation of |x|^2 about R^2: a length squared.
      dtype: Floating dtype.

    Raises:
      ValueError: If either is not positive.
    """
    super().__init__(dtype, radius=radius, width=width)
    self.radius, self.width = float(radius), float(width)

  def energy(self, x: Any) -> tf.Tensor:
    """E(x) = (|x|^2 - R^2)^2 / (2 w^2): [..., 2] -> [...]."""
    square = tf.reduce_sum(as_event(x, self) ** 2, axis=-1)
    return (square - self.radius**2) ** 2 / (2 * self.width**2)

  def exact_log_partition(self) -> float:
    """Z = pi w sqrt(2 pi) Phi(R^2 / w), Phi the normal distribution function; returns ln Z."""
    area = math.pi * self.width * math.sqrt(2 * math.pi)
    return math.log(area * (1 - self._below_zero()))

  def sample(self, n: int, seed: Any) -> tf.Tensor:
    """Draws |x|^2 by inverting its distribution and a uniform angle: [n, 2], same for same seed."""
    seed = seeds.stateless(seed, 'ring')
    # In float64: float32 has few distinct uniforms near 1, and so few distinct outer radii.
    uniform, turn = tf.unstack(tf.random.stateless_uniform([n, 2], seed, dtype=tf.float64), axis=-1)
    below = self._below_zero()
    normal = tf.math.ndtri(below + (1 - below) * uniform)
    length = tf.sqrt(tf.maximum(self.radius**2 + self.width * normal, 0))
    angle = 2 * math.pi * turn
    x = tf.stack([length * tf.cos(angle), length * tf.sin(angle)], axis=-1)
    return tf.cast(x, self.dtype)

  def _below_zero(self) -> float:
    """Probability Phi(-R^2 / w) that the uncut normal gives |x|^2 < 0."""
    return 0.5 * math.erfc(self.radius**2 / (self.width * math.sqrt(2)))


class Banana(_Plane):
  """E(x) = x_0^2 / 2 s^2 + (x_1 - b (x_0^2 - s^2))^2 / 2, a bent Gaussian (Haario et al. 1999).

  The bend keeps areas, so Z = 2 pi s, and its mean stays 0. Shows strongly curved correlation.
  """

  def __init__(self, scale: float = 2.0, bend: float = 0.5, dtype: Any = tf.float32) -> None:
    """Sets s and b.

    Args:
      scale: Standard deviation s of x_0.
      bend: b, positive.
      dtype: Floating dtype.

    Raises:
      ValueError: If either is not positive.
    """
    super().__init__(dtype, scale=scale, bend=bend)
    self.scale, self.bend = float(scale), float(bend)

  def energy(self, x: Any) -> tf.Tensor:
    """E(x) = x_0^2 / 2 s^2 + (x_1 - b (x_0^2 - s^2))^2 / 2: [..., 2] -> [...]."""
    x = as_event(x, self)
    across, up = x[..., 0], x[..., 1]
    return 0.5 * (across / self.scale) ** 2 + 0.5 * (up - self._crest(across)) ** 2

  def exact_log_partition(self) -> float:
    """Z = 2 pi s, returned as ln Z."""
    return math.log(2 * math.pi * self.scale)

  def sample(self, n: int, seed: Any) -> tf.Tensor:
    """Draws x_0 = s z_0, x_1 = z_1 + b (x_0^2 - s^2): [n, 2], the same for the same seed."""
    noise = tf.random.stateless_normal([n, 2], seeds.stateless(seed, 'banana'), dtype=self.dtype)
    across = self.scale * noise[:, 0]
    return tf.stack([across, noise[:, 1] + self._crest(across)], axis=-1)

  def _crest(self, across: tf.Tensor) -> tf.Tensor:
    """Mean of x_1 given x_0."""
    return self.bend * (across**2 - self.scale**2)


class TwoMoons(_Plane):
  """E = g((|x| - 2) / 0.4) - ln(exp -g((x_0 - 2) / 0.6) + exp -g((x_0 + 2) / 0.6)), g(u) = u^2/2.

  U_1 of Rezende and Mohamed 2015, Table 1. Z has no closed form: an energy only.
  """

  def __init__(self, dtype: Any = tf.float32) -> None:
    """Sets the floating dtype."""
    super().__init__(dtype)

  def energy(self, x: Any) -> tf.Tensor:
    """E(x) of the class, [..., 2] -> [...]."""
    x = as_event(x, self)
    # The tiny term keeps the gradient of |x| finite (it is 0) at the origin.
    length = tf.sqrt(tf.reduce_sum(x**2, axis=-1) + 1e-12)
    left, right = (-0.5 * ((x[..., 0] - centre) / 0.6) ** 2 for centre in (-2.0, 2.0))
    return 0.5 * ((length - 2) / 0.4) ** 2 - tf.reduce_logsumexp([left, right], axis=0)
