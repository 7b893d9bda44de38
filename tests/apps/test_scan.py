"""Decisions of the scan over temperature: couplings, what runs hand on, and the table."""

import contextlib
import io
import json
import types

import numpy as np
import pytest
from absl import flags

from ma_keras import targets
from tests.integration import apps


def check_couplings(app, folder):
  flags.FLAGS.couplings = ['0.3', ' 0.35', '0.5']
  assert app.couplings() == [0.3, 0.35, 0.5]
  flags.FLAGS.couplings = ['0.3']
  assert app.couplings() == [0.3]
  for bad in ([], ['0', '0.1'], ['0.3', '0.3'], ['0.4', '0.3'], ['-0.1', '0.2']):
    flags.FLAGS.couplings = bad
    with pytest.raises(ValueError, match='must be positive and rise'):
      app.couplings()
  flags.FLAGS.couplings = ['x']
  with pytest.raises(ValueError, match='must be numbers'):
    app.couplings()


def check_runs(app, folder):
  """A coupling begins with the weights of the one before, and is run once."""
  seen = []

  def carry_out(run, experiment):
    values = flags.FLAGS
    seen.append((run.root.name, values.coupling, values.start_from, values.epochs))
    run.root.mkdir(parents=True)
    run.write_summary({'done': True})

  app.training_app = types.SimpleNamespace(carry_out=carry_out)
  flags.FLAGS.epochs = 7
  first = app.run_one(0.3, folder, None)
  flags.FLAGS.next_epochs = 2
  second = app.run_one(0.4, folder, first)
  again = app.run_one(0.4, folder, first)
  assert second.root == again.root and len(seen) == 2
  assert seen[0] == ('K_0.300000', 0.3, None, 7)
  assert seen[1] == ('K_0.400000', 0.4, str(first.model), 2)
  flags.FLAGS.next_epochs = None
  flags.FLAGS.epochs = 5
  app.run_one(0.5, folder, second)
  assert seen[2][3] == 5
  second.summary.write_text('{')
  with pytest.raises(ValueError, match='damaged'):
    app.run_one(0.4, folder, first)


def check_table(app, folder):
  """Errors of statistics and of integration add as squares; exact curves are of the lattice."""
  observable = {'reweighted': {'value': 1.5, 'error': 0.3}, 'integration_error': 0.4}
  summary = {
    'reweighted_per_site': -2.0,
    'reweighted_error': 0.1,
    'observables': [{'name': 'energy', **observable}, {'name': 'other', **observable}],
  }
  found = app.values(json.loads(json.dumps(summary)))
  assert found == {'F/N': (-2.0, 0.1), 'energy': (1.5, pytest.approx(0.5))}
  flags.FLAGS.side = 2
  curves = app.exact_curves(0.2, 0.5)
  grid, free = curves['F/N']
  assert (grid[0], grid[-1]) == (0.2, 0.5) and np.all(np.diff(grid) > 0)
  assert free[-1] == pytest.approx(targets.Ising(2, 0.5).exact_free_energy_per_site())
  known = targets.thermodynamics.exact(2, 0.2, 'periodic')
  assert curves['energy'][1][0] == pytest.approx(known.energy)
  assert curves['specific heat'][1][0] == pytest.approx(known.specific_heat)


def check_report(app, folder):
  """One line for a coupling: shares in per cent, values with errors; and the figure's file."""
  runs = []
  for k, share in enumerate((0.99, 0.04)):
    run = app.training.RunDirectory(folder / f'run_{k}')
    run.root.mkdir()
    observable = {'reweighted': {'value': 1.5, 'error': 0.3}, 'integration_error': 0.4}
    run.write_summary(
      {
        'reweighted_per_site': -2.0 - k,
        'reweighted_error': 0.1,
        'effective_sample_size': share,
        'observables': [{'name': 'energy', **observable}],
      }
    )
    runs.append(run)
  flags.FLAGS.figures, printed = False, io.StringIO()
  with contextlib.redirect_stdout(printed):
    app.report([0.3, 0.4], runs, folder)
  assert printed.getvalue().splitlines() == [
    'K, ESS, then value +- error of: F/N, energy',
    '0.300000  99 %  -2.00000 +- 0.1  1.50000 +- 0.5',
    '0.400000  4 %  -3.00000 +- 0.1  1.50000 +- 0.5',
  ]


def check_decisions(folder):
  from ma_keras.apps import scan as app

  flags.FLAGS(['scan'])
  for check in (check_couplings, check_runs, check_table, check_report):
    check(app, folder)


def test_a_scan_goes_from_hot_to_cold(tmp_path):
  apps.passes(check_decisions, tmp_path)
