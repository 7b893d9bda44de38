"""Quadratures of the rotations of the plane and of space, for averages over them."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ma_keras.arguments import is_whole

HIGHEST_DEGREE = 100


class Rule(NamedTuple):
  """Orthogonal maps R_k, float64 [K, D, D], and their weights w_k [K], whose sum is 1."""

  matrices: np.ndarray
  weights: np.ndarray


@dataclasses.dataclass(frozen=True)
class RotationQuadrature:
  """Rotations R_k of all of n particles about the origin, with weights w_k, for a `GroupAverage`.

  sum_k w_k f(R_k) is the mean of f over SO(D), or over O(D), for all polynomials f of degree <= L
  in the entries of R. In the plane these are the trigonometric polynomials up to L, and L + 1
  equally spaced angles do. In space they are Wigner's functions D^l, l <= L, and a product rule
  in Euler angles does: L + 1 equally spaced alpha and as many gamma, Gauss-Legendre in cos(beta).

  So the average of a phi~ that is a polynomial of degree <= L in the positions is invariant, to
  rounding. That of another phi~ is not: what phi~(R x) has above degree L, as a function of R, is
  averaged wrongly. For a smooth phi~ this error falls faster than any power of 1/L; the further
  from the origin x lies, the larger an L it takes. `defect` measures it.

  Attributes:
    particles: n.
    dimensions: D, 2 or 3.
    degree: L. There are K = L + 1 rotations of the plane, (L + 1)^2 (L // 2 + 1) of space.
    reflecting: Whether reflections are taken in, which doubles K.
  """

  particles: int
  dimensions: int
  degree: int
  reflecting: bool = True

  def __post_init__(self) -> None:
    """Checks the sizes.

    Raises:
      ValueError: A size is not positive and whole, D is neither 2 nor 3, or L is above 100.
    """
    if not is_whole(self.particles):
      raise ValueError(f'`particles` must be a positive integer, got {self.particles!r}.')
    if not is_whole(self.dimensions) or self.dimensions not in (2, 3):
      raise ValueError(
        f'`dimensions` must be 2 or 3, got {self.dimensions!r}: of other spaces draw one rotation '
        'per step, from ParticleSymmetries.'
      )
    if not is_whole(self.degree) or self.degree > HIGHEST_DEGREE:
      raise ValueError(
        f'`degree` must lie in 1..{HIGHEST_DEGREE}, got {self.degree!r}: of potentials that vary '
        'faster draw one rotation per step, from ParticleSymmetries.'
      )
    for name in ('particles', 'dimensions', 'degree'):
      object.__setattr__(self, name, int(getattr(self, name)))

  @property
  def order(self) -> int:
    """K, the number of maps."""
    return len(self.rule.weights)

  @property
  def size(self) -> int:
    """N = n D."""
    return self.particles * self.dimensions

  @functools.cached_property
  def rule(self) -> Rule:
    """The maps and their weights."""
    rule = _plane(self.degree) if self.dimensions == 2 else _space(self.degree)
    return _with_reflections(rule) if self.reflecting else rule

  def config(self) -> dict[str, Any]:
    """The constructor's arguments as plain values: see `model_file`."""
    return dataclasses.asdict(self)

  def images(self, x: tf.Tensor) -> tf.Tensor:
    """R_k x for every k, [..., N] -> [K, ..., N]."""
    positions = tf.reshape(x, [-1, self.dimensions])
    turned = tf.matmul(positions, tf.cast(self.rule.matrices, x.dtype), transpose_b=True)
    return tf.reshape(turned, tf.concat([[self.order], tf.shape(x)], axis=0))

  def preimages(self, y: tf.Tensor) -> tf.Tensor:
    """R_k' y_k for every k, [K, ..., N] -> [K, ..., N]."""
    positions = tf.reshape(y, [self.order, -1, self.dimensions])
    return tf.reshape(tf.matmul(positions, tf.cast(self.rule.matrices, y.dtype)), tf.shape(y))

  def mean(self, values: tf.Tensor) -> tf.Tensor:
    """sum_k w_k values_k, [K, ...] -> [...]."""
    ones = [1] * (values.shape.rank - 1)
    weights = tf.reshape(tf.cast(self.rule.weights, values.dtype), [self.order, *ones])
    return tf.reduce_sum(weights * values, axis=0)


def _plane(degree: int) -> Rule:
  """The mean over L + 1 equal angles, which takes exp(i m theta) to 0 for 0 < |m| <= L."""
  matrices = _turns(*_circle(degree), axes=(0, 1), dimensions=2)
  return Rule(matrices, np.full(len(matrices), 1 / len(matrices)))


def _space(degree: int) -> Rule:
  """R = R_z(alpha) R_y(beta) R_z(gamma).

  The angles alpha and gamma leave D^l_00 = P_l(cos(beta)) alone, of degree l <= L.
  """
  cosine, in_beta = np.polynomial.legendre.leggauss(degree // 2 + 1)
  about_y = _turns(cosine, np.sqrt(1 - cosine**2), axes=(2, 0), dimensions=3)
  about_z = _turns(*_circle(degree), axes=(0, 1), dimensions=3)
  matrices = np.einsum('aij,bjk,ckl->abcil', about_z, about_y, about_z)
  weights = np.broadcast_to(in_beta[:, np.newaxis], matrices.shape[:3]).ravel()
  return Rule(matrices.reshape(-1, 3, 3), weights / np.sum(weights))


def _with_reflections(rule: Rule) -> Rule:
  """The maps R_k, and R_k after a change of sign of the first coordinate."""
  sign = np.ones(rule.matrices.shape[-1])
  sign[0] = -1
  matrices = np.concatenate([rule.matrices, rule.matrices * sign])
  return Rule(matrices, np.tile(rule.weights / 2, 2))


def _circle(degree: int) -> tuple[np.ndarray, np.ndarray]:
  """Cosines and sines of L + 1 equally spaced angles."""
  angles = 2 * np.pi * np.arange(degree + 1) / (degree + 1)
  return np.cos(angles), np.sin(angles)


def _turns(
  cosine: np.ndarray, sine: np.ndarray, axes: tuple[int, int], dimensions: int
) -> np.ndarray:
  """Rotations of the first axis towards the second, [K, D, D]."""
  i, j = axes
  matrices = np.tile(np.eye(dimensions), (len(cosine), 1, 1))
  matrices[:, i, i] = matrices[:, j, j] = cosine
  matrices[:, i, j], matrices[:, j, i] = -sine, sine
  return matrices
