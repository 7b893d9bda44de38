"""Options of the target: the Ising model, spins with couplings of one's own, or phi^4."""

from __future__ import annotations

import dataclasses
import math

from ma_keras.apps.configuration.option import Configuration, choice, integer, number, text

CRITICAL_COUPLING = math.log1p(math.sqrt(2.0)) / 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class TargetConfig(Configuration):
  """An energy, and its precision."""

  target: str = choice(
    'ising',
    ('ising', 'couplings', 'phi4'),
    'Ising on a square lattice, spins with the couplings of --couplings_file, or lattice phi^4.',
    fixes_run=True,
  )
  side: int = integer(8, 'Lattice side L; N = L * L.', lower=2, fixes_run=True)
  coupling: float = number(
    CRITICAL_COUPLING, 'Bond energy over kT; default critical.', fixes_run=True
  )
  boundary: str = choice(
    'periodic', ('periodic', 'open'), 'Boundary of the lattice.', fixes_run=True
  )
  couplings_file: str | None = text(
    None,
    'A table of the symmetric matrix K over kT, [N, N], .csv, .npy, ...: a spin glass, say.',
    fixes_run=True,
    names_file=True,
  )
  mass_squared: float = number(-4.0, 'm^2 of phi^4; negative for the double well.', fixes_run=True)
  quartic: float = number(8.0, 'lambda of phi^4.', lower=0.0, fixes_run=True)
  dtype: str = choice(
    'float32',
    ('float32', 'float64'),
    'Precision of fields, energies and weights.',
    fixes_run=True,
  )
