"""What all training apps share: exit codes, the parts of a batch, runs of older versions."""

import contextlib
import dataclasses
import re

import pytest
import tensorflow as tf

import ma_keras
from ma_keras import targets, training
from ma_keras.apps import training_app
from ma_keras.apps.configuration import DensityConfig, IsingConfig


def end(errors, folder='run'):
  """A command whose set-up or whose work fails."""

  def raising(error):
    if error is not None:
      raise error
    return ()

  training_app.main(
    IsingConfig(run_dir=folder),
    lambda config: training_app.carry_out(
      config,
      set_up=lambda *arguments: raising(errors[0]),
      work=lambda experiment: raising(errors[1]),
    ),
  )


@pytest.mark.slow
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
def test_errors_end_in_one_line_and_their_exit_code(tmp_path, errors, code, capsys):
  with pytest.raises(SystemExit) if code else contextlib.nullcontext() as ending:
    end(errors, tmp_path)
  if code:
    assert ending.value.code == code
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert 'the reason' in line or 'another process of the cluster is gone' in line


def model(batch_size):
  potential = ma_keras.potentials.OneHiddenLayer(4, 3, seed=1)
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.5)
  return training.VariationalFreeEnergy(bijector, targets.Ising(2), batch_size)


@pytest.mark.slow
def test_a_batch_is_divided_into_equal_parts():
  config = IsingConfig(batch_size=12, accumulate=5, optimizer='soap')
  with pytest.raises(ValueError, match='makes 5 parts, which do not divide --batch_size=12'):
    training_app.compiled(model(12), 10, config)
  made = training_app.compiled(model(12), 10, dataclasses.replace(config, accumulate=4))
  assert made.accumulate == 4 and isinstance(made.optimizer, training.Soap)


RUN_OF_AN_OLDER_VERSION = '--stiffness_weight={}\n--side=4\n'


@pytest.mark.parametrize(
  'weight, penalty, same',
  [
    ('0.3', 'stiffness:0.3', True),
    ('0.0', '', True),
    ('0.3', 'stiffness:0.5', False),
    ('0.3', '', False),
  ],
)
def test_a_run_that_was_told_so_by_a_flag_that_is_gone_goes_on(tmp_path, weight, penalty, same):
  run = training.RunDirectory(tmp_path)
  run.flagfile.write_text(RUN_OF_AN_OLDER_VERSION.format(weight))
  config = IsingConfig(side=4, penalty=penalty)
  refused = pytest.raises(ValueError, match=re.escape(f'changed: --penalty={penalty}'))
  with contextlib.nullcontext() if same else refused:
    training_app.prepare(config, run, 'ising')
  run.release()


def test_a_run_of_data_that_knew_no_penalty_has_none(tmp_path):
  run = training.RunDirectory(tmp_path)
  run.flagfile.write_text('--hidden_units=8\n')
  with pytest.raises(ValueError, match=r'changed: --penalty=stiffness:0\.3'):
    training_app.prepare(DensityConfig(hidden_units=8), run, 'density')
  training_app.prepare(DensityConfig(hidden_units=8, penalty=''), run, 'density')
  run.release()
