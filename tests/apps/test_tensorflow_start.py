"""TensorFlow's greetings stay off the screen; whatever else is said on stderr arrives."""

import os
import subprocess
import sys

import pytest
import tensorflow as tf

import ma_keras
from ma_keras.apps import tensorflow_start

GREETINGS = """\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795847986.725340   10128 port.cc:153] oneDNN custom operations are on.
2026-11-28 06:41:29.882914: I tensorflow/core/platform/cpu_feature_guard.cc:210] This binary
To enable the following instructions: AVX2 AVX512F, rebuild TensorFlow.
E0000 00:00:1795847986.7 10128 cuda_dnn.cc:1] Unable to register cuDNN factory: one is registered
2026-11-28 06:41:41.262576: E xla/cuda_platform.cc:51] failed call to cuInit: UNKNOWN ERROR (303)
"""
ERRORS = """\
E0000 00:00:1795847986.7 10128 cuda_platform.cc:51] failed call to cuInit: driver too old (803)
2026-11-28 06:41:41.262576: W tensorflow/gpu_device.cc:1] Cannot dlopen some GPU libraries.
Traceback (most recent call last):
"""


def test_the_filter_holds_back_greetings_alone_and_ends(capfd):
  with tensorflow_start.filtered_stderr():
    os.write(2, GREETINGS.encode())
    print(ERRORS, end='', file=sys.stderr)
    subprocess.run([sys.executable, '-c', 'import os; os.write(2, b"of a child\\n")'], check=True)
  os.write(2, b'I0000 afterwards\n')
  assert capfd.readouterr().err == ERRORS + 'of a child\n' + 'I0000 afterwards\n'


def test_an_exception_while_tensorflow_starts_is_seen(capfd):
  try:
    with tensorflow_start.filtered_stderr():
      raise ImportError('no TensorFlow')
  except ImportError:
    os.write(2, b'caught\n')
  assert capfd.readouterr().err == 'caught\n'


def test_commands_multiply_in_full_precision():
  enabled = tf.config.experimental.tensor_float_32_execution_enabled
  tf.config.experimental.enable_tensor_float_32_execution(True)  # The default of TensorFlow.
  try:
    tensorflow_start.start()
    assert not enabled()
  finally:
    tf.config.experimental.enable_tensor_float_32_execution(True)


@pytest.mark.slow
def test_a_command_says_nothing_on_stderr(tmp_path):
  bijector = ma_keras.MongeAmpereBijector(ma_keras.potentials.Quadratic([[0.1]]), 1, 0.1, 'euler')
  ma_keras.model_file.save(tmp_path / 'model.npz', ma_keras.model_file.Model(bijector))
  call = [sys.executable, '-m', 'ma_keras.apps.command', 'sample', '--model=model.npz', '--n=2']
  environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(path for path in sys.path if path)}
  environment.pop('TF_CPP_MIN_LOG_LEVEL', None)
  done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True)
  assert (done.returncode, done.stderr) == (0, '')
  assert (tmp_path / 'samples.npy').exists()
