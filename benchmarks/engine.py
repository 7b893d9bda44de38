"""Time, memory and compile time of one training step, for every way to differentiate the flow.

  python benchmarks/engine.py --setting=mnist --output=engine_mnist.json
  python benchmarks/engine.py --setting=mnist --sweep=num_steps --paths='store, XLA;adjoint, XLA'

Every path runs in a process of its own, so that its peak memory is its own. Each round times one
step of every path and the rate of matrix products, one after the other: a machine that slows down
slows down all of them, and ratios stay. The floor is the cheapest path's multiplications at that
rate: forward, backward and weight gradient are one product each.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import IO, Any, cast

import numpy as np
import report
import tensorflow as tf
from absl import app, flags

import ma_keras
from ma_keras import objectives
from ma_keras.flow import gradients
from ma_keras.potentials import OneHiddenLayer, Potential, Separable, TimeBasis

FLAGS = flags.FLAGS
TIME = 10.0
SIZES = ('event_size', 'hidden_units', 'num_steps', 'batch_size')
# N, H, d, B: the paper's Table 2, and something for a quick look.
SETTINGS = {
  'ising': (256, 512, 50, 64),
  'mnist': (784, 1024, 100, 100),
  'small': (64, 64, 10, 32),
}
PATHS: dict[str, tuple[str, str | gradients.GradientMode, bool]] = {
  'plain': ('rk4', 'plain', False),
  'plain, XLA': ('rk4', 'plain', True),
  'store': ('rk4', 'store', False),
  'store, bfloat16': ('rk4', gradients.Store(products=tf.bfloat16), False),
  'store, XLA': ('rk4', 'store', True),
  'recompute, XLA': ('rk4', 'recompute', True),
  'recompute by 10, XLA': ('rk4', gradients.Recompute(10), True),
  'adjoint, XLA': ('rk4', 'adjoint', True),
  'reversible, XLA': ('implicit_midpoint', 'reversible', True),
}
flags.DEFINE_enum('setting', 'small', sorted(SETTINGS), 'N, H, d and B.')
for size in SIZES:
  flags.DEFINE_integer(size, 0, "In place of the setting's.", lower_bound=0)
flags.DEFINE_enum(
  'potential', 'layer', ('layer', 'image'), 'One hidden layer; or with units per coordinate, too.'
)
flags.DEFINE_string('paths', '', 'Which ones, by name and separated by ";"; default all.')
flags.DEFINE_enum('sweep', None, SIZES, 'Repeat for 1/2, 1, 2 and 4 times this size.')
flags.DEFINE_integer('rounds', 3, 'Timed steps of each.', lower_bound=1)
flags.DEFINE_string('output', None, 'JSON file for the results.')
flags.DEFINE_string('path', None, 'Internal: run this one and print JSON.')


def sizes() -> tuple[int, ...]:
  """N, H, d, B."""
  return tuple(FLAGS[name].value or given for name, given in zip(SIZES, SETTINGS[FLAGS.setting]))


def build(n: int, h: int) -> Potential:
  """The paper's potential; or that with four units per coordinate, amplitudes linear in time."""
  if FLAGS.potential == 'layer':
    return OneHiddenLayer(n, h, seed=0)
  basis = TimeBasis(TIME, 2)
  return OneHiddenLayer(n, h, seed=0, time_basis=basis) + Separable(n, 4, time_basis=basis, seed=1)


def timed(function: Callable[[], Any]) -> float:
  """Seconds of one call."""
  start = time.perf_counter()
  function()
  return time.perf_counter() - start


