"""Decisions of the Ising app: what is trained, for how long, and when a result is in doubt."""

import pytest
from absl import flags
from tf_keras.optimizers import schedules

from ma_keras import targets, training
from tests.integration import apps

FLAGS = [
  *('--side=2', '--hidden_units=8', '--num_steps=3', '--step_size=0.2', '--batch_size=8'),
  *('--epochs=5', '--steps_per_epoch=6', '--warmup_steps=4', '--learning_rate=0.02', '--seed=3'),
  *('--eval_samples=32', '--nofigures', '--nosaved_model', '--stiffness_weight=0.25'),
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
  assert (model.stiffness_weight, model.batch_size, model.seed) == (0.25, 8, 3)
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
  app.main(['ising'])


def test_a_free_energy_in_doubt_is_written_and_ends_in_its_own_exit_code(tmp_path):
  done = apps.call(end_in_doubt, tmp_path)
  assert done.returncode == 3 and 'Not to be trusted.' in done.stderr
  assert 'F/N = ' in done.stdout and (tmp_path / 'run' / 'model.npz').exists()
