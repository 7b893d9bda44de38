"""The Ising model over a range of temperatures: free energy, energy, specific heat, magnetisation.

  python apps/scan_main.py --flagfile=apps/flagfiles/scan_l8.flags

One run of apps/ising.py per coupling, from hot to cold, each beginning with the weights of
the one before. A killed scan goes on where it stopped. It ends with a table and a plot.
"""

from __future__ import annotations

import dataclasses

from ma_keras.apps.configuration.ising import IsingConfig
from ma_keras.apps.configuration.option import integer, names
from ma_keras.apps.configuration.target import CRITICAL_COUPLING


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScanConfig(IsingConfig):
  """Runs of `ma-keras train ising` that differ in --coupling."""

  couplings: tuple[str, ...] = names(
    ('0.2', '0.3', '0.36', '0.4', '0.42', str(CRITICAL_COUPLING), '0.46', '0.48', '0.5'),
    'Bond energies over kT, rising.',
  )
  next_epochs: int | None = integer(
    None, 'Epochs of every coupling after the first; default: --epochs.', lower=1
  )

  @property
  def run_name(self) -> str:
    """The name of the folder of all runs."""
    return f'scan_l{self.side}'
