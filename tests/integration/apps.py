"""Apps as a user runs them, each in a process of its own.

`run`, `run_command` and `call` fork a process that has imported TensorFlow and the apps already,
which takes seconds and is the same for all; `command` is for tests that start and kill processes
themselves.
"""

import multiprocessing
import os
import pathlib
import runpy
import subprocess
import sys
import tempfile

import tensorflow as tf

from ma_keras.apps.configuration import CONFIGURATIONS

ROOT = pathlib.Path(__file__).resolve().parents[2]
FORKS = multiprocessing.get_context('forkserver')
APPS = [f'ma_keras.apps.{name}' for name in CONFIGURATIONS if name != 'serve']
FORKS.set_forkserver_preload(['tf_keras', 'matplotlib.figure', *APPS, 'tests.integration.frozen'])


def command(app, *flags):
  return [sys.executable, str(ROOT / 'apps' / app), *flags]


def run(app, *flags, timeout=300):
  """python apps/APP FLAGS"""
  return _in_a_fork(_become, (str(ROOT / 'apps' / app), flags), ROOT, timeout)


def run_command(folder, *arguments, timeout=300):
  """ma-keras ARGUMENTS, in that folder"""
  script = str(ROOT / 'ma_keras' / 'apps' / 'command.py')
  return _in_a_fork(_become, (script, arguments), folder, timeout)


def call(function, *arguments, folder=ROOT, timeout=300):
  """function(*arguments), in a process of its own."""
  return _in_a_fork(function, arguments, folder, timeout)


def passes(function, *arguments):
  """Fails with what `function` printed unless its process ended well."""
  done = call(function, *arguments)
  assert done.returncode == 0, done.stderr


def _in_a_fork(function, arguments, folder, timeout):
  with tempfile.TemporaryDirectory() as streams:
    process = FORKS.Process(target=_redirected, args=(function, arguments, folder, streams))
    process.start()
    process.join(timeout)
    if process.exitcode is None:
      process.kill()
      raise subprocess.TimeoutExpired([function.__name__, *arguments], timeout)
    stdout, stderr = (pathlib.Path(streams, name).read_text() for name in ('stdout', 'stderr'))
  command_line = [function.__name__, *arguments]
  return subprocess.CompletedProcess(command_line, process.exitcode, stdout, stderr)


def _redirected(function, arguments, folder, streams):
  for number, name in ((1, 'stdout'), (2, 'stderr')):
    os.dup2(os.open(os.path.join(streams, name), os.O_WRONLY | os.O_CREAT), number)
  os.chdir(folder)
  function(*arguments)


def _become(script, flags):
  sys.argv = [script, *flags]
  runpy.run_path(script, run_name='__main__')


def weights(path):
  """The final weights of the potential in a run directory, by name."""
  reader = tf.train.load_checkpoint(str(path / 'weights' / 'final'))
  names = [n for n in reader.get_variable_to_shape_map() if 'potential' in n]
  assert names
  return {name: reader.get_tensor(name) for name in sorted(names)}
