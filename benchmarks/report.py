"""What every benchmark writes: its results, with machine, versions and commit beside them."""

from __future__ import annotations

import json
import pathlib
import platform
import subprocess
import sys
from typing import Any

import tensorflow as tf
from absl import flags

FLAGS = flags.FLAGS


def write(path: str | None, results: Any) -> None:
  """Writes the JSON file, if there is a path for it, with the benchmark's own flags.

  Args:
    path: File, or None.
    results: What was measured.
  """
  if path is None:
    return
  about = {'machine': machine(), 'tensorflow': tf.__version__, 'commit': commit()}
  own = {flag.name: flag.value for flag in FLAGS.get_key_flags_for_module(sys.argv[0])}
  own.pop('data_dir', None)  # A folder of this machine.
  text = json.dumps({**about, 'flags': own, 'results': results}, indent=2)
  pathlib.Path(path).write_text(text + '\n')


def machine() -> str:
  """Processor and number of cores."""
  cpuinfo = pathlib.Path('/proc/cpuinfo')
  lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
  names = [line.split(':')[1].strip() for line in lines if line.startswith('model name')]
  return f'{len(names) or "?"} x {names[0] if names else platform.machine()}'


def commit() -> str:
  """Short hash of the checkout, with a + where it has changes; empty outside git."""
  here = pathlib.Path(__file__).parent
  command = ['git', 'describe', '--always', '--dirty=+', '--exclude=*']
  done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
  return done.stdout.strip()
