"""Learnable functions of the distance of two particles, with their derivatives in space."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ma_keras.arguments import is_finite, is_whole


class RadialJet(NamedTuple):
  """f(|x|) in D dimensions, by its value and what makes gradient and Laplacian.

  Attributes:
    value: f, [M, ...].
    slope: f'/r, so that grad f = slope x, [M, ...].
    laplacian: lap f, [M, ...].
  """

  value: tf.Tensor
  slope: tf.Tensor
  laplacian: tf.Tensor


class GaussianShells(tf.Module):
  """B_m(r) = exp(-(r - mu_m)^2 / (2 sigma_m^2)), r = sqrt(|x|^2 + eps^2).

  The smooth radius has no singular derivative at x = 0. With a cutoff R every B_m is multiplied by
  (1 - |x|^2/R^2)^4, and by zero beyond: three derivatives are continuous there.

  Attributes:
    centre: mu, variable [M].
    log_width: ln sigma, variable [M].
    softening: eps.
    cutoff: R, or None.
  """

  def __init__(
    self,
    number: int,
    reach: float,
    softening: float = 0.1,
    dtype: tf.DType = tf.float32,
    name: str | None = None,
    cutoff: float | None = None,
  ) -> None:
    """Spaces centres evenly from 0 to the reach, a spacing wide.

    Args:
      number: M, at least 2.
      reach: Distance beyond which particles hardly meet.
      softening: eps.
      dtype: Floating dtype.
      name: Module name.
      cutoff: R, the distance from which on particles do not meet at all; None for none.

    Raises:
      ValueError: A number is out of range.
    """
    super().__init__(name=name)
    if not is_whole(number, 2):
      raise ValueError(f'`number` of shells must be at least 2, and whole, got {number!r}.')
    number = int(number)
    for key, value in (('reach', reach), ('softening', softening)):
      if not is_finite(value) or value <= 0:
        raise ValueError(f'`{key}` must be a positive distance, got {value!r}.')
    if cutoff is not None and reach > cutoff:
      raise ValueError(
        f'`reach` must be at most {cutoff:g}, half the shortest side of the box, got {reach!r}: '
        'beyond, a particle would meet two images of another.'
      )
    self.reach, self.softening, self.cutoff = float(reach), float(softening), cutoff
    spacing = reach / (number - 1)
    self.centre = tf.Variable(tf.cast(tf.linspace(0.0, reach, number), dtype), name='centre')
    self.log_width = tf.Variable(tf.fill([number], tf.cast(np.log(spacing), dtype)), name='width')

  def config(self) -> dict[str, Any]:
    """The constructor's arguments."""
    return {'number': self.centre.shape[0], 'reach': self.reach, 'softening': self.softening}

  def values(self, squared: tf.Tensor) -> tf.Tensor:
    """B of |x|^2 [...], shape [M, ...]."""
    values = self._gaussians(tf.sqrt(squared + self.softening**2))[2]
    return values if self.cutoff is None else values * _cut(squared, self.cutoff, 1).value

  def jet(self, squared: tf.Tensor, dimensions: int) -> RadialJet:
    """Value, slope and Laplacian in D dimensions at |x|^2 [...]."""
    r = tf.sqrt(squared + self.softening**2)
    shift, precision, value = self._gaussians(r)
    steepness = shift * precision
    slope = -steepness * value / r
    second = (tf.square(steepness) - precision) * value
    # d/dx_i of r is x_i / r: the two curvatures are those along x and across it.
    laplacian = squared / tf.square(r) * (second - slope) + dimensions * slope
    jet = RadialJet(value, slope, laplacian)
    if self.cutoff is None:
      return jet
    return _product(jet, _cut(squared, self.cutoff, dimensions), squared)

  def _gaussians(self, r: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """r - mu, 1/sigma^2 and B at r [...], [M, ...] each."""
    shape = [-1, *[1] * r.shape.rank]
    shift = r - tf.reshape(self.centre, shape)
    precision = tf.reshape(tf.exp(-2.0 * self.log_width), shape)
    return shift, precision, tf.exp(-0.5 * precision * tf.square(shift))


def _cut(squared: tf.Tensor, cutoff: float, dimensions: int) -> RadialJet:
  """(1 - |x|^2/R^2)^4 for |x| < R, 0 beyond, by |x|^2 [...]."""
  inside = tf.maximum(1.0 - squared / cutoff**2, 0.0)
  slope = -8.0 / cutoff**2 * inside**3
  curvature = 48.0 / cutoff**4 * tf.square(inside)
  return RadialJet(inside**4, slope, dimensions * slope + curvature * squared)


def _product(one: RadialJet, other: RadialJet, squared: tf.Tensor) -> RadialJet:
  """The product rule: lap (f g) = f lap g + 2 grad f . grad g + g lap f."""
  return RadialJet(
    one.value * other.value,
    one.slope * other.value + one.value * other.slope,
    one.value * other.laplacian
    + 2.0 * one.slope * other.slope * squared
    + one.laplacian * other.value,
  )


def mixed(weights: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
  """Linear combinations sum_m W_mc v_m of functions, by weights [M, C]: [M, ...] -> [C, ...]."""
  return tf.tensordot(weights, values, axes=[[0], [0]])
