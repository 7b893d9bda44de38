"""Which model a command takes, at what depth, and how it ends when something is wrong."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import pretrained
from ma_keras.apps import model_app
from ma_keras.apps.configuration.model import ModelConfig


def test_a_model_has_the_depth_that_is_asked_for(tmp_path):
  path = tmp_path / 'model.npz'
  potential = ma_keras.potentials.Quadratic(np.diag([0.5, -0.3]), tf.float64)
  bijector = ma_keras.MongeAmpereBijector(potential, 4, 0.25)
  ma_keras.model_file.save(path, ma_keras.model_file.Model(bijector, notes={'a': 1}))
  assert model_app.load(ModelConfig(model=str(path))).bijector.horizon.num_steps == 4
  deep = model_app.load(ModelConfig(model=str(path), num_steps=32))
  assert (deep.bijector.horizon.num_steps, deep.notes['a']) == (32, 1)
  x = deep.bijector.forward(tf.ones([1, 2], tf.float64))
  np.testing.assert_allclose(x, np.exp([[0.5, -0.3]]), rtol=1e-7)  # x(T) = exp(T A) z, T = 1.


def test_a_model_is_a_file_or_a_name(tmp_path):
  assert model_app.load(ModelConfig(model='ising_l8')).bijector.potential.event_size == 64
  with pytest.raises(ValueError, match='neither a file nor one of') as error:
    model_app.load(ModelConfig(model=str(tmp_path / 'none.npz')))
  assert all(name in str(error.value) for name in pretrained.names())


@pytest.mark.parametrize(
  'error, code',
  [
    (ValueError('the reason'), 1),
    (OSError('the reason'), 4),
    (tf.errors.ResourceExhaustedError(None, None, 'the reason'), 4),
  ],
)
def test_errors_end_in_one_line_and_their_exit_code(error, code, capsys):
  def work(config):
    raise error

  with pytest.raises(SystemExit) as ending:
    model_app.main(ModelConfig(model='ising_l8'), work)
  assert ending.value.code == code
  (line,) = capsys.readouterr().err.strip().splitlines()
  assert 'the reason' in line
