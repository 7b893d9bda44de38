"""Quality against seconds of a whole training process: imports, data and compilation included.

  python benchmarks/time_to_quality.py --app=mnist_main.py --run=mnist_quick \
    --metric=val_certified_nll --output=time_mnist_quick.json

The command of a user starts in a new directory, and its metrics.csv is looked at ten times a
second: every row is an epoch's, at the seconds since the start. The last entry is the result of the
whole run, measured on test points or fresh samples, with its exit code: 3 is a result in doubt.
"""

from __future__ import annotations

import csv
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Any

import app_run
import report
from absl import app, flags

FLAGS = flags.FLAGS
flags.DEFINE_string('app', 'mnist_main.py', 'A file of apps/.')
flags.DEFINE_string('run', None, 'Name of a flagfile in apps/flagfiles.', required=True)
flags.DEFINE_string('metric', 'val_certified_nll', 'Column of metrics.csv.')
flags.DEFINE_string('result', 'nll', 'Key of summary.json.')
flags.DEFINE_list('more', [], 'Further flags of the run.')
flags.DEFINE_string('data_dir', None, 'Where tfds keeps MNIST.')
flags.DEFINE_string('output', None, 'JSON file for the results.')

EVERY = 0.1  # Seconds between two looks.


def command(folder: pathlib.Path) -> list[str]:
  """The training of a user, without what is written beside its result."""
  data_dir = [f'--data_dir={FLAGS.data_dir}'] if FLAGS.data_dir else []
  return [
    *(sys.executable, str(app_run.ROOT / 'apps' / FLAGS.app)),
    f'--flagfile={app_run.FLAGFILES / FLAGS.run}.flags',
    *('--nosaved_model', '--nofigures', f'--run_dir={folder}'),
    *data_dir,
    *FLAGS.more,
  ]


def values(folder: pathlib.Path) -> list[float]:
  """The metric after every epoch so far; a row that is being written is no row yet."""
  path = folder / 'metrics.csv'
  text = path.read_text() if path.is_file() else ''
  rows = csv.DictReader(text[: text.rfind('\n') + 1].splitlines())
  if rows.fieldnames and FLAGS.metric not in rows.fieldnames:
    raise ValueError(f'`--metric` {FLAGS.metric} is none of {", ".join(rows.fieldnames)}.')
  column = [row[FLAGS.metric] for row in rows]
  return [float(value) for value in column if value not in ('', 'NA')]


def curve(folder: pathlib.Path) -> list[dict[str, Any]]:
  """Seconds and metric of every epoch, and of the result."""
  points: list[dict[str, Any]] = []
  start = time.perf_counter()
  log = folder.with_suffix('.log')
  with log.open('w') as errors:
    process = subprocess.Popen(command(folder), stdout=subprocess.DEVNULL, stderr=errors)
    try:
      while process.poll() is None:
        for value in values(folder)[len(points) :]:
          points.append({'seconds': time.perf_counter() - start, FLAGS.metric: value})
          print(json.dumps(points[-1]), flush=True)
        time.sleep(EVERY)
    finally:
      process.terminate()  # Of no effect on a run that has ended.
  seconds, summary = time.perf_counter() - start, folder / 'summary.json'
  if not summary.exists():
    sys.exit(f'time_to_quality: the run failed: {log.read_text().strip().splitlines()[-1]}')
  result = json.loads(summary.read_text())[FLAGS.result]
  return [*points, {'seconds': seconds, FLAGS.result: result, 'exit_code': process.returncode}]


def main(_: list[str]) -> None:
  """Prints and writes the curve."""
  with tempfile.TemporaryDirectory() as folder:
    points = curve(pathlib.Path(folder) / 'run')
  print(json.dumps(points[-1]))
  report.write(FLAGS.output, points)


if __name__ == '__main__':
  app.run(main)
