"""One run of an app in a process of its own, as a user would start it."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import time
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[1]
FLAGFILES = ROOT / 'apps' / 'flagfiles'


def summary(app: str, flags: list[str], folder: pathlib.Path) -> tuple[dict[str, Any], float]:
  """What the run wrote to summary.json, and its seconds; exits with its last line if it failed.

  Args:
    app: A file of apps/.
    flags: Its command line, without --run_dir.
    folder: The run directory.
  """
  command = [sys.executable, str(ROOT / 'apps' / app), *flags, f'--run_dir={folder}']
  start = time.perf_counter()
  done = subprocess.run(command, capture_output=True, text=True, check=False)
  seconds = time.perf_counter() - start
  written = folder / 'summary.json'
  if not written.exists():
    script = pathlib.Path(sys.argv[0]).stem
    sys.exit(f'{script}: a run failed: {done.stderr.strip().splitlines()[-1]}')
  return json.loads(written.read_text()), seconds
