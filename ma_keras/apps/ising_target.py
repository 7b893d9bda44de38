"""The target of apps/ising_main.py: the Ising model, spins with couplings of your own, or phi^4."""

from __future__ import annotations

import numpy as np
from absl import logging

from ma_keras import targets
from ma_keras.apps.configuration.target import TargetConfig
from ma_keras.data import tables
from ma_keras.data.disk_rows import BLOCK_ROWS


def build(config: TargetConfig) -> targets.Target:
  """The energy, with its event size and its exact values."""
  if config.couplings_file and config.target != 'couplings':
    raise ValueError(f'`--couplings_file` needs --target=couplings, got --target={config.target}.')
  if config.target == 'couplings':
    if not config.couplings_file:
      raise ValueError('`--target=couplings` needs --couplings_file=K.npy, a symmetric matrix.')
    return targets.CoupledSpins(read_couplings(config.couplings_file), config.dtype)
  if config.target == 'phi4':
    return targets.Phi4(
      config.side, config.mass_squared, config.quartic, config.boundary, config.dtype
    )
  return targets.Ising(config.side, config.coupling, config.boundary, config.dtype)


def exact_per_site(target: targets.Target) -> float | None:
  """-ln Z/N, or None where nobody knows it."""
  try:
    if isinstance(target, targets.SolvedTarget):
      return -target.exact_log_partition() / target.event_size
    reason = 'its ln Z has no formula.'
  except ValueError as error:
    reason = str(error)
  logging.warning('No exact free energy to compare with: %s', reason)
  return None


def exact_observables(target: targets.Target) -> dict[str, float]:
  """Energy and specific heat, where ln Z is known as a function of the coupling."""
  if not isinstance(target, targets.Ising):
    return {}
  try:
    exact = targets.thermodynamics.exact(target.side, target.coupling, target.boundary)
  except ValueError:
    return {}
  return {'energy': exact.energy, 'specific heat': exact.specific_heat}


def pictures(configurations: np.ndarray) -> np.ndarray:
  """Configurations [n, N] as squares [n, r, r]; sites that are missing to the last are zero."""
  n, sites = configurations.shape
  side = int(np.ceil(np.sqrt(sites)))
  return np.pad(configurations, [(0, 0), (0, side**2 - sites)]).reshape(n, side, side)


def read_couplings(path: str) -> np.ndarray:
  """The matrix of --couplings_file; raises ValueError if there is none."""
  try:
    table = tables.open_table(path)
  except ValueError:  # A first row 0, 1 is no header of a matrix.
    table = tables.open_table(path, header='no')
  return np.concatenate(list(table.read(BLOCK_ROWS)))
