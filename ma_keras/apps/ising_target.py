"""The target of apps/ising_main.py: the Ising model, spins with couplings of your own, or phi^4."""

from __future__ import annotations

import numpy as np
from absl import flags, logging

from ma_keras import targets
from ma_keras.data import tables
from ma_keras.data.disk_rows import BLOCK_ROWS

FLAGS = flags.FLAGS
flags.DEFINE_enum(
  'target',
  'ising',
  ('ising', 'couplings', 'phi4'),
  'Ising on a square lattice, spins with the couplings of --couplings_file, or lattice phi^4.',
)
flags.DEFINE_integer('side', 8, 'Lattice side L; N = L * L.', lower_bound=2)
flags.DEFINE_float('coupling', targets.CRITICAL_COUPLING, 'Bond energy over kT; default critical.')
flags.DEFINE_enum('boundary', 'periodic', ('periodic', 'open'), 'Boundary of the lattice.')
flags.DEFINE_string(
  'couplings_file',
  None,
  'A table of the symmetric matrix K over kT, [N, N], .csv, .npy, ...: a spin glass, say.',
)
flags.DEFINE_float('mass_squared', -4.0, 'm^2 of phi^4; negative for the double well.')
flags.DEFINE_float('quartic', 8.0, 'lambda of phi^4.', lower_bound=0.0)

flags.DEFINE_enum(
  'dtype', 'float32', ('float32', 'float64'), 'Precision of fields, energies and weights.'
)

TARGET_FLAGS = (
  *('target', 'side', 'coupling', 'boundary', 'couplings_file', 'mass_squared', 'quartic'),
  'dtype',
)


def build() -> targets.Target:
  """Builds the target of --target."""
  if FLAGS.couplings_file and FLAGS.target != 'couplings':
    raise ValueError(f'`--couplings_file` needs --target=couplings, got --target={FLAGS.target}.')
  if FLAGS.target == 'couplings' and not FLAGS.couplings_file:
    raise ValueError('`--target=couplings` needs --couplings_file=K.npy, a symmetric matrix.')
  if FLAGS.target == 'couplings':
    return targets.CoupledSpins(read_couplings(), FLAGS.dtype)
  if FLAGS.target == 'phi4':
    return targets.Phi4(FLAGS.side, FLAGS.mass_squared, FLAGS.quartic, FLAGS.boundary, FLAGS.dtype)
  return targets.Ising(FLAGS.side, FLAGS.coupling, FLAGS.boundary, FLAGS.dtype)


def name() -> str:
  """Name of the target in that of the run's directory."""
  return 'couplings' if FLAGS.target == 'couplings' else f'{FLAGS.target}_l{FLAGS.side}'


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
    known = targets.thermodynamics.exact(target.side, target.coupling, target.boundary)
  except ValueError:
    return {}
  return {'energy': known.energy, 'specific heat': known.specific_heat}


def pictures(configurations: np.ndarray) -> np.ndarray:
  """Configurations [n, N] as squares [n, r, r]; sites that are missing to the last are zero."""
  n, sites = configurations.shape
  side = int(np.ceil(np.sqrt(sites)))
  return np.pad(configurations, [(0, 0), (0, side**2 - sites)]).reshape(n, side, side)


def read_couplings() -> np.ndarray:
  """The matrix of --couplings_file; raises ValueError if there is none."""
  try:
    table = tables.open_table(FLAGS.couplings_file)
  except ValueError:  # A first row 0, 1 is no header of a matrix.
    table = tables.open_table(FLAGS.couplings_file, header='no')
  return np.concatenate(list(table.read(BLOCK_ROWS)))
