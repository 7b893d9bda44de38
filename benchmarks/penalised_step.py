"""Time of one training step with both transport penalties, a deep potential in time.

  python benchmarks/penalised_step.py --output=penalised_step.json

Likelihood, kinetic energy and Hamilton-Jacobi residual by one solve, their gradient by all weights,
and Adam. `--ot_flow=FOLDER --ot_flow_python=PYTHON` times the step of OT-Flow's public code
(Onken et al. 2021, github.com/EmoryMLIP/OT-Flow) of the same widths in turn with ours: FOLDER is a
checkout of it, PYTHON one that has torch. Beside seconds by the clock stand those of the processor,
of all threads together: on a machine that does other things, compare these at --threads=1.
`rk4_gauss` and `rk4_gauss3` take the same steps with fewer divergences; how far the ln p of each is
from that of sixteen times as many steps stands beside.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import report
import tensorflow as tf
from absl import app, flags

import ma_keras
from ma_keras import training

FLAGS = flags.FLAGS
flags.DEFINE_integer('rounds', 5, 'Timed rounds.', lower_bound=1)
flags.DEFINE_integer('threads', 2, 'Threads of each.', lower_bound=1)
flags.DEFINE_integer('points', 0, 'Points of a step; 0: as in the setting.', lower_bound=0)
flags.DEFINE_list('only', None, 'Which settings; all by default.')
flags.DEFINE_string('ot_flow', None, "A checkout of OT-Flow's code.")
flags.DEFINE_string('ot_flow_python', 'python', 'A Python that has torch.')
flags.DEFINE_string('output', None, 'JSON file for the results.')

Setting: TypeAlias = tuple[int, tuple[int, ...], int, int]
# Name -> N, widths of the layers, steps of RK4, points.
SETTINGS: dict[str, Setting] = {
  'n43': (43, (256, 256), 6, 1000),
  'n784': (784, (64, 64), 8, 100),
}
STRENGTH = 30.0  # Factor of the drawn amplitudes in the measurement of errors.
BOTH = {'kinetic': 0.01, 'hamilton_jacobi': 0.01}
# Reads N, width, steps, points and threads; then takes one step for every line it is sent.
OT_FLOW = """
import sys, time, torch
folder, d, m, nt, points, threads = sys.argv[1], *map(int, sys.argv[2:])
torch.set_num_threads(threads)
sys.path.insert(0, folder)
from src.Phi import Phi
from src.OTFlowProblem import OTFlowProblem
torch.manual_seed(0)
alphas = [1.0, 100.0, 1.0]
net = Phi(nTh=2, m=m, d=d, alph=alphas)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
x = torch.randn(points, d)
for _ in sys.stdin:
  start, busy = time.perf_counter(), time.process_time()
  optimizer.zero_grad()
  loss, _ = OTFlowProblem(x, net, [0, 1], nt=nt, stepper='rk4', alph=alphas)
  loss.backward()
  optimizer.step()
  print(time.perf_counter() - start, time.process_time() - busy, flush=True)
