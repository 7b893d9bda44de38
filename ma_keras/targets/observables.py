"""Observables of configurations: functions of the means of their moments."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Statistic = Callable[[np.ndarray], float]


class Observables(NamedTuple):
  """Expectations over configurations, all of them functions of one row of means.

  Attributes:
    moments: Configurations [n, N] -> k numbers of each, float64 [n, k].
    statistics: Name of an observable -> function of the means of the moments, [k].
  """

  moments: Callable[[np.ndarray], np.ndarray]
  statistics: dict[str, Statistic]


def of_fields(event_size: int, torus_side: int | None = None) -> Observables:
  """<|m|>, susceptibility N <m^2>, Binder's cumulant 1 - <m^4>/(3 <m^2>^2), and G(r) on a torus.

  The susceptibility is that of a finite lattice, which has no order. G(r) is the two-point function
  at the distances r = 1 to L/2 along an axis.

  Args:
    event_size: N; m is the mean of N fields, or spins.
    torus_side: L of a periodic lattice L x L, or None for no lattice.
  """
  side = torus_side or 0
  distances = range(1, side // 2 + 1)

  def moments(values: np.ndarray) -> np.ndarray:
    values = values.astype(np.float64)
    m = values.mean(axis=-1)
    columns = [np.abs(m), m**2, m**4]
    for r in distances:
      square = values.reshape(-1, side, side)
      shifted = (np.roll(square, r, axis=1) + np.roll(square, r, axis=2)) / 2
      columns.append((square * shifted).mean(axis=(1, 2)))
    return np.stack(columns, axis=-1)

  statistics: dict[str, Statistic] = {
    'magnetisation': operator.itemgetter(0),
    'susceptibility': lambda mean: event_size * mean[1],
    'Binder cumulant': lambda mean: 1.0 - mean[2] / (3.0 * mean[1] ** 2),
  }
  for r in distances:
    statistics[f'two-point function at {r}'] = operator.itemgetter(2 + r)
  return Observables(moments, statistics)


def with_energies(
  energies: Callable[[np.ndarray], np.ndarray], event_size: int, bond: float, fields: Observables
) -> Observables:
  """Energy u per site in units of a bond, specific heat K^2 N (<u^2> - <u>^2), and the fields'.

  Args:
    energies: Configurations [n, N] -> energies [n], over kT.
    event_size: N.
    bond: K, the energy of one bond over kT; 1 where bonds differ.
    fields: Further observables.
  """

  def moments(values: np.ndarray) -> np.ndarray:
    u = energies(values) / (bond * event_size)
    return np.concatenate([np.stack([u, u**2], axis=-1), fields.moments(values)], axis=-1)

  def after(statistic: Statistic) -> Statistic:
    return lambda mean: statistic(mean[2:])

  statistics: dict[str, Statistic] = {
    'energy': operator.itemgetter(0),
    'specific heat': lambda mean: bond**2 * event_size * (mean[1] - mean[0] ** 2),
    **{name: after(statistic) for name, statistic in fields.statistics.items()},
  }
  return Observables(moments, statistics)
