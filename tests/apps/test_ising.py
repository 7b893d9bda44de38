"""Decisions of the Ising app: what is trained, for how long, and when a result is in doubt."""

import contextlib
import dataclasses
import io
import types

import pytest
from absl import flags
from tf_keras.optimizers import schedules

from ma_keras import targets, training
from ma_keras.flow.tallies import Stiffness
from tests.integration import apps

FLAGS = [
  *('--side=2', '--hidden_units=8', '--num_steps=3', '--step_size=0.2', '--batch_size=8'),
  *('--epochs=5', '--steps_per_epoch=6', '--warmup_steps=4', '--learning_rate=0.02', '--seed=3'),
  *('--eval_samples=32', '--nofigures', '--nosaved_model', '--penalty=stiffness:0.25'),
]
AIDS = ['--force_weight=0.5', '--path_gradient', '--antithetic', '--anneal_steps=7']


def ising(*arguments):
  """The app's module, its flags parsed; one process imports it once."""
  from ma_keras.apps import ising as app

  flags.FLAGS(['ising', *FLAGS, *arguments])
  return app


def check_model():
  app = ising(*AIDS, '--step_jitter=0.5', '--integrator=heun', '--gradient=recompute')
  model = app.build_model(targets.Ising(2))
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


def test_flags_reach_the_model_and_the_rate_decays_until_the_last_step():
  apps.passes(check_model)


def end_in_doubt(folder):
  app = ising(f'--run_dir={folder / "run"}')
  app.train = lambda *arguments: None
  training.FreeEnergy.doubts = lambda self, *arguments, **options: 'Not to be trusted.'
  measured, few = training.summarise, {'reweighting_doubts': 'Few samples weigh all.'}
  training.summarise = lambda *arguments: dataclasses.replace(measured(*arguments), **few)
  app.main(['ising'])


def test_a_free_energy_in_doubt_is_written_and_ends_in_its_own_exit_code(tmp_path):
  done = apps.call(end_in_doubt, tmp_path)
  assert done.returncode == 3 and 'Not to be trusted.' in done.stderr
  assert 'Doubtful: Few samples weigh all.' in done.stdout
  assert 'F/N = ' in done.stdout and (tmp_path / 'run' / 'model.npz').exists()


@dataclasses.dataclass(frozen=True)
class Observed:
  """In place of a measured observable."""

  name: str


def check_observables(app, folder):
  """Few samples, and spins without couplings, have none; five are printed, all are kept."""
  names = ['energy', 'specific heat', 'a', 'b', 'c', 'd']
  app.training.measure_observables = lambda draws, target: [Observed(name) for name in names]
  target, printed = targets.Ising(2), io.StringIO()
  for samples, coupling, count in ((99, 0.4, 0), (100, 0.0, 0), (100, 0.4, 6)):
    flags.FLAGS.eval_samples, flags.FLAGS.coupling = samples, coupling
    with contextlib.redirect_stdout(printed):
      found = app.report_observables(None, target)
    assert len(found) == count
  lines = printed.getvalue().splitlines()
  assert len(lines) == 5 and ['exact' in line for line in lines] == [True, True] + 3 * [False]
  known = targets.thermodynamics.exact(2, target.coupling, 'periodic')
  assert [one['name'] for one in found] == names and found[0]['exact'] == known.energy
  assert found[5]['exact'] is None


def check_callbacks(app, folder):
  """Snapshots at the beginning and at each quarter, if there are figures; refinement if asked."""
  run, model = training.RunDirectory(folder), types.SimpleNamespace(target='a target')
  app.ising_figures.Configurations = lambda *arguments: None
  flags.FLAGS.epochs = 20
  assert not any(isinstance(one, training.Snapshots) for one in app.logging_callbacks(0, 0, run))
  flags.FLAGS.figures = True
  snapshots, *_ = app.logging_callbacks(0, 0, run)
  assert snapshots.epochs == {0, 5, 10, 15}
  flags.FLAGS.figures = False
  assert app.refinement(model) == []
  flags.FLAGS.refine_tolerance, flags.FLAGS.eval_batch_size = 0.25, 8
  (refinement,) = app.refinement(model)
  result = lambda *given: types.SimpleNamespace(integration_error=given)  # noqa: E731
  app.training.measure = result
  bijector = types.SimpleNamespace(copy=lambda jitter: ('equal steps', jitter))
  assert refinement.tolerance == 0.25
  assert refinement.error(bijector) == (('equal steps', 0.0), 'a target', 32, 8, flags.FLAGS.seed)


def check_streams(app, folder):
  """Every worker has sample numbers of its own; whoever is alone has those of an epoch."""
  build = lambda: app.build_model(targets.Ising(2))  # noqa: E731
  model, asynchronous = build(), app.parameter_server.is_asynchronous
  assert model.aids == training.Aids(0.0, path_gradient=False, antithetic=False, anneal_steps=0)
  numbers = list(app.training_stream(model).as_numpy_iterator())
  assert [list(batch) for batch in numbers] == [list(range(8))] * 6
  app.parameter_server.is_asynchronous = lambda strategy: True
  app.parameter_server.for_workers = lambda stream: stream
  stream = app.training_stream(model)
  app.parameter_server.is_asynchronous = asynchronous
  for worker in range(3):
    batches = stream(worker).take(2).as_numpy_iterator()
    assert [list(batch) for batch in batches] == [list(range(8 * worker, 8 * worker + 8))] * 2


def check_stop(app, folder):
  """After a stop what was saved last is reported, before the stop is told; nothing of nothing."""

  def stopped(*arguments):
    raise training.TrainingStopped('It diverged.')

  reported = []
  app.train, app.logging_callbacks = stopped, lambda *arguments: []
  app.report = lambda model, target, run, exact, doubts: reported.append(doubts) or doubts
  arguments = (training.RunDirectory(folder), None, targets.Ising(2), None)
  for epochs, chief, count in ((0, True, 0), (3, False, 0), (3, True, 1)):
    app.training.Backup = lambda *_, epochs=epochs: types.SimpleNamespace(restore=lambda: epochs)
    app.strategies.is_chief = lambda strategy, chief=chief: chief
    told = pytest.raises(training.TrainingStopped, match='It diverged')
    with told if epochs == 0 or chief else contextlib.nullcontext():
      app.work(*arguments)
    assert len(reported) == count
  app.train = lambda *arguments: None
  app.work(*arguments)
  assert reported == ['It diverged.', '']


def check_decisions(folder):
  app = ising()
  for check in (check_streams, check_observables, check_callbacks, check_stop):
    check(app, folder)


def test_what_is_looked_at_and_what_is_told_after_a_stop(tmp_path):
  apps.passes(check_decisions, tmp_path)
