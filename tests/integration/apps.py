"""Apps as a user runs them: each in a process of its own."""

import pathlib
import subprocess
import sys

import tensorflow as tf

ROOT = pathlib.Path(__file__).resolve().parents[2]


def command(app, *flags):
  return [sys.executable, str(ROOT / 'apps' / app), *flags]


def run(app, *flags, timeout=300):
  return subprocess.run(
    command(app, *flags), capture_output=True, text=True, timeout=timeout, cwd=ROOT
  )


def weights(path):
  """The final weights of the potential in a run directory, by name."""
  reader = tf.train.load_checkpoint(str(path / 'weights' / 'final'))
  names = [n for n in reader.get_variable_to_shape_map() if 'potential' in n]
  assert names
  return {name: reader.get_tensor(name) for name in sorted(names)}
