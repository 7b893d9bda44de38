"""Memory and time of ln p of many points that nobody differentiates, beside a pass that is taped.

  python benchmarks/memory.py --output=memory.json
  python benchmarks/memory.py --event_size=784 --hidden_units=1024 --num_rows=2000

`taped` is the default mode under a GradientTape, which keeps every stage for the backward pass.
Every path runs in a process of its own, warmed up by eight rows; memory is what all rows add to
its peak. Times are taken in turn, one path after the other, round after round; the least of each
counts, and ratios are worth more than seconds.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import IO, Any, cast

import report
import tensorflow as tf
from absl import app, flags

import ma_keras
from ma_keras.saving import export

FLAGS = flags.FLAGS
SIZES = {'event_size': 2, 'hidden_units': 64, 'num_steps': 10, 'num_rows': 100_000}
for size, default in SIZES.items():
  flags.DEFINE_integer(size, default, 'N, H, d or B.', lower_bound=1)
flags.DEFINE_integer('rounds', 5, 'Timed calls of each.', lower_bound=1)
flags.DEFINE_string('saved_model', None, 'Internal: folder of the exported flow.')
flags.DEFINE_string('path', None, 'Internal: run this one and print JSON.')
flags.DEFINE_string('output', None, 'JSON file for the results.')

LogProb = Callable[[tf.Tensor], tf.Tensor]


def flow(gradient: str, batch_size: int | None = None) -> Any:
  """The paper's potential, small at the start as in training."""
  potential = ma_keras.potentials.OneHiddenLayer(FLAGS.event_size, FLAGS.hidden_units, seed=0)
  steps = (FLAGS.num_steps, 1.0 / FLAGS.num_steps)
  return ma_keras.standard_normal_flow(
    ma_keras.MongeAmpereBijector(potential, *steps, gradient=gradient, batch_size=batch_size)
  )


def taped() -> LogProb:
  """ln p under a tape, without its backward pass."""
  density = flow('store')

  def log_prob(x: tf.Tensor) -> tf.Tensor:
    with tf.GradientTape():
      return density.log_prob(x)

  return log_prob


def saved() -> LogProb:
  """ln p of the SavedModel."""
  module = tf.saved_model.load(FLAGS.saved_model)
  return lambda x: module.log_prob(x)['log_prob']


PATHS: dict[str, Callable[[], LogProb]] = {
  'plain': lambda: flow('plain').log_prob,
  'taped': taped,
  'store': lambda: flow('store').log_prob,
  'recompute': lambda: flow('recompute').log_prob,
  'batch_size=8192': lambda: flow('store', 8192).log_prob,
  'saved model': saved,
}


def serve_path(name: str) -> None:
  """What all rows add to the peak of this process, in MB; then seconds, at every line read."""
  log_prob = PATHS[name]()
  x = tf.random.stateless_normal([FLAGS.num_rows, FLAGS.event_size], [1, 2])
  log_prob(x[:8]).numpy()

  def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

  def seconds() -> float:
    start = time.perf_counter()
    log_prob(tf.identity(x)).numpy()
    return time.perf_counter() - start

  before = peak()
  seconds()
  print(peak() - before, flush=True)
  for _ in sys.stdin:
    print(seconds(), flush=True)


class Path:
  """One path in a process of its own, which waits between calls."""

  def __init__(self, name: str) -> None:
    """Starts it and waits for its memory."""
    own = [f'--{size}={FLAGS[size].value}' for size in SIZES]
    command = [
      sys.executable,
      __file__,
      *own,
      f'--path={name}',
      f'--saved_model={FLAGS.saved_model}',
    ]
    pipe = subprocess.PIPE
    self._process = subprocess.Popen(
      command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
    )
    self._requests = cast(IO[str], self._process.stdin)
    self._answers = cast(IO[str], self._process.stdout)
    self.grown_mb = self._read()
    self.seconds: list[float] = []

  def call(self) -> None:
    """Times one more."""
    self._requests.write('call\n')
    self._requests.flush()
    self.seconds.append(self._read())

  def end(self) -> dict[str, float]:
    """Stops the process; what was measured."""
    self._process.communicate()
    return {'grown_mb': self.grown_mb, 'seconds': min(self.seconds)}

  def _read(self) -> float:
    return float(json.loads(self._answers.readline()))


def main(argv: list[str]) -> None:
  """Prints the table and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  if FLAGS.path:
    serve_path(FLAGS.path)
    return
  with tempfile.TemporaryDirectory() as folder:
    FLAGS['saved_model'].value = folder
    export.save(flow('store'), folder)
    paths = {name: Path(name) for name in PATHS}
  for _ in range(FLAGS.rounds):
    for path in paths.values():
      path.call()
  results = {name: path.end() for name, path in paths.items()}
  plain, tape = results['plain'], results['taped']
  print(f'{"path":18s}{"grown MB":>10s}{"x plain":>9s}{"seconds":>9s}{"x taped":>9s}')
  for name, r in results.items():
    memory, speed = r['grown_mb'] / plain['grown_mb'], r['seconds'] / tape['seconds']
    print(f'{name:18s}{r["grown_mb"]:10.0f}{memory:9.2f}{r["seconds"]:9.3f}{speed:9.2f}')
  sizes = {size: FLAGS[size].value for size in SIZES}
  report.write(FLAGS.output, {'sizes': sizes, 'paths': results})


if __name__ == '__main__':
  app.run(main)
