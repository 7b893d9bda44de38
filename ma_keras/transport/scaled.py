"""A multiple of a potential."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ma_keras.arguments import is_finite
from ma_keras.potentials.base import Potential
from ma_keras.transport import hessian


class Scaled(Potential):
  """c phi(x), with the variables of phi.

  Attributes:
    potential: phi, taken at time 0.
    factor: c, a number or a tensor [].
  """

  def __init__(self, potential: Potential, factor: float | tf.Tensor) -> None:
    """Keeps both.

    Args:
      potential: phi.
      factor: c.

    Raises:
      TypeError: `potential` is none.
      ValueError: `factor` is no finite number.
    """
    if not isinstance(potential, Potential):
      raise TypeError(
        f'`potential` must be a ma_keras.potentials.Potential, got {type(potential).__name__}.'
      )
    if not tf.is_tensor(factor) and not is_finite(factor):
      raise ValueError(f'`factor` must be a finite number, got {factor!r}.')
    super().__init__(potential.event_size)
    self.potential, self.factor = potential, factor

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    return {'potential': self.potential, 'factor': float(self.factor)}

  @property
  def is_convex(self) -> bool:
    """True where phi is, by construction, and c is not a negative number."""
    return hessian.is_convex(self.potential) and (tf.is_tensor(self.factor) or self.factor >= 0)

  def hessian_root(self, x: tf.Tensor) -> tf.Tensor:
    """V [..., N, K] with c Hess phi = V V'; c as a tensor must not be negative."""
    factor = tf.convert_to_tensor(self.factor, dtype_hint=x.dtype)
    return tf.sqrt(tf.cast(factor, x.dtype)) * hessian.root(self.potential, x)

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """c phi(x), shape [...]."""
    return self.factor * self.potential(tf.zeros_like(t), x)

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return self.factor * self.potential.gradient(tf.zeros_like(t), x)

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    gradient, laplacian = self.potential.gradient_and_laplacian(tf.zeros_like(t), x)
    return self.factor * gradient, self.factor * laplacian
