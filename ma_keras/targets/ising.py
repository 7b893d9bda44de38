"""The Ising model on the square lattice (paper, Eq. 8 and Appendix B)."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ma_keras.arguments import is_whole
from ma_keras.targets import kaufman, lattice
from ma_keras.targets.couplings import Couplings, MatrixCouplings, TorusCouplings
from ma_keras.targets.observables import Observables
from ma_keras.targets.spins import CoupledSpins
from ma_keras.targets.target import floating_dtype


class Ising(CoupledSpins):
  """`CoupledSpins` whose K couples nearest neighbours of an L x L lattice, all alike.

  Attributes:
    side: L; site (r, c) has index r L + c, N = L^2.
    coupling: Bond energy over kT.
    boundary: 'periodic' or 'open'.
  """

  def __init__(
    self,
    side: int,
    coupling: float = kaufman.CRITICAL_COUPLING,
    boundary: str = 'periodic',
    dtype: Any = tf.float32,
  ) -> None:
    """Finds the spectrum of K; on open edges K and its shifted inverse are matrices [N, N].

    Args:
      side: Lattice side L, at least 2.
      coupling: Bond energy over kT; the default is critical, ln(1 + sqrt 2)/2.
      boundary: 'periodic' or 'open'.
      dtype: Floating dtype.

    Raises:
      ValueError: If an argument is outside what is said above.
    """
    if not is_whole(side, 2):
      raise ValueError(f'`side` must be at least 2, and whole, got {side!r}. The paper uses 16.')
    self.side = side = int(side)
    self.coupling = kaufman.check_coupling(coupling)
    self.boundary = boundary
    super().__init__(_couplings(side, self.coupling, boundary, floating_dtype(dtype)), dtype)

  def observables(self) -> Observables:
    """Energy in units of a bond, specific heat, what `of_fields` has, and G(r) on a torus.

    Raises:
      ValueError: The coupling is zero, where the energy says nothing.
    """
    if self.coupling == 0:
      raise ValueError('`target` must have a coupling to be measured in units of it, got 0.')
    torus_side = self.side if self.boundary == 'periodic' else None
    return self._observables(self.coupling, torus_side)

  def _spin_log_partition(self) -> float:
    """Kaufman's, periodic; by transfer matrix, open.

    Raises:
      ValueError: If open and L > 20, or periodic with odd L and a coupling so negative that
        Kaufman's products cancel.
    """
    solve = kaufman.log_partition if self.boundary == 'periodic' else kaufman.open_log_partition
    return solve(self.side, self.side, self.coupling)


def _couplings(side: int, coupling: float, boundary: str, dtype: tf.DType) -> Couplings:
  """K of a lattice; its eigenvectors are plane waves, or standing ones: none is diagonalised."""
  if boundary == 'periodic':
    return TorusCouplings(side, coupling)
  matrix = lattice.coupling_matrix(side, side, coupling, boundary)
  eigenvalues = coupling * lattice.adjacency_eigenvalues(side, side, boundary)
  return MatrixCouplings(matrix, dtype, eigenvalues)
