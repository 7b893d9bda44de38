"""What all training apps share: exit codes, the parts of a batch, numbers that are none."""

import pathlib
import types

import pytest
import tensorflow as tf
from absl import flags

import ma_keras
from ma_keras import targets, training
from tests.integration import apps


def training_app(*arguments):
  """The module, its flags parsed; one process imports it once."""
  from ma_keras.apps import training_app as module

  flags.FLAGS(['train', *arguments])
  return module


def experiment(set_up_error=None, work_error=None):
  """A module whose set-up or whose work fails."""

  def raising(error):
    if error is not None:
      raise error
    return ()

  made = types.SimpleNamespace(
    __name__='experiment',
    DEFAULTS={},
    set_up=lambda run, lines: raising(set_up_error),
    work=lambda run: raising(work_error),
  )
  return made


def end(errors):
  module = training_app()
  module.carry_out(training.RunDirectory(pathlib.Path('run')), experiment(*errors))


@pytest.mark.parametrize(
  'errors, code',
  [
    ((None, None), 0),
    ((ValueError('the reason'), None), 1),
    ((OSError('the reason'), None), 1),
    ((None, training.TrainingStopped('the reason')), 3),
    ((None, OSError('the reason')), 4),
    ((None, tf.errors.ResourceExhaustedError(None, None, 'the reason')), 4),
    ((None, tf.errors.UnavailableError(None, None, 'gone')), 4),
    ((None, tf.errors.AbortedError(None, None, 'gone')), 4),
  ],
)
def test_errors_end_in_one_line_and_their_exit_code(tmp_path, errors, code):
  done = apps.call(end, errors, folder=tmp_path)
  assert done.returncode == code, done.stderr
  assert 'Traceback' not in done.stderr
  if code:
    last = done.stderr.strip().splitlines()[-1]
    assert 'the reason' in last or 'another process of the cluster is gone' in last


def model(batch_size):
  potential = ma_keras.potentials.OneHiddenLayer(4, 3, seed=1)
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.5)
  return training.VariationalFreeEnergy(bijector, targets.Ising(2), batch_size)


def check_parts():
  module = training_app('--batch_size=12', '--accumulate=5', '--optimizer=soap')
  with pytest.raises(ValueError, match='makes 5 parts, which do not divide --batch_size=12'):
    module.compiled(model(12), 10)
  flags.FLAGS.accumulate = 4
  made = module.compiled(model(12), 10)
  assert made.accumulate == 4 and isinstance(made.optimizer, training.Soap)


def test_a_batch_is_divided_into_equal_parts():
  apps.passes(check_parts)


def begin(*arguments):
  training_app(*arguments).begin(['train'])


@pytest.mark.parametrize('value', ['nan', 'inf'])
def test_numbers_that_are_not_finite_are_refused(value):
  """NaN is within all bounds."""
  done = apps.call(begin, f'--learning_rate={value}')
  assert done.returncode == 1 and '`--learning_rate` must be finite' in done.stderr
