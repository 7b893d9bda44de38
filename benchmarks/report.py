"""What every benchmark writes: its results, with machine, versions and commit beside them."""

from __future__ import annotations

import json
import pathlib
import platform
import subprocess
from typing import Any

import tensorflow as tf


def write(path: str | None, results: Any, **flags: Any) -> None:
  """Writes the JSON file, if there is a path for it.

  Args:
    path: File, or None.
    results: What was measured.
    **flags: What it was measured for.
  """
  if path is None:
    return
  about = {'machine': machine(), 'tensorflow': tf.__version__, 'commit': commit()}
  text = json.dumps({**about, 'flags': flags, 'results': results}, indent=2)
  pathlib.Path(path).write_text(text + '\n')


def machine() -> str:
  """Processor and number of cores."""
  found = pathlib.Path('/proc/cpuinfo')
  lines = found.read_text().splitlines() if found.exists() else []
  names = [line.split(':')[1].strip() for line in lines if line.startswith('model name')]
  return f'{len(names) or "?"} x {names[0] if names else platform.machine()}'


def commit() -> str:
  """Short hash of the checkout, with a + where it has changes; empty outside git."""
  here = pathlib.Path(__file__).parent
  command = ['git', 'describe', '--always', '--dirty=+', '--exclude=*']
  done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
  return done.stdout.strip()
