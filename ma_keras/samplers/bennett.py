"""The difference of two free energies by samples of both: Bennett's acceptance ratio."""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.optimize
import scipy.special

OVERLAP = 0.03  # Least that can be trusted: Klimovich, Shirts & Mobley 2015.


@dataclasses.dataclass(frozen=True)
class FreeEnergyDifference:
  """F_1 - F_0 = ln Z_0 - ln Z_1.

  Attributes:
    value: The difference, in kT.
    error: Its standard error, by the spread of chains.
    overlap: 1 where both densities are one, 0 where no sample of one could be of the other.
  """

  value: float
  error: float
  overlap: float

  def doubts(self) -> str:
    """Why not to trust it, in one line; empty if nothing speaks against it."""
    if self.overlap >= OVERLAP:
      return ''
    return (
      f'The two densities overlap by {self.overlap:.2g}, below {OVERLAP}: take a temperature, or a '
      'potential, between them, and add the differences.'
    )


def free_energy_difference(forward: np.ndarray, reverse: np.ndarray) -> FreeEnergyDifference:
  """F_1 - F_0 by sum_0 f(E_1 - E_0 + M - dF) = sum_1 f(E_0 - E_1 - M + dF), f(x) = 1/(1 + e^x).

  M = ln(n_0/n_1). The estimate of least variance from samples of both (Bennett 1976, J. Comput.
  Phys. 22, 245; Shirts et al. 2003). For two temperatures T_0 and T_1, E_k = E/T_k.

  Args:
    forward: E_1 - E_0 of samples of exp(-E_0), along independent chains, [S_0, C_0], C_0 >= 2.
    reverse: E_0 - E_1 of samples of exp(-E_1), [S_1, C_1], C_1 >= 2.

  Returns:
    The difference with its error.

  Raises:
    ValueError: There are fewer than two chains, or a value is not finite.
  """
  forward = _checked(forward, 'forward')
  reverse = _checked(reverse, 'reverse')
  ratio = np.log(forward.size / reverse.size)

  def shares(difference: float) -> tuple[np.ndarray, np.ndarray]:
    shift = ratio - difference
    return scipy.special.expit(-forward - shift), scipy.special.expit(-reverse + shift)

  def excess(difference: float) -> float:
    first, second = shares(difference)
    return float(first.sum() - second.sum())

  ends = np.concatenate([forward.ravel(), -reverse.ravel()]) + ratio
  # Particles that clash have energies of 1e30, from where halving alone takes over a hundred steps.
  root = scipy.optimize.brentq(
    excess, ends.min() - 50.0, ends.max() + 50.0, xtol=1e-10, maxiter=10_000
  )
  first, second = shares(root)
  slope = np.sum(first * (1 - first)) + np.sum(second * (1 - second))
  spread = np.hypot(_error_of_sum(first), _error_of_sum(second))
  largest = forward.size * reverse.size / (forward.size + reverse.size)
  return FreeEnergyDifference(float(root), float(spread / slope), float(slope / largest))


def _error_of_sum(values: np.ndarray) -> float:
  """Standard error of the sum of [S, C], chains being independent."""
  return float(np.sqrt(values.shape[1]) * np.std(values.sum(axis=0), ddof=1))


def _checked(values: np.ndarray, name: str) -> np.ndarray:
  values = np.asarray(values, np.float64)
  if values.ndim != 2 or values.shape[1] < 2 or not np.all(np.isfinite(values)):
    raise ValueError(
      f'`{name}` must have shape [samples, chains], two chains at least, all finite, got '
      f'{list(values.shape)}, of which {np.count_nonzero(~np.isfinite(values))} are not finite.'
    )
  return values
