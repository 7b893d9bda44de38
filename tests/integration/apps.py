"""Apps as a user runs them, each in a process of its own.

All of them are forks of one process that has imported TensorFlow and the apps, which takes seconds
and is the same for all. `run`, `run_command` and `call` wait for the end; `start` is for tests that
kill what runs.
"""

import multiprocessing
import os
import pathlib
import runpy
import subprocess
import sys
import tempfile
import time

import tensorflow as tf

from ma_keras.apps.configuration import CONFIGURATIONS

ROOT = pathlib.Path(__file__).resolve().parents[2]
FORKS = multiprocessing.get_context('forkserver')
APPS = [f'ma_keras.apps.{name}' for name in CONFIGURATIONS if name != 'serve']
FORKS.set_forkserver_preload(['tf_keras', 'matplotlib.figure', *APPS, 'tests.integration.frozen'])


class Running:
  """function(*arguments) in a process of its own, with further variables of the environment."""

  def __init__(self, function, *arguments, folder=ROOT, environment=None):
    self._streams = tempfile.TemporaryDirectory()
    self.args = [function.__name__, *arguments]
    call = (function, arguments, folder, self._streams.name, environment or {})
    self._process = FORKS.Process(target=_redirected, args=call)
    self._process.start()

  @property
  def pid(self):
    return self._process.pid

  @property
  def returncode(self):
    """None while it runs; minus the signal that killed it."""
    return self._process.exitcode

  def output(self, stream='stdout'):
    """What it has printed so far."""
    file = pathlib.Path(self._streams.name, stream)
    return file.read_text() if file.exists() else ''

  def wait_until(self, condition, timeout=200):
    """Waits for the condition, or for the end."""
    deadline = time.monotonic() + timeout
    while not condition() and self.returncode is None and time.monotonic() < deadline:
      time.sleep(0.02)

  def kill(self):
    self._process.kill()

  def wait(self, timeout=300):
    """The exit code; a process that takes longer is killed."""
    self._process.join(timeout)
    if self.returncode is None:
      self.kill()
      raise subprocess.TimeoutExpired(self.args, timeout)
    return self.returncode


def script(app, *flags):
  """python apps/APP FLAGS, as a function and its arguments."""
  return _become, str(ROOT / 'apps' / app), flags


def command(*arguments):
  """ma-keras ARGUMENTS, as a function and its arguments."""
  return _become, str(ROOT / 'ma_keras' / 'apps' / 'command.py'), arguments


def start(app, *flags):
  """python apps/APP FLAGS, not waited for."""
  return Running(*script(app, *flags))


def run(app, *flags, timeout=300):
  """python apps/APP FLAGS"""
  return _ended(start(app, *flags), timeout)


def run_command(folder, *arguments, timeout=300):
  """ma-keras ARGUMENTS, in that folder"""
  return _ended(Running(*command(*arguments), folder=folder), timeout)


def call(function, *arguments, folder=ROOT, timeout=300):
  """function(*arguments), in a process of its own."""
  return _ended(Running(function, *arguments, folder=folder), timeout)


def passes(function, *arguments):
  """Fails with what `function` printed unless its process ended well."""
  done = call(function, *arguments)
  assert done.returncode == 0, done.stderr


def _ended(process, timeout):
  code = process.wait(timeout)
  streams = (process.output(name) for name in ('stdout', 'stderr'))
  return subprocess.CompletedProcess(process.args, code, *streams)


def _redirected(function, arguments, folder, streams, environment):
  os.environ.update(environment)
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
