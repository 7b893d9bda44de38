"""Decisions of the scan over temperature: couplings, what runs hand on, and the table."""

import json
import pathlib

import numpy as np
import pytest

from ma_keras import targets, training
from ma_keras.apps import scan
from ma_keras.apps.configuration import IsingConfig, ScanConfig


def test_couplings_are_positive_and_rise():
  for words, values in ((('0.3', ' 0.35', '0.5'), [0.3, 0.35, 0.5]), (('0.3',), [0.3])):
    assert scan.couplings(ScanConfig(couplings=words)) == values
  for bad in ([], ['0', '0.1'], ['0.3', '0.3'], ['0.4', '0.3'], ['-0.1', '0.2']):
    with pytest.raises(ValueError, match='must be positive and rise'):
      scan.couplings(ScanConfig(couplings=bad))
  with pytest.raises(ValueError, match='must be numbers'):
    scan.couplings(ScanConfig(couplings=['x']))


def test_a_coupling_begins_with_the_weights_of_the_one_before_and_is_run_once(
  tmp_path, monkeypatch
):
  seen = []

  def carry_out(config):
    assert type(config) is IsingConfig and config.potential == 'lattice'
    run = training.RunDirectory(pathlib.Path(config.run_dir))
    seen.append((run.root.name, config.coupling, config.start_from, config.epochs))
    run.root.mkdir(parents=True)
    run.write_summary({'done': True})

  monkeypatch.setattr(scan.ising, 'carry_out', carry_out)
  first = scan.run_one(ScanConfig(epochs=7), 0.3, tmp_path, None)
  config = ScanConfig(epochs=7, next_epochs=2)
  second = scan.run_one(config, 0.4, tmp_path, first)
  again = scan.run_one(config, 0.4, tmp_path, first)
  assert second.root == again.root and len(seen) == 2
  assert seen[0] == ('K_0.300000', 0.3, None, 7)
  assert seen[1] == ('K_0.400000', 0.4, str(first.model), 2)
  scan.run_one(ScanConfig(epochs=5), 0.5, tmp_path, second)
  assert seen[2][3] == 5
  second.summary.write_text('{')
  with pytest.raises(ValueError, match='damaged'):
    scan.run_one(config, 0.4, tmp_path, first)


def test_errors_of_statistics_and_of_integration_add_as_squares():
  observable = {'reweighted': {'value': 1.5, 'error': 0.3}, 'integration_error': 0.4}
  summary = {
    'reweighted_per_site': -2.0,
    'reweighted_error': 0.1,
    'observables': [{'name': 'energy', **observable}, {'name': 'other', **observable}],
  }
  found = scan.values(json.loads(json.dumps(summary)))
  assert found == {'F/N': (-2.0, 0.1), 'energy': (1.5, pytest.approx(0.5))}


def test_exact_curves_are_those_of_the_lattice():
  curves = scan.exact_curves(ScanConfig(side=2), 0.2, 0.5)
  grid, free = curves['F/N']
  assert (grid[0], grid[-1]) == (0.2, 0.5) and np.all(np.diff(grid) > 0)
  assert free[-1] == pytest.approx(targets.Ising(2, 0.5).exact_free_energy_per_site())
  known = targets.thermodynamics.exact(2, 0.2, 'periodic')
  assert curves['energy'][1][0] == pytest.approx(known.energy)
  assert curves['specific heat'][1][0] == pytest.approx(known.specific_heat)


def test_the_report_has_one_line_for_a_coupling(tmp_path, capsys):
  """Shares in per cent, values with errors."""
  runs = []
  for k, share in enumerate((0.99, 0.04)):
    run = training.RunDirectory(tmp_path / f'run_{k}')
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
  scan.report(ScanConfig(figures=False), [0.3, 0.4], runs, tmp_path)
  assert capsys.readouterr().out.splitlines() == [
    'K, ESS, then value +- error of: F/N, energy',
    '0.300000  99 %  -2.00000 +- 0.1  1.50000 +- 0.5',
    '0.400000  4 %  -3.00000 +- 0.1  1.50000 +- 0.5',
  ]
