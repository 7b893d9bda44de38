"""Decisions of the Ising app: what is trained, for how long, and when a result is in doubt."""

import contextlib
import dataclasses
import types

import pytest
from tf_keras.optimizers import schedules

from ma_keras import targets, training
from ma_keras.apps import ising
from ma_keras.apps.configuration import IsingConfig
from ma_keras.flow.tallies import Stiffness

CONFIG = IsingConfig(
  side=2,
  hidden_units=8,
  num_steps=3,
  step_size=0.2,
  batch_size=8,
  epochs=5,
  steps_per_epoch=6,
  warmup_steps=4,
  learning_rate=0.02,
  seed=3,
  eval_samples=32,
  figures=False,
  saved_model=False,
  penalty='stiffness:0.25',
)
AIDS = {'force_weight': 0.5, 'path_gradient': True, 'antithetic': True, 'anneal_steps': 7}


def with_options(**options):
  return dataclasses.replace(CONFIG, **options)


def test_options_reach_the_model_and_the_rate_decays_until_the_last_step():
  config = with_options(**AIDS, step_jitter=0.5, integrator='heun', gradient='recompute')
  model = ising.build_model(targets.Ising(2), config)
  assert (dict(model.penalties.items()), model.batch_size, model.seed) == (
    {Stiffness(): 0.25},
    8,
    3,
  )
  assert model.aids == training.Aids(0.5, path_gradient=True, antithetic=True, anneal_steps=7)
  horizon = model.bijector.horizon
  assert (horizon.num_steps, horizon.step_size, horizon.jitter) == (3, 0.2, 0.5)
  rate = schedules.deserialize(model.optimizer.get_config()['learning_rate'])
  assert float(rate(4)) == pytest.approx(0.02, rel=1e-5)
  assert float(rate(4 + (30 - 4) / 2)) == pytest.approx(0.02 * 0.505, rel=1e-5)
  assert float(rate(30)) == pytest.approx(0.02 / 100, rel=1e-4)


@pytest.mark.slow
def test_a_free_energy_in_doubt_is_written_and_ends_in_its_own_exit_code(
  tmp_path, monkeypatch, capsys
):
  monkeypatch.setattr(ising, 'train', lambda *arguments: None)
  doubts = lambda self, *arguments, **options: 'Not to be trusted.'  # noqa: E731
  monkeypatch.setattr(training.FreeEnergy, 'doubts', doubts)
  measured, few = training.summarise, {'reweighting_doubts': 'Few samples weigh all.'}
  summarise = lambda *arguments: dataclasses.replace(measured(*arguments), **few)  # noqa: E731
  monkeypatch.setattr(training, 'summarise', summarise)
  with pytest.raises(SystemExit) as ending:
    ising.main(with_options(run_dir=str(tmp_path / 'run')))
  stdout, stderr = capsys.readouterr()
  assert ending.value.code == 3 and 'Not to be trusted.' in stderr
  assert 'Doubtful: Few samples weigh all.' in stdout
  assert 'F/N = ' in stdout and (tmp_path / 'run' / 'model.npz').exists()


@dataclasses.dataclass(frozen=True)
class Observed:
  """In place of a measured observable."""

  name: str


def test_five_observables_are_printed_and_all_are_kept(monkeypatch, capsys):
  """Few samples, and spins without couplings, have none."""
  names = ['energy', 'specific heat', 'a', 'b', 'c', 'd']
  measured = [Observed(name) for name in names]
  monkeypatch.setattr(training, 'measure_observables', lambda draws, target: measured)
  target = targets.Ising(2)
  for samples, coupling, count in ((99, 0.4, 0), (100, 0.0, 0), (100, 0.4, 6)):
    config = with_options(eval_samples=samples, coupling=coupling)
    observables = ising.report_observables(config, None, target)
    assert len(observables) == count
  lines = capsys.readouterr().out.splitlines()
  assert len(lines) == 5 and ['exact' in line for line in lines] == [True, True] + 3 * [False]
  known = targets.thermodynamics.exact(2, target.coupling, 'periodic')
  assert [one['name'] for one in observables] == names
  assert observables[0]['exact'] == known.energy
  assert observables[5]['exact'] is None


