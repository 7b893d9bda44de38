"""Training that must not go on, or whose result is not to be trusted."""

import dataclasses
import math
import pathlib
import sys

import numpy as np
import pytest
import tf_keras

from ma_keras import training
from ma_keras.apps.exit_code import ExitCode, end
from ma_keras.training.halving import moving
from tests.integration import apps
from tests.robustness.row import Row
from tests.training.test_free_energy import drawn
from tests.training.test_likelihood import likelihood

pytestmark = pytest.mark.slow


def guarded(guard):
  guard.set_model(tf_keras.Sequential([tf_keras.layers.Dense(1, input_shape=(1,))]))
  return guard


def not_finite(value):
  guarded(training.DivergenceGuard('nll')).on_train_batch_end(6, {'nll': value})


def weights_not_finite():
  guard = guarded(training.DivergenceGuard('nll'))
  guard.model.trainable_variables[0].assign([[math.nan]])
  guard.on_epoch_end(2, {'nll': 1.0})


def diverged():
  guard = guarded(training.DivergenceGuard('nll'))
  for epoch, value in enumerate((2.84, 2.37, 32.64)):
    guard.on_epoch_end(epoch, {'nll': value, 'val_nll': value, 'val_nll_error': 0.05})


def below_the_bound():
  guard = guarded(training.BoundGuard(-2.0, samples_per_epoch=100))
  guard.on_epoch_end(0, {'free_energy_per_site': -2.06, 'spread_per_site': 0.1})


def overfitted():
  """The training loss still falls: the best epoch is kept, and nothing stops."""
  guard = guarded(training.DivergenceGuard('nll'))
  for epoch, (value, validated) in enumerate(((3.0, 3.0), (2.0, 2.0), (1.0, 6.0))):
    guard.on_epoch_end(epoch, {'nll': value, 'val_nll': validated, 'val_nll_error': 0.1})


def stopped(doubts):
  """What an app does with doubts."""
  if doubts:
    raise training.TrainingStopped(doubts)


def free_energy(exact, change=0.0):
  values = np.random.default_rng(0).normal(size=400)
  return training.summarise(drawn(values, values + change), exact_per_site=exact).doubts()


def cheated():
  result = likelihood(nll=3.59, nll_at_trained_steps=1.11, point_error=0.05)
  stopped(result.doubts())


def last_epoch():
  """The density app, after two epochs: an honest one, and one that cheats."""
  from ma_keras.apps import density_report

  sys.argv = ['ma-keras train density']
  pathlib.Path('metrics.csv').write_text(
    'epoch,val_nll,val_nll_error,val_step_error,val_steps,val_certified_nll\n'
    '0,2.0,0.05,0.01,40,2.0\n1,3.5,0.05,-2.5,40,3.5\n'
  )
  doubts = density_report.last_epoch_doubts(training.RunDirectory(pathlib.Path()), trained_steps=20)
  end(ExitCode.STOPPED, doubts)


def honest():
  result = likelihood()
  assert not result.doubts()
  assert not dataclasses.replace(result, nll_at_trained_steps=1.09).doubts()


ROWS = [
  Row(
    'a loss that is not finite',
    not_finite,
    training.TrainingStopped,
    'The nll became {} at step 7. Lower --learning_rate or --gradient_clip: the same command ...',
    (math.nan, math.inf),
  ),
  Row(
    'weights that are not finite',
    weights_not_finite,
    training.TrainingStopped,
    'The nll became nan at epoch 3 (...). Lower --learning_rate or --gradient_clip: ...',
  ),
  Row(
    'a validation likelihood that lost all it had gained, and five standard errors more',
    diverged,
    training.TrainingStopped,
    'The validation nll rose to 32.64 at epoch 3, from 2.37 at its best and 2.84 at the beginning: '
    'training diverges. ...',
  ),
  Row(
    'the same while the training loss still falls',
    overfitted,
    None,
    'it is overfitting, and the best epoch is what is kept',
  ),
  Row(
    'F of an epoch below the exact value by five standard errors',
    below_the_bound,
    training.TrainingStopped,
    'F/N = -2.060000 +- 0.01 at epoch 1 lies below the exact -2.000000, which no flow can: the '
    'integrator is being cheated. ...',
  ),
  Row(
    'a likelihood in the steps of training that is off by 0.1 nats and two standard errors',
    cheated,
    training.TrainingStopped,
    'In the 20 steps of training the NLL is 1.11, in refined steps 3.59: 2.5 nats, or 50 standard '
    'errors, belong to the integrator and not to the model: train anew ...',
  ),
  Row(
    'the same on validation data in the last epoch, though the best one is honest',
    lambda: apps.call(last_epoch, folder=pathlib.Path.cwd()),
    ExitCode.STOPPED,
    'ma-keras train density: The last epoch cheated its integrator, on validation data. In the 20 '
    'steps of training the NLL is 1.00, in refined steps 3.50: ... The result above is of '
    'the best epoch that did not.',
  ),
  Row('a likelihood that is off by less', honest, None, 'nothing is doubted'),
  Row(
    'log densities that do not stand still in 64 times the steps',
    lambda: stopped(moving(0.02, 0.5, 0.3, num_steps=1280)),
    training.TrainingStopped,
    'Halving the steps still changes log densities by 0.02 nats on average, 0.5 root mean square '
    'and 0.3 in one of twenty points, even at 1280 steps (tolerance 0.1): train anew ...',
  ),
  Row(
    'F of the trained flow below the exact value',
    lambda: stopped(free_energy(exact=1.0)),
    training.TrainingStopped,
    'F lies below the exact value, which no flow can: the integrator was cheated. ...',
  ),
  Row(
    'F that changes by more than its statistical error on halving',
    lambda: stopped(free_energy(exact=-9.0, change=0.3)),
    training.TrainingStopped,
    'The integration error dominates: F is 0.3 nats, or ... standard errors, away from F in halved '
    'steps (tolerance 0.0004). ...',
  ),
]


@pytest.mark.parametrize('row', ROWS, ids=str)
def test_training(row):
  row.check()
