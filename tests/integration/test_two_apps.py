"""Two apps in one process, told by configurations instead of command lines."""

import numpy as np
import pytest

import ma_keras
from ma_keras import targets, training
from ma_keras.apps import density, evaluate, ising, score
from ma_keras.apps.configuration import DensityConfig, EvaluateConfig, IsingConfig, ScoreConfig

BRIEF = {'hidden_units': 8, 'num_steps': 4, 'epochs': 1, 'figures': False, 'saved_model': False}


def test_an_ising_flow_and_a_density_are_trained_evaluated_and_scored(tmp_path, monkeypatch):
  x = np.random.default_rng(0).normal(size=(120, 2)) @ [[1.0, 0.5], [0.0, 0.4]]
  np.save(tmp_path / 'x.npy', x)
  spins = ising.carry_out(
    IsingConfig(
      side=2,
      **BRIEF,
      batch_size=16,
      steps_per_epoch=2,
      eval_samples=128,
      run_dir=str(tmp_path / 'ising'),
    )
  )
  rows = density.carry_out(
    DensityConfig(
      dataset_file=str(tmp_path / 'x.npy'),
      **BRIEF,
      step_size=0.25,
      batch_size=40,
      run_dir=str(tmp_path / 'density'),
    )
  )
  for run in (spins, rows):
    assert run.read_metrics()['epoch'].tolist() == [0]
  measured = evaluate.measure(EvaluateConfig(model=str(spins.model), n=64))
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


def test_the_same_configuration_goes_on_where_the_run_stopped_and_another_is_refused(tmp_path):
  options = {'side': 2, **BRIEF, 'batch_size': 16, 'steps_per_epoch': 2, 'eval_samples': 64}
  options['run_dir'] = str(tmp_path)
  run = ising.carry_out(IsingConfig(**options))
  ising.carry_out(IsingConfig(**{**options, 'epochs': 2}))
  assert run.read_metrics()['epoch'].tolist() == [0, 1]
  with pytest.raises(ValueError, match='changed: --boundary=open'):
    ising.carry_out(IsingConfig(**{**options, 'boundary': 'open'}))
