"""Families of targets exp(-E(x; c)) / Z(c) whose couplings c are a context."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
import tensorflow as tf

from ma_keras.potentials.activations import log_cosh
from ma_keras.potentials.linear import apply_kernel
from ma_keras.targets import lattice
from ma_keras.targets.couplings import SMALLEST_EIGENVALUE
from ma_keras.targets.ising import Ising
from ma_keras.targets.phi4 import Phi4
from ma_keras.targets.target import Target, as_event


@runtime_checkable
class Family(Protocol):
  """Targets of one space of events, one for every coupling.

  Attributes:
    event_size: N.
    dtype: Of x, of c and of E.
    context_size: C, number of couplings.
  """

  event_size: int
  dtype: tf.DType
  context_size: int

  def energy(self, x: Any, context: Any) -> tf.Tensor:
    """E(x; c): [..., N] and [..., C], or one [C] for all, -> [...]."""
    ...

  def at(self, context: Any) -> Target:
    """The target at couplings c, [C]."""
    ...


class IsingCouplings:
  """`Ising` at any coupling k: E(x; k) = 1/2 x.(k A + alpha I)^-1 x - sum_i ln cosh x_i, Eq. 8.

  A is the adjacency of the lattice and alpha(k) as in `CoupledSpins`. In the eigenvectors of A,
  which do not depend on k, the quadratic form is a sum of squares over k lambda_j + alpha.

  Attributes:
    event_size: N = L^2.
    context_size: 1, for k.
    dtype: Of fields, couplings and energies.
  """

  context_size = 1

  def __init__(self, side: int, boundary: str = 'periodic', dtype: Any = tf.float32) -> None:
    """Fixes everything but the coupling.

    Args:
      side: Lattice side L, at least 2.
      boundary: 'periodic' or 'open'.
      dtype: Floating dtype.

    Raises:
      ValueError: See `Ising`.
    """
    self._one = Ising(side, 1.0, boundary, dtype)
    self.event_size, self.dtype = self._one.event_size, self._one.dtype
    adjacency = lattice.coupling_matrix(side, side, 1.0, boundary)
    eigenvalues, vectors = np.linalg.eigh(adjacency)
    with tf.init_scope():  # Constants outlive a tf.function in which the family is built.
      self._eigenvalues = tf.constant(eigenvalues, self.dtype)
      self._vectors = tf.constant(vectors, self.dtype)

  def energy(self, x: Any, context: Any) -> tf.Tensor:
    """E(x; k), [...], of fields [..., N] and k [..., 1], or one [1] for all."""
    x = as_event(x, self._one)
    couplings = _one_coupling(context, x, 'the coupling') * self._eigenvalues
    smallest = tf.reduce_min(couplings, axis=-1, keepdims=True)
    variances = couplings - smallest + tf.constant(SMALLEST_EIGENVALUE, self.dtype)
    waves = apply_kernel(x, self._vectors)
    return tf.reduce_sum(0.5 * tf.square(waves) / variances - log_cosh(x), axis=-1)

  def at(self, context: Any) -> Ising:
    """`Ising` at k = c, [1]; raises ValueError on another shape."""
    couplings = tf.convert_to_tensor(context, self.dtype)
    if couplings.shape != [1]:
      raise ValueError(f'`context` must be the coupling alone, shape [1], got {couplings.shape}.')
    one = self._one
    return Ising(one.side, float(couplings[0]), one.boundary, one.dtype)


class Phi4Masses:
  """`Phi4` at any m^2: E(x; c) = E(x) + (c - m^2) |x|^2 / 2 of one with m^2.

  Attributes:
    event_size: N = L^2.
    context_size: 1, for m^2.
    dtype: Of fields, couplings and energies.
  """

  context_size = 1

  def __init__(
    self, side: int, quartic: float, boundary: str = 'periodic', dtype: Any = tf.float32
  ) -> None:
    """Fixes everything but m^2.

    Args:
      side: Lattice side L, at least 2.
      quartic: lambda, not negative; of 0 m^2 must be positive.
      boundary: 'periodic' or 'open'.
      dtype: Floating dtype.

    Raises:
      ValueError: See `Phi4`.
    """
    self._one = Phi4(side, 1.0, quartic, boundary, dtype)
    self.event_size, self.dtype = self._one.event_size, self._one.dtype

  def energy(self, x: Any, context: Any) -> tf.Tensor:
    """E(x; c), [...], of fields [..., N] and m^2 [..., 1], or one [1] for all."""
    x = as_event(x, self._one)
    mass_squared = _one_coupling(context, x, 'm^2')[..., 0]
    shift = 0.5 * (mass_squared - self._one.mass_squared)
    return self._one.energy(x) + shift * tf.reduce_sum(tf.square(x), axis=-1)

  def at(self, context: Any) -> Phi4:
    """`Phi4` at m^2 = c, [1]; raises ValueError on another shape."""
    couplings = tf.convert_to_tensor(context, self.dtype)
    if couplings.shape != [1]:
      raise ValueError(f'`context` must be m^2 alone, shape [1], got {couplings.shape}.')
    one = self._one
    return Phi4(one.side, float(couplings[0]), one.quartic, one.boundary, one.dtype)


def _one_coupling(context: Any, x: tf.Tensor, name: str) -> tf.Tensor:
  """The context as a tensor [..., 1], beside fields [..., N], or [1] for all.

  Raises:
    ValueError: It has another shape.
  """
  context = tf.convert_to_tensor(context, x.dtype)
  rank = context.shape.rank
  if not rank or context.shape[-1] not in (None, 1) or (rank > 1 and rank != x.shape.rank):
    raise ValueError(
      f'`context` must be {name} alone, [..., 1] beside fields {x.shape}, or [1] for all, got '
      f'shape {context.shape}.'
    )
  return context
