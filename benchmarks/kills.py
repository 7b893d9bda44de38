"""Whether a run that is killed again and again ends in the bits of one that is left alone.

  python benchmarks/kills.py --kills=20 --output=kills.json

A small Ising run, once to its end; then in fresh directories, with SIGKILL (every fourth time
SIGTERM) at moments drawn uniformly over the time that the first one took, start-up and report
included, and the same command again until --kills are reached. Whenever a run comes to its end, its
weights, metrics and result must be those of the first.
"""

from __future__ import annotations

import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import app_run
import numpy as np
import report
import tensorflow as tf
from absl import app, flags

from ma_keras import training

FLAGS = flags.FLAGS
flags.DEFINE_integer('kills', 20, 'How often to kill.', lower_bound=1)
flags.DEFINE_integer('epochs', 20, 'Epochs of the run, of some tenths of a second.', lower_bound=1)
flags.DEFINE_integer('seed', 0, 'Of the moments.', lower_bound=0)
flags.DEFINE_string('output', None, 'JSON file for the results.')

RUN = [
  *('--side=4', '--potential=hidden_layer', '--hidden_units=32', '--num_steps=8'),
  *('--batch_size=64', '--steps_per_epoch=50', '--eval_samples=256', '--deterministic'),
  '--nosaved_model',
]


def start(folder: pathlib.Path) -> subprocess.Popen[str]:
  """The command, always the same."""
  script = str(app_run.ROOT / 'apps' / 'ising_main.py')
  call = [sys.executable, script, *RUN, f'--epochs={FLAGS.epochs}', f'--run_dir={folder}']
  return subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str], seconds: float | None = None) -> bool:
  """Whether the run came to its end within so many seconds; exits if it failed by itself."""
  try:
    errors = process.communicate(timeout=seconds)[1]
  except subprocess.TimeoutExpired:
    return False
  if process.returncode != 0:
    sys.exit(f'kills: a run failed: {errors.strip().splitlines()[-1]}')
  return True


def kill(process: subprocess.Popen[str], number: signal.Signals) -> dict[str, Any]:
  """How the process dies of this signal, and what it says last where it may speak."""
  start = time.perf_counter()
  process.send_signal(number)
  errors = process.communicate(timeout=300)[1]
  said = errors.strip().splitlines()[-1] if process.returncode > 0 else ''
  return {'exit': process.returncode, 'seconds_to_die': time.perf_counter() - start, 'said': said}


def rows(folder: pathlib.Path) -> int:
  """Epochs that the metrics tell of."""
  path = training.RunDirectory(folder).metrics
  return max(len(path.read_text().splitlines()) - 1, 0) if path.exists() else 0


def outcome(folder: pathlib.Path) -> dict[str, Any]:
  """All that a finished run says: weights, metrics and result, by name."""
  run = training.RunDirectory(folder)
  reader = tf.train.load_checkpoint(str(run.weights))
  names = [name for name in reader.get_variable_to_shape_map() if 'VARIABLE_VALUE' in name]
  weights = {f'weights: {name}': reader.get_tensor(name) for name in names}
  metrics = {f'metrics: {name}': values for name, values in run.read_metrics().items()}
  return {**weights, **metrics, 'summary': json.loads(run.summary.read_text())}


def check(found: dict[str, Any], expected: dict[str, Any], which: int) -> None:
  """Exits with the names of what is not equal to the bit."""
  names = sorted(set(found) | set(expected))
  differ = [name for name in names if not _equal(found.get(name), expected.get(name))]
  if differ:
    sys.exit(f'kills: run {which} ended elsewhere; different: {", ".join(differ)}')


def _equal(one: Any, two: Any) -> bool:
  if isinstance(one, np.ndarray) and isinstance(two, np.ndarray):
    return one.dtype == two.dtype and one.shape == two.shape and one.tobytes() == two.tobytes()
  return json.dumps(one) == json.dumps(two)  # NaN is equal to itself there.


def killed_run(folder: pathlib.Path, moments: Iterator[float], before: int) -> list[dict[str, Any]]:
  """Runs to the end; every death on the way, `before` of which other runs have died."""
  deaths: list[dict[str, Any]] = []
  while True:
    count = before + len(deaths)
    moment = next(moments) if count < FLAGS.kills else None
    process = start(folder)
    if ended(process, moment):
      return deaths
    number = signal.SIGTERM if count % 4 == 3 else signal.SIGKILL
    death = {'run': folder.name, 'moment': moment, 'signal': number.name, **kill(process, number)}
    deaths.append({**death, 'epochs': rows(folder)})
    print(row(deaths[-1]), flush=True)


def row(death: dict[str, Any]) -> str:
  """A line of the table."""
  columns = '{run:3s} {moment:8.2f} s  {signal:8s} {exit:5d} {seconds_to_die:6.2f} s {epochs:4d}'
  return columns.format(**death) + f'  {death["said"]}'


def main(argv: list[str]) -> None:
  """Prints the table and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  with tempfile.TemporaryDirectory() as temporary:
    parent = pathlib.Path(temporary)
    begin = time.perf_counter()
    ended(start(parent / 'left_alone'))
    seconds = time.perf_counter() - begin
    print(f'left alone: {seconds:.1f} s\nrun   killed at  by        exit   dead in  epochs')
    expected = outcome(parent / 'left_alone')
    deaths: list[dict[str, Any]] = []
    random, runs = np.random.default_rng(FLAGS.seed), 0
    moments = iter(lambda: random.uniform(0.0, seconds), None)
    while len(deaths) < FLAGS.kills:
      runs += 1
      deaths += killed_run(parent / f'{runs}', moments, len(deaths))
      check(outcome(parent / f'{runs}'), expected, runs)
  print(f'{len(deaths)} kills; {runs} runs, all equal to the one left alone, bit for bit')
  report.write(FLAGS.output, {'seconds_left_alone': seconds, 'runs': runs, 'deaths': deaths})


if __name__ == '__main__':
  app.run(main)
