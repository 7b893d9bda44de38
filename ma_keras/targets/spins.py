"""Ising spins with any couplings, in continuous variables (paper, Eqs. 8-10 and Appendix B)."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras import seeds
from ma_keras.potentials.activations import log_cosh
from ma_keras.targets.couplings import Couplings, MatrixCouplings
from ma_keras.targets.observables import Observables, of_fields, with_energies
from ma_keras.targets.target import as_event, floating_dtype

ENUMERABLE = 20  # Spins whose 2^N states are still summed one by one.


class CoupledSpins:
  """E(x) = 1/2 x.(K + alpha I)^-1 x - sum_i ln cosh x_i, Eq. 8 with the shift of Appendix B.

  K is any symmetric matrix without diagonal: a lattice, a spin glass, all to all. The field x and
  the spins s = +-1 share the density p(s, x) ~ exp(-1/2 x.(K + alpha I)^-1 x + s.x); its
  marginals are exp(s.K s/2) and exp(-E).

  Attributes:
    event_size: N.
    dtype: Of x, spins and energies.
    couplings: K over kT, with the products that the energy needs.
  """

  def __init__(self, couplings: np.ndarray | Couplings, dtype: Any = tf.float32) -> None:
    """Inverts K + alpha I in float64, unless K knows its own products.

    Args:
      couplings: K over kT, float [N, N] or `Couplings`; K_ij > 0 where spins i and j like to be
        equal.
      dtype: Floating dtype.

    Raises:
      ValueError: K is not finite, square and symmetric, or has a diagonal.
    """
    self.dtype = floating_dtype(dtype)
    if not isinstance(couplings, Couplings):
      couplings = MatrixCouplings(_checked(couplings), self.dtype)
    self.couplings = couplings
    self.event_size = len(couplings.eigenvalues)

  @property
  def shift(self) -> float:
    """alpha, which makes the smallest eigenvalue of K + alpha I exactly 0.1."""
    return self.couplings.shift

  @property
  def covariance(self) -> np.ndarray:
    """K + alpha I, covariance of the Gaussian factor of exp(-E), float64 [N, N].

    On a torus the matrix is made anew every time.
    """
    return self.couplings.covariance

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
    return tf.reduce_sum(0.5 * x * self.couplings.solve(x) - log_cosh(x), axis=-1)

  def force(self, x: Any) -> tf.Tensor:
    """-grad E(x) = tanh x - (K + alpha I)^-1 x, shape [..., N] -> [..., N]; raises as `energy`."""
    x = as_event(x, self)
    return tf.tanh(x) - self.couplings.solve(x)

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
    return -0.5 * tf.reduce_sum(spins * self.couplings.product(spins), axis=-1)

  def configurations(self, x: Any, seed: Any) -> tf.Tensor:
    """Spins of fields x [..., N] that the observables are of, int8 [..., N]: `sample_spins`."""
    return tf.cast(self.sample_spins(x, seed), tf.int8)

  def observables(self) -> Observables:
    """Energy and specific heat of spins +-1, in units of kT, and what `of_fields` has."""
    return self._observables(1.0)

  def _observables(self, bond: float, torus_side: int | None = None) -> Observables:
    fields = of_fields(self.event_size, torus_side)
    return with_energies(self._energies, self.event_size, bond, fields)

  def _energies(self, spins: np.ndarray) -> np.ndarray:
    return self.spin_energy(tf.cast(spins, self.dtype)).numpy().astype(np.float64)

  def magnetisation(self, spins: Any) -> tf.Tensor:
    """(1/N) sum_i s_i, between -1 and 1: [..., N] -> [...]."""
    return tf.reduce_mean(as_event(spins, self, 'spins'), axis=-1)

  def exact_log_partition(self) -> float:
    """ln Z = ln Z_spins + 1/2 ln det(K + alpha I) - N/2 [ln(2/pi) - alpha], Appendix B.

    Z is the integral of exp(-E(x)) over x, so -ln Z bounds the loss of Eq. 7 from below.

    Returns:
      ln Z (not its negative), computed in float64.

    Raises:
      ValueError: If nobody knows the partition function of the spins.
    """
    log_det = float(np.sum(np.log(self.couplings.eigenvalues + self.shift)))
    constant = self.event_size / 2 * (math.log(2 / math.pi) - self.shift)
    return self._spin_log_partition() + log_det / 2 - constant

  def exact_free_energy_per_site(self) -> float:
    """-ln Z / N, the red line of Fig. 4 per site; raises as `exact_log_partition`."""
    return -self.exact_log_partition() / self.event_size

  def _spin_log_partition(self) -> float:
    """ln of the sum over all states."""
    if self.event_size > ENUMERABLE:
      raise ValueError(
        f'`couplings` join {self.event_size} spins: the exact ln Z is a sum over all states, '
        f'feasible up to {ENUMERABLE}. Read the reweighted estimate instead.'
      )
    return enumerated_log_partition(self.covariance - self.shift * np.eye(self.event_size))


def enumerated_log_partition(couplings: np.ndarray) -> float:
  """ln sum_s exp(s.K s/2) over all 2^N states, half of which suffice: s and -s weigh alike.

  Args:
    couplings: K, symmetric, float [N, N].

  Returns:
    In float64.
  """
  n = len(couplings)
  low = np.array(list(itertools.product((-1.0, 1.0), repeat=n // 2)))
  high = np.array(list(itertools.product((-1.0, 1.0), repeat=n - n // 2 - 1)))
  high = np.pad(high, [(0, 0), (0, 1)], constant_values=1.0)  # The last spin stays up.
  a, b, c = (
    couplings[: n // 2, : n // 2],
    couplings[n // 2 :, n // 2 :],
    couplings[: n // 2, n // 2 :],
  )
  # s.K s/2 = low.A low/2 + high.B high/2 + low.C high.
  exponents = np.sum(low @ a * low, -1)[:, np.newaxis] / 2 + np.sum(high @ b * high, -1) / 2
  exponents = exponents + low @ c @ high.T
  peak = exponents.max()
  return float(peak + np.log(2.0 * np.sum(np.exp(exponents - peak))))


def _checked(couplings: np.ndarray) -> np.ndarray:
  """K in float64; raises ValueError on what is none, with what to pass and what that means."""
  couplings = np.asarray(couplings)
  if couplings.dtype.kind not in 'buif':
    raise ValueError(f'`couplings` must be an array of real numbers, got {couplings.dtype}.')
  couplings, shape = couplings.astype(np.float64), couplings.shape
  if len(shape) != 2 or shape[0] != shape[1] or shape[0] < 1:
    raise ValueError(
      f'`couplings` must be a finite matrix of shape [N, N], got shape {list(shape)}: one row and '
      'one column for every spin. Of a list of pairs (i, j, K_ij) set K[i, j] = K[j, i] = K_ij.'
    )
  if not np.all(np.isfinite(couplings)):
    i, j = np.argwhere(~np.isfinite(couplings))[0]
    raise ValueError(
      f'`couplings` must be a finite matrix of shape [N, N], got shape {list(shape)} with '
      f'{np.count_nonzero(~np.isfinite(couplings))} entries that are not finite, the first at '
      f'[{i}, {j}]: where two spins are not joined write 0.'
    )
  if np.any(np.diagonal(couplings)):
    i = int(np.flatnonzero(np.diagonal(couplings))[0])
    raise ValueError(
      '`couplings` must be symmetric and without diagonal, got '
      f'{couplings[i, i]:.6g} at [{i}, {i}]: s_i s_i = 1, so that the diagonal only adds the '
      'constant -tr K/2 to the energy. Set it to 0: K - np.diag(np.diag(K)).'
    )
  if not np.allclose(couplings, couplings.T):
    i, j = np.unravel_index(np.argmax(np.abs(couplings - couplings.T)), shape)
    raise ValueError(
      '`couplings` must be symmetric and without diagonal, got '
      f'{couplings[i, j]:.6g} at [{i}, {j}] and {couplings[j, i]:.6g} at [{j}, {i}]'
      f'{_triangle(couplings)}. Pass K + K.T if every pair stands once, so that -K_ij s_i s_j is '
      'all of its energy; pass (K + K.T)/2 if every pair stands twice, as two estimates K_ij and '
      'K_ji of one coupling.'
    )
  return couplings


def _triangle(couplings: np.ndarray) -> str:
  """Says what speaks for pairs that stand once."""
  for name, other in (('above', np.tril(couplings)), ('below', np.triu(couplings))):
    if not np.any(other):
      return f' (all entries are {name} the diagonal: every pair seems to stand once)'
  return ''
