"""Convexity of a function at given points."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from ma_keras.transport import hessian, newton

ROWS = 256  # Matrices of points at once.


@dataclasses.dataclass(frozen=True)
class Convexity:
  """Smallest eigenvalue of Hess u among some points: the map is one to one where it is positive.

  Along the straight paths of a pressureless flow, u_t(z) = |z|^2/2 + t phi_0(z), the smallest
  eigenvalue is linear in t, 1 at the start: what holds at the end T holds all the way.

  Attributes:
    smallest: The eigenvalue; NaN where a Hessian is not finite.
    worst: Number of the point that has it.
    points: How many points there are.
    by_construction: Whether u is convex everywhere, whatever the variables.
  """

  smallest: float
  worst: int
  points: int
  by_construction: bool

  @property
  def holds(self) -> bool:
    """True where u is strictly convex at all points."""
    return self.smallest > 0

  def __str__(self) -> str:
    """One line."""
    verdict = 'convex' if self.holds else 'NOT CONVEX'
    reach = 'everywhere, by construction' if self.by_construction else 'nothing is said of others'
    return (
      f'{verdict} at {self.points} points: smallest eigenvalue of the Hessian {self.smallest:.4g}, '
      f'at point {self.worst}; {reach}'
    )


def of_points(gradient: newton.Gradient, z: tf.Tensor) -> Convexity:
  """The smallest eigenvalue of Hess u among the points z [B, N].

  Raises:
    ValueError: There are no points.
  """
  if not z.shape[0]:
    raise ValueError('`z` must hold one point at least, shape [..., N], got none.')
  smallest = np.concatenate([_smallest(gradient, z[k : k + ROWS]) for k in range(0, len(z), ROWS)])
  worst = int(np.argmin(np.where(np.isfinite(smallest), smallest, -np.inf)))
  constructed = hessian.is_convex(gradient.potential)
  return Convexity(float(smallest[worst]), worst, len(smallest), constructed)


def _smallest(gradient: newton.Gradient, z: tf.Tensor) -> np.ndarray:
  matrices = hessian.hessian(gradient.potential, z)
  return gradient.modulus + np.linalg.eigvalsh(matrices.numpy())[:, 0]
