"""The Ising model in continuous variables (paper, Eq. 8 and Appendix B)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras import seeds
from ma_keras.potentials.activations import log_cosh
from ma_keras.potentials.linear import apply_kernel
from ma_keras.targets import kaufman, lattice
from ma_keras.targets.target import as_event, floating_dtype

SMALLEST_EIGENVALUE = 0.1  # Of K + alpha I (Appendix B).


class Ising:
  """E(x) = 1/2 x.(K + alpha I)^-1 x - sum_i ln cosh x_i, Eq. 8 with the shift of Appendix B.

  K couples nearest neighbours of an L x L lattice. The field x and the spins s = +-1 share the
  density p(s, x) ~ exp(-1/2 x.(K + alpha I)^-1 x + s.x); its marginals are the Ising
  model and exp(-E).

  Attributes:
    side: L.
    event_size: N = L^2; site (r, c) has index r L + c.
    coupling: Bond energy over kT.
    boundary: 'periodic' or 'open'.
    dtype: Of x, spins and energies.
    shift: alpha, which makes the smallest eigenvalue of K + alpha I exactly 0.1.
    covariance: K + alpha I, that of the Gaussian factor of exp(-E), float64 [N, N].
  """

  def __init__(
    self,
    side: int,
    coupling: float = kaufman.CRITICAL_COUPLING,
    boundary: str = 'periodic',
    dtype: Any = tf.float32,
  ) -> None:
    """Builds the dense [N, N] couplings and their inverse, in float64, then cast to `dtype`.

    Args:
      side: Lattice side L, at least 2.
      coupling: Bond energy over kT; the default is critical, ln(1 + sqrt 2)/2.
      boundary: 'periodic' or 'open'.
      dtype: Floating dtype.

    Raises:
      ValueError: If an argument is outside what is said above.
    """
    if side < 2:
      raise ValueError(f'`side` must be at least 2, got {side}. The paper uses 16.')
    self.side = side
    self.event_size = side**2
    self.coupling = kaufman.check_coupling(coupling)
    self.boundary = boundary
    self.dtype = floating_dtype(dtype)
    self.shift = SMALLEST_EIGENVALUE - float(self._coupling_eigenvalues().min())
    couplings = lattice.coupling_matrix(side, side, self.coupling, boundary)
    self.covariance = couplings + self.shift * np.eye(self.event_size)
    precision = np.linalg.inv(self.covariance)
    with tf.init_scope():  # Constants outlive a tf.function in which the target is built.
      self._couplings = tf.constant(couplings, self.dtype)
      self._precision = tf.constant((precision + precision.T) / 2, self.dtype)

  def energy(self, x: Any) -> tf.Tensor:
    """E(x) = 1/2 x.(K + alpha I)^-1 x - sum_i ln cosh x_i, Eq. 8.

    Args:
      x: Field, shape [..., N], any leading rank.

    Returns:
      Energy over kT, shape [...].

    Raises:
      TypeError: If x is a tensor of another dtype.
      ValueError: If its last dimension is not N.
    """
    x = as_event(x, self)
    return tf.reduce_sum(0.5 * x * apply_kernel(x, self._precision) - log_cosh(x), axis=-1)

  def force(self, x: Any) -> tf.Tensor:
    """-grad E(x) = tanh x - (K + alpha I)^-1 x, shape [..., N] -> [..., N]; raises as `energy`."""
    x = as_event(x, self)
    return tf.tanh(x) - apply_kernel(x, self._precision)

  def sample_spins(self, x: Any, seed: Any) -> tf.Tensor:
    """Draws s from p(s_i = +1 | x) = sigma(2 x_i), independently at each site (Appendix B).

    Args:
      x: Field, shape [..., N].
      seed: Non-negative int or stateless seed of shape [2]; equal seeds give equal spins.

    Returns:
      Spins +-1 of the target's dtype, shape [..., N].

    Raises:
      ValueError: If the seed is None; and as `energy`.
    """
    x = as_event(x, self)
    seed = seeds.stateless(seed, salt='ising_spins')
    uniform = tf.random.stateless_uniform(tf.shape(x), seed, dtype=self.dtype)
    return tf.where(uniform < tf.sigmoid(2 * x), tf.ones_like(x), -tf.ones_like(x))

  def spin_energy(self, spins: Any) -> tf.Tensor:
    """-1/2 s.K s, minus the exponent of Eq. 10 (K without alpha): [..., N] -> [...], over kT."""
    spins = as_event(spins, self, 'spins')
    return -0.5 * tf.reduce_sum(spins * apply_kernel(spins, self._couplings), axis=-1)

  def magnetisation(self, spins: Any) -> tf.Tensor:
    """(1/N) sum_i s_i, between -1 and 1: [..., N] -> [...]."""
    return tf.reduce_mean(as_event(spins, self, 'spins'), axis=-1)

  def exact_log_partition(self) -> float:
    """-ln Z = -ln Z_Ising - 1/2 ln det(K + alpha I) + N/2 [ln(2/pi) - alpha], Appendix B.

    Z is the integral of exp(-E(x)) over x, so -ln Z bounds the loss of Eq. 7 from below. Z_Ising is
    Kaufman's for periodic lattices, by transfer matrix for open ones.

    Returns:
      ln Z (not its negative), computed in float64.

    Raises:
      ValueError: If open and L > 20, or periodic with odd L and a coupling so negative that
        Kaufman's products cancel.
    """
    solve = kaufman.log_partition if self.boundary == 'periodic' else kaufman.open_log_partition
    log_det = float(np.sum(np.log(self._coupling_eigenvalues() + self.shift)))
    constant = self.event_size / 2 * (math.log(2 / math.pi) - self.shift)
    return solve(self.side, self.side, self.coupling) + log_det / 2 - constant

  def exact_free_energy_per_site(self) -> float:
    """-ln Z / N, the red line of Fig. 4 per site; raises as `exact_log_partition`."""
    return -self.exact_log_partition() / self.event_size

  def _coupling_eigenvalues(self) -> np.ndarray:
    """Eigenvalues of K, float64 [N]."""
    return self.coupling * lattice.adjacency_eigenvalues(self.side, self.side, self.boundary)