"""

Step = Callable[[], tuple[float, float]]


def flow(
  potential: ma_keras.Potential, num_steps: int, integrator: str, gradient: str
) -> ma_keras.MongeAmpereBijector:
  """T = 1 in so many steps of RK4, or a few more, which `rk4_gauss3` takes three at a time."""
  number = -(-num_steps // 3) if integrator == 'rk4_gauss3' else num_steps
  return ma_keras.MongeAmpereBijector(
    potential, number, 1.0 / number, integrator, gradient=gradient
  )


def errors(setting: Setting) -> dict[str, float]:
  """Root mean square error of ln p at 64 points by each integrator, in nats, in float64."""
  event_size, widths, num_steps, _ = setting
  potential = ma_keras.potentials.MLP(
    event_size, widths, 'log_cosh', time_dependent=True, dtype=tf.float64, seed=0
  )
  potential.amplitude.assign(STRENGTH * potential.amplitude)
  x = tf.random.stateless_normal([64, event_size], [0, 2], dtype=tf.float64)

  def change(integrator: str, steps: int) -> np.ndarray:
    bijector = flow(potential, steps, integrator, 'store')
    return tf.function(bijector.solve)(x).log_density_change.numpy()

  exact = change('rk4', 16 * num_steps)
  sizes = {name: change(name, num_steps) - exact for name in ('rk4', 'rk4_gauss', 'rk4_gauss3')}
  print(f'ln p changes by {np.std(exact):.2f} nats; errors:', end=' ')
  return {name: float(np.sqrt(np.mean(error**2))) for name, error in sizes.items()}


def ours(
  setting: Setting,
  penalties: dict[str, float] | None,
  jit_compile: bool,
  gradient: str,
  integrator: str = 'rk4',
) -> Step:
  """Seconds of one step of ours, by the clock and of the processor."""
  event_size, widths, num_steps, points = setting
  potential = ma_keras.potentials.MLP(event_size, widths, 'log_cosh', time_dependent=True, seed=0)
  bijector = flow(potential, num_steps, integrator, gradient)
  model = training.MaximumLikelihood(bijector, penalties=penalties)
  model.compile('adam')
  x = tf.random.stateless_normal([points, event_size], [0, 1])
  compiled = tf.function(model.train_step, jit_compile=jit_compile)

  def step() -> tuple[float, float]:
    start, busy = time.perf_counter(), time.process_time()
    compiled(x)['loss'].numpy()
    return time.perf_counter() - start, time.process_time() - busy

  return step


def theirs(setting: Setting) -> Step:
  """The same of OT-Flow's code, in a process of its own."""
  event_size, widths, num_steps, points = setting
  arguments = [event_size, widths[0], num_steps, points, FLAGS.threads]
  process = subprocess.Popen(
    [FLAGS.ot_flow_python, '-c', OT_FLOW, FLAGS.ot_flow, *map(str, arguments)],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
  )

  def step() -> tuple[float, float]:
    assert process.stdin and process.stdout
    process.stdin.write('\n')
    process.stdin.flush()
    seconds, busy = map(float, process.stdout.readline().split())
    return seconds, busy

  return step


def measure(setting: Setting) -> dict[str, list[float]]:
  """Median seconds of each, in turn; the first round compiles and is not counted."""
  steps = {
    'both penalties': ours(setting, BOTH, False, 'store'),
    'both penalties, XLA': ours(setting, BOTH, True, 'store'),
    'both penalties, rk4_gauss': ours(setting, BOTH, False, 'store', 'rk4_gauss'),
    'both penalties, rk4_gauss, XLA': ours(setting, BOTH, True, 'store', 'rk4_gauss'),
    'both penalties, rk4_gauss3': ours(setting, BOTH, False, 'store', 'rk4_gauss3'),
    'no penalty': ours(setting, None, False, 'store'),
    'no penalty, XLA': ours(setting, None, True, 'store'),
  }
  if FLAGS.ot_flow:
    steps['OT-Flow'] = theirs(setting)
  times: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
  for _ in range(FLAGS.rounds + 1):
    for name, step in steps.items():
      times[name].append(step())
  return {name: np.median(values[1:], axis=0).tolist() for name, values in times.items()}


def main(argv: list[str]) -> None:
  """Prints the table and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  tf.config.threading.set_intra_op_parallelism_threads(FLAGS.threads)
  tf.config.threading.set_inter_op_parallelism_threads(FLAGS.threads)
  results: dict[str, Any] = {}
  for name in FLAGS.only or SETTINGS:
    event_size, widths, num_steps, points = SETTINGS[name]
    setting = (event_size, widths, num_steps, FLAGS.points or points)
    inexact = errors(setting)
    print(inexact, flush=True)
    seconds = measure(setting)
    results[name] = {'setting': setting, 'seconds, processor seconds': seconds, 'errors': inexact}
    for key, (clock, busy) in seconds.items():
      print(f'{name} {key:31s} {clock:.3f} s, {busy:.3f} s of the processor', flush=True)
    if 'OT-Flow' in seconds:
      fastest = [min(seconds[key][k] for key in seconds if key.startswith('both')) for k in (0, 1)]
      ratios = [theirs / ours for theirs, ours in zip(seconds['OT-Flow'], fastest)]
      results[name]['times as fast'] = ratios
      print(
        f"{name}: {ratios[0]:.1f} times as fast as OT-Flow's code, {ratios[1]:.1f} by the processor"
      )
  report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