def serve_path(name: str) -> None:
  """One negative log likelihood and its gradient by all variables, timed at every line read."""
  n, h, d, b = sizes()
  integrator, gradient, jit_compile = PATHS[name]
  bijector = ma_keras.MongeAmpereBijector(build(n, h), d, TIME / d, integrator, gradient)
  flow = ma_keras.standard_normal_flow(bijector)
  x = tf.random.stateless_normal([b, n], [1, 2])

  @tf.function(jit_compile=jit_compile)
  def step(x: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
    with tf.GradientTape() as tape:
      loss = tf.reduce_mean(objectives.negative_log_likelihood(flow, x))
    return loss, tape.gradient(loss, flow.trainable_variables)

  def once() -> None:
    loss, found = step(x)
    float(loss), [float(g[..., 0].numpy().sum()) for g in found]

  def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

  before = peak()
  first = timed(once)
  once()
  print(json.dumps({'first': first, 'before_mb': before}), flush=True)
  for _ in sys.stdin:
    print(json.dumps({'seconds': timed(once), 'peak_mb': peak()}), flush=True)


def product_rate(products: tf.DType = tf.float32) -> float:
  """Multiplications and additions per second of the step's own products, [B, H] x [H, H]."""
  _, h, _, b = sizes()
  x = tf.cast(tf.random.normal([b, h]), products)
  m = tf.cast(0.1 * h**-0.5 * tf.random.normal([h, h]), products)

  @tf.function
  def run() -> tf.Tensor:
    y = x
    for _ in range(50):
      y = tf.matmul(y, m)
    return y

  run()
  return 50 * 2 * b * h * h / min(timed(lambda: run().numpy()) for _ in range(10))


def floor_flops() -> float:
  """Of the cheaper coordinates: 3 products per stage, each 2 B H^2 or 4 B N H."""
  n, h, d, b = sizes()
  in_x = 4 * n * h
  return 3 * 4 * d * b * (in_x if FLAGS.potential == 'image' else min(2 * h * h, in_x))


class Path:
  """One path in a process of its own, which waits between steps."""

  def __init__(self, name: str) -> None:
    """Starts it and waits until its first steps are over."""
    self.name = name
    own = [f'--{size}={value}' for size, value in zip(SIZES, sizes())]
    command = [sys.executable, __file__, *own, f'--potential={FLAGS.potential}', f'--path={name}']
    pipe = subprocess.PIPE
    self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    self._requests = cast(IO[str], self._process.stdin)
    self._answers = cast(IO[str], self._process.stdout)
    self.start = self._read()
    self.steps: list[dict[str, float]] = []

  def step(self) -> None:
    """Times one more."""
    self._requests.write('step\n')
    self._requests.flush()
    self.steps.append(self._read())

  def end(self) -> dict[str, float]:
    """Stops the process; what was measured."""
    self._process.communicate()
    peak = self.steps[-1]['peak_mb']
    return {
      'seconds': float(np.median([step['seconds'] for step in self.steps])),
      'first': self.start['first'],
      'peak_mb': peak,
      'grown_mb': peak - self.start['before_mb'],
    }

  def _read(self) -> dict[str, float]:
    line = self._answers.readline()
    if not line:
      errors = cast(IO[str], self._process.stderr).read()
      sys.exit(f'engine: path {self.name!r} failed:\n{errors[-2000:]}')
    return json.loads(line)


def compare(names: list[str]) -> dict[str, Any]:
  """Prints the table of these paths; returns it with the floor."""
  paths, rates, lows = [Path(name) for name in names], [], []
  for _ in range(FLAGS.rounds):
    for path in paths:
      path.step()
    rates.append(product_rate())
    lows.append(product_rate(tf.bfloat16))
  rate, low = float(np.median(rates)), float(np.median(lows))
  floor = floor_flops() / rate
  print(f'N, H, d, B = {sizes()}')
  head = ('step s', 'x floor', 'first s', 'peak MB', 'grown MB')
  print(f'{"path":24s}' + ''.join(f'{title:>9s}' for title in head))
  results = {path.name: path.end() for path in paths}
  for name, r in results.items():
    print(
      f'{name:24s}{r["seconds"]:9.3f}{r["seconds"] / floor:9.2f}{r["first"]:9.1f}'
      f'{r["peak_mb"]:9.0f}{r["grown_mb"]:9.0f}',
      flush=True,
    )
  print(f'products: {rate / 1e9:.0f} GFLOP/s, {low / rate:.2f} x that in bfloat16; {floor:.3f} s')
  return {'sizes': sizes(), 'rate': rate, 'bfloat16': low / rate, 'floor': floor, 'paths': results}


def main(argv: list[str]) -> None:
  """Prints the tables and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  if FLAGS.path:
    serve_path(FLAGS.path)
    return
  names = [name.strip() for name in FLAGS.paths.split(';') if name] or list(PATHS)
  unknown = sorted(set(names) - set(PATHS))
  if unknown:
    raise app.UsageError(f'`--paths` must be among {list(PATHS)}, got {unknown}.')
  tables = []
  given = dict(zip(SIZES, sizes())).get(FLAGS.sweep, 0)
  for value in [given // 2, given, 2 * given, 4 * given] if FLAGS.sweep else [None]:
    if FLAGS.sweep:
      FLAGS[FLAGS.sweep].value = value
    tables.append(compare(names))
  report.write(FLAGS.output, tables)


if __name__ == '__main__':
  app.run(main)
