"""What `make check` asks beyond behaviour: formatted, free of lint, typed."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
  'tool',
  ['ruff check .', 'ruff format --check .', 'mypy ma_keras apps'],
  ids=['lint', 'format', 'types'],
)
def test_tools_find_nothing(tool):
  done = subprocess.run(
    [sys.executable, '-m', *tool.split()], cwd=ROOT, capture_output=True, text=True, check=False
  )
  assert done.returncode == 0, done.stdout + done.stderr
