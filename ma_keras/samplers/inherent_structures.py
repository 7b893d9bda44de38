"""The local minima of the energy that configurations of particles hang from."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.optimize
import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras.arguments import is_finite, is_whole
from ma_keras.samplers.ceiling import limited
from ma_keras.targets.particles import Particles
from ma_keras.targets.target import as_event


@dataclasses.dataclass(frozen=True)
class InherentStructures:
  """Ends of ways down the energy: one local minimum for every configuration.

  Attributes:
    positions: The minima, [n, N].
    energies: E there, [n], in kT; NaN where none was reached.
    converged: Whether the largest force fell below the tolerance, [n].
  """

  positions: np.ndarray
  energies: np.ndarray
  converged: np.ndarray

  def levels(self, resolution: float = 1e-3) -> tuple[np.ndarray, np.ndarray]:
    """Different energies, lowest first, and how many configurations hang from each.

    Args:
      resolution: Energies that differ by less, from one to the next, are one level.

    Returns:
      Mean energies [m] and counts [m] of the minima that were reached.
    """
    energies = np.sort(self.energies[self.converged])
    groups = np.split(energies, np.flatnonzero(np.diff(energies) > resolution) + 1)
    groups = [group for group in groups if len(group)]
    return np.array([np.mean(group) for group in groups]), np.array(list(map(len, groups)))

  def doubts(self) -> list[str]:
    """Says why the minima are not all of them; empty if nothing speaks against."""
    missing = np.sum(~self.converged)
    if not missing:
      return []
    return [
      f'{missing} of {len(self.converged)} configurations reached no minimum: give them more '
      '`max_iterations`, or a larger `tolerance`.'
    ]


def inherent_structures(
  target: Particles, x: Any, tolerance: float = 1e-6, max_iterations: int = 1000
) -> InherentStructures:
  """Minimises the energy from every configuration, one after the other, by L-BFGS in float64.

  Vibrations are taken away, and what is left are shapes: histograms of their energies, of samples
  of a flow and of chains, tell which are missed. Stillinger & Weber, Phys. Rev. A 25 (1982) 978.

  Args:
    target: Whose energy it is, in whatever dtype.
    x: Configurations, [n, N].
    tolerance: Largest force at a minimum.
    max_iterations: At most so many steps.

  Raises:
    TypeError: The target is no `targets.Particles`, or x has another dtype.
    ValueError: x has another shape, the energy is not finite somewhere, or a number is out of
      range.
  """
  if not isinstance(target, Particles):
    raise TypeError(f'`target` must be a targets.Particles, got {type(target).__name__}.')
  if not is_finite(tolerance) or tolerance <= 0 or not is_whole(max_iterations):
    raise ValueError(
      '`tolerance` must be a positive force and `max_iterations` a positive integer, got '
      f'{tolerance!r} and {max_iterations!r}.'
    )
  x = tf.cast(as_event(x, target), tf.float64)
  if x.shape.rank != 2:
    raise ValueError(f'`x` must be configurations [n, {target.event_size}], got shape {x.shape}.')
  exact = copy.copy(target)
  exact.dtype = tf.float64  # Differences of energies near a minimum are lost in float32.
  energies = exact.energy(x).numpy()
  if not np.all(np.isfinite(energies)):
    row = int(np.flatnonzero(~np.isfinite(energies))[0])
    raise ValueError(f'`x` has the energy {energies[row]} in row {row}: particles coincide there.')
  smooth = _value_and_gradient(exact)
  options = {'gtol': float(tolerance), 'ftol': 0.0, 'maxiter': int(max_iterations)}
  rows = [
    scipy.optimize.minimize(smooth, row, jac=True, method='L-BFGS-B', options=options).x
    for row in x.numpy()
  ]
  end = np.array(rows).reshape(x.shape)
  energies = exact.energy(end).numpy()
  forces = np.max(np.abs(exact.force(end)), axis=1, initial=0.0)
  converged = np.isfinite(energies) & (forces <= tolerance)
  return InherentStructures(end, np.where(converged, energies, np.nan), converged)


def _value_and_gradient(target: Particles) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
  """E and its gradient at one configuration [N], E held down where particles clash.

  A step down from a clash would end far away; minima below the ceiling are the same.
  """

  @tf.function(autograph=False, input_signature=[tf.TensorSpec([target.event_size], target.dtype)])
  def compiled(y: tf.Tensor) -> Any:
    ceiling = float(target.degrees_of_freedom)
    return tfp.math.value_and_gradient(lambda y: limited(target.energy(y), ceiling), y)

  def smooth(y: np.ndarray) -> tuple[float, np.ndarray]:
    value, gradient = compiled(y)
    return float(value), gradient.numpy()

  return smooth
