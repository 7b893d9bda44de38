"""Time, memory and compile time of one training step, for every way to differentiate the flow.

  python benchmarks/engine.py --setting=mnist --output=engine_mnist.json

Every path runs in a process of its own, so that its peak memory is its own, all in turn and with
the measured rate of matrix products beside them. The floor is the cheapest path's multiplications
at that rate: forward, backward and weight gradient are one product each.
"""

from __future__ import annotations

import json
import pathlib
import resource
import subprocess
import sys
import time

import numpy as np
import tensorflow as tf
from absl import app, flags

import ma_keras
from ma_keras import gradients, objectives

FLAGS = flags.FLAGS
# N, H, d, B: the paper's Table 2, and something for a quick look.
SETTINGS = {
  'ising': (256, 512, 50, 64),
  'mnist': (784, 1024, 100, 100),
  'small': (64, 64, 10, 32),
}
PATHS = {
  'plain': ('rk4', 'plain', False),
  'plain, XLA': ('rk4', 'plain', True),
  'store': ('rk4', 'store', False),
  'store, bfloat16': ('rk4', gradients.Store(products=tf.bfloat16), False),
  'store, XLA': ('rk4', 'store', True),
  'recompute, XLA': ('rk4', 'recompute', True),
  'recompute by 10, XLA': ('rk4', gradients.Recompute(10), True),
  'adjoint, XLA': ('rk4', 'adjoint', True),
  'reversible (implicit midpoint), XLA': ('implicit_midpoint', 'reversible', True),
}
flags.DEFINE_enum('setting', 'small', sorted(SETTINGS), 'N, H, d and B.')
flags.DEFINE_integer('num_steps', 0, "d, if not the setting's.", lower_bound=0)
flags.DEFINE_integer('rounds', 3, 'Timed steps of each.', lower_bound=1)
flags.DEFINE_string('output', None, 'JSON file for the results.')
flags.DEFINE_string('path', None, 'Internal: run this one and print JSON.')


def setting() -> tuple[int, int, int, int]:
  """N, H, d, B."""
  n, h, d, b = SETTINGS[FLAGS.setting]
  return n, h, FLAGS.num_steps or d, b


def timed(function: object) -> float:
  """Seconds of one call."""
  start = time.perf_counter()
  function()
  return time.perf_counter() - start


def run_path(name: str) -> dict[str, float]:
  """One negative log likelihood and its gradient by all variables, timed."""
  n, h, d, b = setting()
  integrator, gradient, jit_compile = PATHS[name]
  potential = ma_keras.potentials.OneHiddenLayer(n, h, seed=0)
  bijector = ma_keras.MongeAmpereBijector(potential, d, 10.0 / d, integrator, gradient)
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

  before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  first = timed(once)
  seconds = float(np.median([timed(once) for _ in range(FLAGS.rounds)]))
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  return {
    'seconds': seconds,
    'first': first,
    'peak_mb': peak / 1024,
    'grown_mb': (peak - before) / 1024,
  }


def product_rate() -> float:
  """Multiplications and additions per second of the step's own products, [B, H] x [H, H]."""
  _, h, _, b = setting()
  x, m = tf.random.normal([b, h]), tf.random.normal([h, h])

  @tf.function
  def run() -> tf.Tensor:
    y = x
    for _ in range(50):
      y = tf.matmul(y, m) * 1e-2
    return y

  run()
  return 50 * 2 * b * h * h / min(timed(lambda: run().numpy()) for _ in range(10))


def floor_flops() -> float:
  """Of the cheaper coordinates: 3 products per stage, each 2 B H^2 or 4 B N H."""
  n, h, d, b = setting()
  return 3 * 4 * d * b * min(2 * h * h, 4 * n * h)


def in_a_process(name: str) -> dict[str, float]:
  """Runs one path in a process of its own."""
  own = [f'--setting={FLAGS.setting}', f'--num_steps={FLAGS.num_steps}', f'--rounds={FLAGS.rounds}']
  command = [sys.executable, __file__, f'--path={name}', *own]
  done = subprocess.run(command, capture_output=True, text=True, check=False)
  if done.returncode != 0:
    sys.exit(f'engine: path {name!r} failed:\n{done.stderr[-2000:]}')
  return json.loads(done.stdout.strip().splitlines()[-1])


def main(argv: list[str]) -> None:
  """Prints the table and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  if FLAGS.path:
    print(json.dumps(run_path(FLAGS.path)))
    return
  rates, results = [product_rate()], {}
  print(
    f'{"path":38s} {"step s":>8s} {"x floor":>8s} {"first s":>8s} {"peak MB":>8s} {"grown MB":>8s}'
  )
  for name in PATHS:
    results[name] = in_a_process(name)
    rates.append(product_rate())
    r, floor = results[name], floor_flops() / float(np.median(rates))
    print(
      f'{name:38s} {r["seconds"]:8.3f} {r["seconds"] / floor:8.2f} {r["first"]:8.1f} '
      f'{r["peak_mb"]:8.0f} {r["grown_mb"]:8.0f}',
      flush=True,
    )
  rate = float(np.median(rates))
  print(f'products: {rate / 1e9:.0f} GFLOP/s; floor: {floor_flops() / rate:.3f} s')
  if FLAGS.output:
    result = {'setting': setting(), 'rate': rate, 'floor': floor_flops() / rate, 'paths': results}
    pathlib.Path(FLAGS.output).write_text(json.dumps(result, indent=2) + '\n')


if __name__ == '__main__':
  app.run(main)
