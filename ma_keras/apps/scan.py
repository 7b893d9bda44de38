"""The Ising model over a range of temperatures: free energy, energy, specific heat, magnetisation.

One run of apps/ising.py per coupling, from hot to cold, each beginning with the weights of
the one before. A killed scan goes on where it stopped. It ends with a table and a plot.
"""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np
from absl import logging

from ma_keras import plotting, targets, training
from ma_keras.apps import ising, process, training_app
from ma_keras.apps.configuration import IsingConfig, ScanConfig

PANELS = ('energy', 'specific heat', 'magnetisation')
CURVE_POINTS = 60


def couplings(config: ScanConfig) -> list[float]:
  """Couplings of --couplings, checked."""
  text = ','.join(config.couplings)
  try:
    values = [float(coupling) for coupling in config.couplings]
  except ValueError as error:
    raise ValueError(f'`--couplings` {text} must be numbers: {error}.') from error
  if not values or min(values) <= 0 or sorted(set(values)) != values:
    raise ValueError(f'`--couplings` {text} must be positive and rise: 0.3,0.4,0.5.')
  return values


def run_one(
  config: ScanConfig, coupling: float, root: pathlib.Path, before: training.RunDirectory | None
) -> training.RunDirectory:
  """The run of one coupling, unless it is done already."""
  run = training.RunDirectory(root / f'K_{coupling:.6f}')
  if run.summary.exists():
    run.read_summary()  # Fails now if it is damaged.
    return run
  print(f'--coupling={coupling}', flush=True)
  with training_app.ending(run):
    ising.carry_out(run_config(config, coupling, run, before))
  return run


def run_config(
  config: ScanConfig,
  coupling: float,
  run: training.RunDirectory,
  before: training.RunDirectory | None,
) -> IsingConfig:
  """The configuration of one coupling, which begins with the weights of the run before."""
  first = dataclasses.replace(
    config.part(IsingConfig),
    coupling=coupling,
    run_dir=str(run.root),
    potential='lattice',  # The one whose weights are handed on.
  )
  if before is None:
    return first
  epochs = config.next_epochs or config.epochs
  return dataclasses.replace(first, start_from=str(before.model), epochs=epochs)


def values(summary: dict) -> dict[str, tuple[float, float]]:
  """Name to the reweighted value and its error, statistical and of the integration."""
  measured = {'F/N': (summary['reweighted_per_site'], summary['reweighted_error'])}
  for observable in summary['observables']:
    if observable['name'] in PANELS:
      reweighted = observable['reweighted']
      error = np.hypot(reweighted['error'], observable['integration_error'])
      measured[observable['name']] = (reweighted['value'], float(error))
  return measured


def exact_curves(
  config: ScanConfig, least: float, most: float
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
  """Exact curves of the lattice; the free energy is that of the continuous model (Appendix B)."""
  grid = np.linspace(least, most, CURVE_POINTS)
  states = [targets.thermodynamics.exact(config.side, k, config.boundary) for k in grid]
  free = [targets.Ising(config.side, k, config.boundary).exact_free_energy_per_site() for k in grid]
  return {
    'F/N': (grid, np.array(free)),
    'energy': (grid, np.array([state.energy for state in states])),
    'specific heat': (grid, np.array([state.specific_heat for state in states])),
  }


def report(
  config: ScanConfig, at: list[float], runs: list[training.RunDirectory], root: pathlib.Path
) -> None:
  """Prints the table and draws the plot."""
  summaries = [run.read_summary() for run in runs]
  measured = [values(summary) for summary in summaries]
  print('K, ESS, then value +- error of:', ', '.join(measured[0]))
  for k, summary, row in zip(at, summaries, measured):
    cells = '  '.join(f'{value:.5f} +- {error:.1g}' for value, error in row.values())
    print(f'{k:.6f}  {100 * summary["effective_sample_size"]:.2g} %  {cells}')
  if not config.figures:
    return
  try:
    figure = plotting.thermodynamics(
      np.array(at),
      {name: [row[name] for row in measured] for name in measured[0]},
      exact_curves(config, at[0], at[-1]),
      targets.CRITICAL_COUPLING,
    )
  except ImportError:
    logging.warning("No figure: matplotlib is missing. pip install -e '.[plot]'")
    return
  plotting.save(figure, root / 'scan.png')
  print(f'Figure: {root / "scan.png"}')


def main(config: ScanConfig) -> None:
  """See `work`."""
  process.begin()
  root = pathlib.Path(config.directory)
  remedy = 'Free some: the same command goes on.'
  with process.ending(remedy, lambda: f'couplings that are done are kept in {root}.'):
    work(config, root)


def work(config: ScanConfig, root: pathlib.Path) -> None:
  """All couplings, hot to cold, each in a folder of its own, then the report."""
  at = couplings(config)
  runs: list[training.RunDirectory] = []
  for coupling in at:
    runs.append(run_one(config, coupling, root, runs[-1] if runs else None))
  report(config, at, runs, root)
