"""The Ising model over a range of temperatures: free energy, energy, specific heat, magnetisation.

  python apps/scan_main.py --flagfile=apps/flagfiles/scan_l8.flags

One run of apps/ising.py per coupling, from hot to cold, each beginning with the weights of
the one before. A killed scan goes on where it stopped. It ends with a table and a plot.
"""

from __future__ import annotations

import pathlib

import numpy as np
from absl import flags, logging

from ma_keras import plotting, targets, training
from ma_keras.apps import ising, process, training_app

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(ising)
flags.DEFINE_list(
  'couplings',
  ['0.2', '0.3', '0.36', '0.4', '0.42', str(targets.CRITICAL_COUPLING), '0.46', '0.48', '0.5'],
  'Bond energies over kT, rising.',
)
flags.DEFINE_integer(
  'next_epochs', None, 'Epochs of every coupling after the first; default: --epochs.', lower_bound=1
)

PANELS = ('energy', 'specific heat', 'magnetisation')
CURVE_POINTS = 60


def couplings() -> list[float]:
  """Couplings of --couplings, checked."""
  try:
    found = [float(text) for text in FLAGS.couplings]
  except ValueError as error:
    raise ValueError(f'`--couplings` {FLAGS.couplings} must be numbers: {error}.') from error
  if not found or min(found) <= 0 or sorted(set(found)) != found:
    raise ValueError(f'`--couplings` {FLAGS.couplings} must be positive and rise: 0.3,0.4,0.5.')
  return found


def run_one(
  coupling: float, root: pathlib.Path, before: training.RunDirectory | None
) -> training.RunDirectory:
  """The run of one coupling, unless it is done already."""
  run = training.RunDirectory(root / f'K_{coupling:.6f}')
  if run.summary.exists():
    run.read_summary()  # Fails now if it is damaged.
    return run
  FLAGS['coupling'].value, FLAGS['run_dir'].value = coupling, str(run.root)
  if before is not None:
    FLAGS['start_from'].value = str(before.model)
    FLAGS['epochs'].value = FLAGS.next_epochs or FLAGS.epochs
  print(f'--coupling={coupling}', flush=True)
  training_app.carry_out(run, ising)
  return run


def values(summary: dict) -> dict[str, tuple[float, float]]:
  """Name to the reweighted value and its error, statistical and of the integration."""
  found = {'F/N': (summary['reweighted_per_site'], summary['reweighted_error'])}
  for each in summary['observables']:
    if each['name'] in PANELS:
      reweighted = each['reweighted']
      error = np.hypot(reweighted['error'], each['integration_error'])
      found[each['name']] = (reweighted['value'], float(error))
  return found


def exact_curves(least: float, most: float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
  """Exact curves of the lattice; the free energy is that of the continuous model (Appendix B)."""
  grid = np.linspace(least, most, CURVE_POINTS)
  known = [targets.thermodynamics.exact(FLAGS.side, k, FLAGS.boundary) for k in grid]
  free = [targets.Ising(FLAGS.side, k, FLAGS.boundary).exact_free_energy_per_site() for k in grid]
  return {
    'F/N': (grid, np.array(free)),
    'energy': (grid, np.array([each.energy for each in known])),
    'specific heat': (grid, np.array([each.specific_heat for each in known])),
  }


def report(at: list[float], runs: list[training.RunDirectory], root: pathlib.Path) -> None:
  """Prints the table and draws the plot."""
  summaries = [run.read_summary() for run in runs]
  measured = [values(summary) for summary in summaries]
  print('K, ESS, then value +- error of:', ', '.join(measured[0]))
  for k, summary, row in zip(at, summaries, measured):
    cells = '  '.join(f'{value:.5f} +- {error:.1g}' for value, error in row.values())
    print(f'{k:.6f}  {100 * summary["effective_sample_size"]:.2g} %  {cells}')
  if not FLAGS.figures:
    return
  try:
    figure = plotting.thermodynamics(
      np.array(at),
      {name: [row[name] for row in measured] for name in measured[0]},
      exact_curves(at[0], at[-1]),
      targets.CRITICAL_COUPLING,
    )
  except ImportError:
    logging.warning("No figure: matplotlib is missing. pip install -e '.[plot]'")
    return
  plotting.save(figure, root / 'scan.png')
  print(f'Figure: {root / "scan.png"}')


def main(argv: list[str]) -> None:
  """See `work`."""
  training_app.begin(argv)
  root = pathlib.Path(FLAGS.run_dir or f'runs/scan_l{FLAGS.side}')
  remedy = 'Free some: the same command goes on.'
  with process.ending(remedy, lambda: f'couplings that are done are kept in {root}.'):
    work(root)


def work(root: pathlib.Path) -> None:
  """All couplings, hot to cold, each in a folder of its own, then the report."""
  at = couplings()
  FLAGS['potential'].value = 'lattice'  # The one whose weights are handed on.
  runs: list[training.RunDirectory] = []
  for coupling in at:
    runs.append(run_one(coupling, root, runs[-1] if runs else None))
  report(at, runs, root)
