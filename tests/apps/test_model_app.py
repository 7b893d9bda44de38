"""Which model a command takes, at what depth, and how it ends when something is wrong."""

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

import ma_keras
from ma_keras import pretrained
from tests.integration import apps


def model_app(*arguments):
  """The module, its flags parsed; one process imports it once."""
  from ma_keras.apps import model_app as module

  flags.FLAGS(['command', *arguments])
  return module


def check_depth(path):
  potential = ma_keras.potentials.Quadratic(np.diag([0.5, -0.3]), tf.float64)
  bijector = ma_keras.MongeAmpereBijector(potential, 4, 0.25)
  ma_keras.model_file.save(path, ma_keras.model_file.Model(bijector, notes={'a': 1}))
  module = model_app(f'--model={path}')
  assert module.load().bijector.horizon.num_steps == 4
  flags.FLAGS.num_steps = 32
  deep = module.load()
  assert (deep.bijector.horizon.num_steps, deep.notes['a']) == (32, 1)
  x = deep.bijector.forward(tf.ones([1, 2], tf.float64))
  np.testing.assert_allclose(x, np.exp([[0.5, -0.3]]), rtol=1e-7)  # x(T) = exp(T A) z, T = 1.


def check_names(folder):
  module = model_app('--model=ising_l8')
  assert module.load().bijector.potential.event_size == 64
  flags.FLAGS.model = str(folder / 'none.npz')
  with pytest.raises(ValueError, match='neither a file nor one of') as error:
    module.load()
  assert all(name in str(error.value) for name in pretrained.names())


def test_a_model_has_the_depth_that_is_asked_for(tmp_path):
  apps.passes(check_depth, tmp_path / 'model.npz')


def test_a_model_is_a_file_or_a_name(tmp_path):
  apps.passes(check_names, tmp_path)


def fail(error):
  def work():
    raise error

  model_app('--model=ising_l8').main(['command'], work)


@pytest.mark.parametrize(
  'error, code',
  [
    (ValueError('the reason'), 1),
    (OSError('the reason'), 4),
    (tf.errors.ResourceExhaustedError(None, None, 'the reason'), 4),
  ],
)
def test_errors_end_in_one_line_and_their_exit_code(error, code):
  done = apps.call(fail, error)
  assert done.returncode == code
  assert 'the reason' in done.stderr.strip().splitlines()[-1]
  assert 'Traceback' not in done.stderr


def begin(argv, *arguments):
  module = model_app('--model=ising_l8')
  from ma_keras.apps import process

  flags.FLAGS.unparse_flags()
  flags.FLAGS(['command', '--model=ising_l8', *arguments])
  process.begin(argv)
  print(module.FLAGS.batch_size)


def test_words_that_are_no_flags_are_refused():
  assert apps.call(begin, ['command']).stdout.strip() == '100'
  done = apps.call(begin, ['command', 'fly'])
  assert done.returncode == 1 and "unknown arguments ['fly']" in done.stderr