def test_snapshots_are_taken_at_each_quarter_and_steps_refined_if_asked(tmp_path, monkeypatch):
  """Snapshots if there are figures."""
  run, model = training.RunDirectory(tmp_path), types.SimpleNamespace(target='a target')
  monkeypatch.setattr(ising.ising_figures, 'Configurations', lambda *arguments: None)
  config = with_options(epochs=20)
  experiment = ising.Experiment(config, run, None, None, model)
  callbacks = ising.logging_callbacks(experiment)
  assert not any(isinstance(one, training.Snapshots) for one in callbacks)
  drawn = dataclasses.replace(experiment, config=dataclasses.replace(config, figures=True))
  snapshots, *_ = ising.logging_callbacks(drawn)
  assert snapshots.epochs == {0, 5, 10, 15}
  assert ising.refinement(config, model) == []
  config = dataclasses.replace(config, refine_tolerance=0.25, eval_batch_size=8)
  (refinement,) = ising.refinement(config, model)
  result = lambda *given: types.SimpleNamespace(integration_error=given)  # noqa: E731
  monkeypatch.setattr(training, 'measure', result)
  bijector = types.SimpleNamespace(copy=lambda jitter: ('equal steps', jitter))
  assert refinement.tolerance == 0.25
  assert refinement.error(bijector) == (('equal steps', 0.0), 'a target', 32, 8, config.seed)


def test_every_worker_has_sample_numbers_of_its_own(monkeypatch):
  """Whoever is alone has those of an epoch."""
  model = ising.build_model(targets.Ising(2), CONFIG)
  assert model.aids == training.Aids(0.0, path_gradient=False, antithetic=False, anneal_steps=0)
  numbers = list(ising.training_stream(model, 6).as_numpy_iterator())
  assert [list(batch) for batch in numbers] == [list(range(8))] * 6
  monkeypatch.setattr(ising.parameter_server, 'is_asynchronous', lambda strategy: True)
  monkeypatch.setattr(ising.parameter_server, 'for_workers', lambda stream: stream)
  stream = ising.training_stream(model, 6)
  for worker in range(3):
    batches = stream(worker).take(2).as_numpy_iterator()
    assert [list(batch) for batch in batches] == [list(range(8 * worker, 8 * worker + 8))] * 2


def test_after_a_stop_what_was_saved_last_is_reported_before_the_stop_is_told(
  tmp_path, monkeypatch
):
  """Nothing is reported of nothing."""

  def stopped(*arguments):
    raise training.TrainingStopped('It diverged.')

  def report(experiment, exact, doubts):
    reported.append(doubts)
    return doubts

  reported = []
  monkeypatch.setattr(ising, 'train', stopped)
  monkeypatch.setattr(ising, 'report', report)
  run = training.RunDirectory(tmp_path)
  experiment = ising.Experiment(CONFIG, run, None, targets.Ising(2), None)
  for epochs, chief, count in ((0, True, 0), (3, False, 0), (3, True, 1)):
    backup = types.SimpleNamespace(restore=lambda epochs=epochs: epochs)
    monkeypatch.setattr(training, 'Backup', lambda *_, backup=backup: backup)
    monkeypatch.setattr(ising.strategies, 'is_chief', lambda strategy, chief=chief: chief)
    told = pytest.raises(training.TrainingStopped, match='It diverged')
    with told if epochs == 0 or chief else contextlib.nullcontext():
      ising.work(experiment)
    assert len(reported) == count
  monkeypatch.setattr(ising, 'train', lambda *arguments: None)
  ising.work(experiment)
  assert reported == ['It diverged.', '']
