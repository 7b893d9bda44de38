"""Time and memory of reading a large CSV for training and for scores, beside pyarrow alone.

  python benchmarks/tables.py --output=tables.json

`pyarrow` is `pyarrow.csv.read_csv`, as it is. `training` is `data.load_file`: rows in memory,
split in three; `on disk` the same where rows go to a file since they are too many. `scoring` is one
pass over the blocks of a `Table`, with labels. `score` is the command with a flow of two steps; its
seconds include the start. Every one runs in a process of its own. Other times exclude imports, and
are the least of some rounds taken in turn. Memory is the peak of the process, and what the rows add
to that of a hundredth of them.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import report
import tensorflow as tf
from absl import app, flags

import ma_keras
from ma_keras import data
from ma_keras.data import gathering, tables

FLAGS = flags.FLAGS
flags.DEFINE_integer('rows', 2_000_000, 'Rows of the table.', lower_bound=100)
flags.DEFINE_integer('columns', 10, 'Columns.', lower_bound=1)
flags.DEFINE_integer('rounds', 3, 'Runs of each.', lower_bound=1)
flags.DEFINE_string('path', None, 'Internal: run this one and print seconds.')
flags.DEFINE_string('file', None, 'Internal: the table.')
flags.DEFINE_string('output', None, 'JSON file for the results.')

SCORE = pathlib.Path(__file__).parents[1] / 'apps' / 'score_main.py'


def pyarrow_alone(file: str) -> None:
  """The yardstick."""
  pa.csv.read_csv(file)


def training(file: str) -> None:
  """Reads all rows, and splits them."""
  data.load_file(file)


def on_disk(file: str) -> None:
  """Reads all rows into a file, and splits them."""
  gathering.MOST_BYTES = 1 << 24
  data.load_file(file)


def scoring(file: str) -> None:
  """Reads all rows in blocks of a thousand, with their labels."""
  for _ in tables.open_table(file).labelled(1000):
    pass


PATHS = {'pyarrow': pyarrow_alone, 'training': training, 'on disk': on_disk, 'scoring': scoring}


# Runs a script with the arguments, then prints its peak memory in MB: that of getrusage would count
# what this process had when it forked.
WITH_PEAK = """
import os, re, runpy, sys
sys.argv = sys.argv[1:]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
try:
  runpy.run_path(sys.argv[0], run_name='__main__')
except SystemExit as end:
  if end.code: raise
peak = re.search(r'VmHWM:\\s*([0-9]+) kB', open('/proc/self/status').read())
print(f'\\n{int(peak[1]) / 1024}')
"""


def measured(script: str, *arguments: str) -> tuple[list[str], float]:
  """Lines that a script printed, and its peak memory in MB."""
  command = [sys.executable, '-c', WITH_PEAK, script, *arguments]
  *lines, peak = subprocess.run(
    command, stdout=subprocess.PIPE, text=True, check=True
  ).stdout.split('\n')[:-1]
  return lines, float(peak)


def run(path: str, file: pathlib.Path) -> tuple[float, float]:
  """Seconds and peak memory in MB of one path in a process of its own."""
  lines, memory = measured(__file__, f'--path={path}', f'--file={file}')
  return float(json.loads([line for line in lines if line][-1])), memory


def score(model: pathlib.Path, file: pathlib.Path) -> tuple[float, float]:
  """Seconds, imports and tracing included, and peak memory in MB of `ma-keras score`."""
  options = [f'--model={model}', f'--input={file}', f'--output={file}.scores.csv']
  start = time.perf_counter()
  _, memory = measured(str(SCORE), *options, '--batch_size=10000')
  return time.perf_counter() - start, memory


def table(folder: pathlib.Path, rows: int) -> pathlib.Path:
  """A CSV of normal numbers in full precision."""
  x = np.random.default_rng(0).normal(size=(rows, FLAGS.columns))
  file = folder / f'{rows}.csv'
  pa.csv.write_csv(pa.table({f'x{k}': x[:, k] for k in range(FLAGS.columns)}), file)
  return file


def compare(folder: pathlib.Path) -> list[dict[str, Any]]:
  """One row for every path: seconds, over those of pyarrow, and memory."""
  few, many = table(folder, FLAGS.rows // 100), table(folder, FLAGS.rows)
  print(f'{FLAGS.rows:,} rows of {FLAGS.columns} numbers, {many.stat().st_size / 1e6:.0f} MB')
  times: dict[str, list[float]] = {name: [] for name in PATHS}
  peaks = {name: (run(name, few)[1], run(name, many)[1]) for name in PATHS}
  for _ in range(FLAGS.rounds):
    for name in PATHS:
      times[name].append(run(name, many)[0])
  least = {name: min(values) for name, values in times.items()}
  results = [
    {'path': name, 'seconds': least[name], 'over_pyarrow': least[name] / least['pyarrow']}
    | {'peak_mb': peaks[name][1], 'added_mb': peaks[name][1] - peaks[name][0]}
    for name in PATHS
  ]
  potential = ma_keras.potentials.Quadratic(0.1 * np.eye(FLAGS.columns))
  model = folder / 'model.npz'
  flow = ma_keras.MongeAmpereBijector(potential, 2, 0.1)
  ma_keras.model_file.save(model, ma_keras.model_file.Model(flow))
  for rows in (FLAGS.rows // 100, FLAGS.rows // 2, FLAGS.rows):
    seconds, memory = score(model, table(folder, rows))
    results.append({'path': f'score, {rows:,} rows', 'seconds': seconds, 'peak_mb': memory})
  return results


def main(argv: list[str]) -> None:
  """Prints the table and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  if FLAGS.path:
    start = time.perf_counter()
    PATHS[FLAGS.path](FLAGS.file)
    print(json.dumps(time.perf_counter() - start))
    return
  with tempfile.TemporaryDirectory() as folder:
    results = compare(pathlib.Path(folder))
  for row in results:
    numbers = [f'{name} {value:.3g}' for name, value in row.items() if name != 'path']
    print(f'{row["path"]:24}', '  '.join(numbers))
  report.write(FLAGS.output, results)


if __name__ == '__main__':
  tf.get_logger().setLevel('ERROR')
  app.run(main)
