"""Tests of a changed tree, each time in a fork of one process that has imported TensorFlow.

The import takes seconds and is equal for all mutants. A process may be forked for as long as
TensorFlow has run no operation in it: threads do not survive a fork.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import pathlib
import signal
import sys
import time
from typing import NamedTuple

FORKS = multiprocessing.get_context('fork')
# What the package and its tests import of others.
IMPORTS = ('pytest', 'hypothesis', 'scipy.stats', 'tf_keras', 'tensorflow_probability')


class Outcome(NamedTuple):
  """Outcome of a run of tests.

  Attributes:
    passed: Whether all tests passed.
    timed_out: Whether they were killed for taking too long.
    seconds: How long they took.
    output: The end of what pytest wrote.
  """

  passed: bool
  timed_out: bool
  seconds: float
  output: str


def warm_up() -> None:
  """Imports what all forks share; nothing of the tree that is changed."""
  for name in IMPORTS:
    importlib.import_module(name)


def run(tree: pathlib.Path, tests: list[str], limit: float, log: pathlib.Path) -> Outcome:
  """pytest of these files in the tree, until the first failure or for `limit` seconds."""
  start = time.monotonic()
  process = FORKS.Process(target=_become, args=(tree, tests, log))
  process.start()
  process.join(limit)
  timed_out = process.exitcode is None
  _kill_all(process.pid)
  process.join()
  output = log.read_text(errors='replace')[-2000:]
  passed = not timed_out and process.exitcode == 0
  return Outcome(passed, timed_out, time.monotonic() - start, output)


def _become(tree: pathlib.Path, tests: list[str], log: pathlib.Path) -> None:
  os.setsid()  # So that what the tests start can be killed with them.
  stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
  for number in (1, 2):
    os.dup2(stream, number)
  os.chdir(tree)
  sys.path[:] = [str(tree), *sys.path[1:]]
  # A mutant may be written within the clock's resolution of the one before.
  sys.dont_write_bytecode = True
  os.environ |= {'PYTHONPATH': str(tree), 'PYTHONDONTWRITEBYTECODE': '1'}
  import pytest

  os._exit(pytest.main(['-x', '-s', '-n0', '-p', 'no:cacheprovider', '--tb=line', *tests]))


def _kill_all(group: int | None) -> None:
  """Kills a process with all that it started."""
  try:
    os.killpg(group or 0, signal.SIGKILL)
  except ProcessLookupError:
    return
