"""Two apps in one process, told by configurations instead of command lines."""

import dataclasses

import numpy as np
import pytest

import ma_keras
from ma_keras import targets, training
from ma_keras.apps import density, evaluate, ising, score
from ma_keras.apps.configuration import DensityConfig, EvaluateConfig, IsingConfig, ScoreConfig

BRIEF = {
  **{'hidden_units': 8, 'num_steps': 2, 'integrator': 'heun'},
  **{'epochs': 1, 'figures': False, 'saved_model': False},
}
SPINS = {**BRIEF, 'side': 2, 'symmetry': 'none', 'batch_size': 16, 'steps_per_epoch': 2}


@pytest.fixture(scope='module')
def spins(tmp_path_factory):
  """The configuration of a short run, and its directory."""
  path = tmp_path_factory.mktemp('spins')
  config = IsingConfig(**SPINS, eval_samples=128, run_dir=str(path))
  return config, ising.carry_out(config)


def test_an_ising_flow_and_a_density_are_trained_evaluated_and_scored(spins, tmp_path, monkeypatch):
  x = np.random.default_rng(0).normal(size=(120, 2)) @ [[1.0, 0.5], [0.0, 0.4]]
  np.save(tmp_path / 'x.npy', x)
  rows = density.carry_out(
    DensityConfig(
      dataset_file=str(tmp_path / 'x.npy'),
      **BRIEF,
      step_size=0.25,
      batch_size=40,
      run_dir=str(tmp_path / 'density'),
    )
  )
  _, run_of_spins = spins
  for run in (run_of_spins, rows):
    assert run.read_metrics()['epoch'].tolist() == [0]
  measured = evaluate.measure(EvaluateConfig(model=str(run_of_spins.model), n=64))
  assert isinstance(measured, training.FreeEnergy)
  exact = targets.Ising(2).exact_free_energy_per_site()
  assert measured.exact_per_site == pytest.approx(exact, rel=1e-9)
  measured = evaluate.measure(EvaluateConfig(model=str(rows.model)))
  assert isinstance(measured, training.Likelihood)
  assert measured.nll == pytest.approx(rows.read_summary()['nll'], rel=1e-6)
  monkeypatch.chdir(tmp_path)
  score.work(ScoreConfig(model=str(rows.model), input='x.npy', output='scores.npy'))
  expected = ma_keras.load(rows.model).flow().log_prob(x.astype(np.float32))
  np.testing.assert_allclose(np.load('scores.npy'), expected, rtol=1e-4, atol=1e-4)


def test_the_same_configuration_goes_on_where_the_run_stopped_and_another_is_refused(spins):
  config, run = spins
  ising.carry_out(dataclasses.replace(config, epochs=2))
  assert run.read_metrics()['epoch'].tolist() == [0, 1]
  with pytest.raises(ValueError, match='changed: --boundary=open'):
    ising.carry_out(dataclasses.replace(config, epochs=2, boundary='open'))
