"""The formulas of docs/scale.md beside what is counted and measured.

  python benchmarks/scale.py --output=docs/results/benchmarks/scale.json

Operations are counted one by one, memory is what the peak of a process grows by from few steps to
many, communication is what two workers send over the loopback interface.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import pathlib
import resource
import socket
import subprocess
import sys
from typing import Any

import report
import step_costs
import tensorflow as tf
from absl import app, flags
from operation_count import Count, counted
from step_costs import Sizes

import ma_keras
from ma_keras import potentials, training

FLAGS = flags.FLAGS
flags.DEFINE_string('output', None, 'JSON file for the results.')
flags.DEFINE_enum('task', None, ['memory', 'worker'], 'Internal: what a process of its own does.')
flags.DEFINE_string('sizes', None, 'Internal: JSON of sizes.')
flags.DEFINE_string('gradient', 'store', 'Internal: mode.')

MODES = ('store', 'recompute')
COUNTED = (Sizes(n=32, h=16, b=8, d=3), Sizes(n=16, h=64, b=8, d=3), Sizes(n=24, h=40, b=32, d=5))
# In x, and in hidden coordinates; from a third of the steps to all, enough of them to be
# more than the stages of one step.
MEASURED = {
  'store': (Sizes(n=64, h=256, b=2000, d=60), Sizes(n=256, h=256, b=2000, d=60)),
  'recompute': (Sizes(n=64, h=160, b=1000, d=960), Sizes(n=64, h=64, b=1000, d=960)),
}
WORKER = Sizes(n=784, h=1024, b=4, d=2)
UPDATES = 20
SIDES, CHANNELS = (16, 32), 16
PARTICLES, SHELLS = (16, 64), (24, 48)


def gradient_step(sizes: Sizes, gradient: str) -> Any:
  """Returns x [B, N] -> the gradient of -mean ln p by the weights of one hidden layer."""
  layer = potentials.OneHiddenLayer(sizes.n, sizes.h, seed=0)
  return gradient_along(layer, sizes.d, gradient)


def gradient_along(potential: potentials.Potential, num_steps: int, gradient: str) -> Any:
  """Returns x [B, N] -> the gradient of -mean ln p by the weights of a potential."""
  bijector = ma_keras.MongeAmpereBijector(potential, num_steps, 0.1 / num_steps, gradient=gradient)
  flow = ma_keras.standard_normal_flow(bijector)

  def step(x: tf.Tensor) -> list[tf.Tensor]:
    with tf.GradientTape() as tape:
      loss = -tf.reduce_mean(flow.log_prob(x))
    return tape.gradient(loss, potential.trainable_variables)

  return step


def points(sizes: Sizes) -> tf.Tensor:
  """Normal draws, [B, N]."""
  return tf.random.stateless_normal([sizes.b, sizes.n], [0, 1])


def counted_step(sizes: Sizes, gradient: str) -> float:
  """Operations of the products of a gradient step."""
  step, x = gradient_step(sizes, gradient), points(sizes)
  return counted(lambda: step(x)).products


def lattice(side: int) -> potentials.Potential:
  """Kernels on a torus, transformed once and for all."""
  return potentials.Lattice(side, CHANNELS, seed=0)


def pairs(particles: int, shells: int = 24) -> potentials.Potential:
  """Pairs of particles in space."""
  return potentials.Pairs(particles, 3, shells, seed=0)


def counted_evaluation(potential: potentials.Potential) -> Count:
  """Work of velocity and Laplacian at one point, what does not depend on x computed before."""
  prepared, x = potential.prepared(), tf.zeros([1, potential.event_size])
  return counted(lambda: prepared.gradient_and_laplacian(tf.constant(0.3), x))


def evaluations_per_stage(potential: potentials.Potential) -> Count:
  """Work of a gradient step by `recompute`, in evaluations at every stage of the flow."""
  step, x = gradient_along(potential, 2, 'recompute'), tf.ones([1, potential.event_size])
  # From two steps to four: without the ends.
  longer = gradient_along(potential, 4, 'recompute')
  few, many = counted(lambda: step(x)), counted(lambda: longer(x))
  once, stages = counted_evaluation(potential), 2 * step_costs.STAGES
  return Count(*((m - f) / (stages * o) for f, m, o in zip(few, many, once)))


def memory_task(sizes: Sizes) -> None:
  """Prints the peak memory of this process after two gradient steps, in bytes."""
  step = tf.function(gradient_step(sizes, FLAGS.gradient), autograph=False)
  for _ in range(2):
    step(points(sizes))
  print(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def measured_memory(sizes: Sizes, gradient: str) -> float:
  """Bytes that a step of the flow adds, from the peaks of two processes."""
  few = dataclasses.replace(sizes, d=sizes.d // 3)
  # Arrays in pages of their own, which the system gets back at once: no holes between them.
  pages = {'MALLOC_MMAP_THRESHOLD_': '100000'}
  peaks = [last_number(started('memory', each, gradient, **pages)) for each in (few, sizes)]
  return (peaks[1] - peaks[0]) / (sizes.d - few.d)


def worker_task(sizes: Sizes) -> None:
  """Trains as one of two workers, and prints the bytes that both send in a training step."""
  strategy = training.strategy.make('multi_worker')
  with strategy.scope():
    potential = potentials.OneHiddenLayer(sizes.n, sizes.h, seed=0)
    bijector = ma_keras.MongeAmpereBijector(potential, sizes.d, 0.1 / sizes.d)
    model = training.MaximumLikelihood(bijector, batch_size=2 * sizes.b)
    model.compile(training.adam(1e-4, 1000))
  x = tf.random.stateless_normal([2 * sizes.b, sizes.n], [0, 1])
  batches = tf.data.Dataset.from_tensors((tf.range(2 * sizes.b), x)).repeat()
  model.fit(batches, steps_per_epoch=2, epochs=1, verbose=0)
  before = loopback()
  model.fit(batches, steps_per_epoch=UPDATES, epochs=1, verbose=0)
  print((loopback() - before) / UPDATES)


def measured_traffic(sizes: Sizes) -> float:
  """Bytes that two workers together send in a training step."""
  cluster = {'worker': [f'127.0.0.1:{free_port()}' for _ in range(2)]}
  tasks = [{'type': 'worker', 'index': index} for index in range(2)]
  configs = [json.dumps({'cluster': cluster, 'task': task}) for task in tasks]
  workers = [started('worker', sizes, TF_CONFIG=config) for config in configs]
  chief, _ = (last_number(worker) for worker in workers)
  return chief


def loopback() -> int:
  """Bytes received on the loopback interface so far."""
  lines = pathlib.Path('/proc/net/dev').read_text().splitlines()
  (line,) = [line for line in lines if line.strip().startswith('lo:')]
  return int(line.split(':')[1].split()[0])


def free_port() -> int:
  """Number of a port at which nobody listens."""
  with socket.socket() as probe:
    probe.bind(('127.0.0.1', 0))
    return int(probe.getsockname()[1])


def started(
  task: str, sizes: Sizes, gradient: str = 'store', **environment: str
) -> subprocess.Popen[str]:
  """Starts this script in a process of its own."""
  words = [f'--task={task}', f'--gradient={gradient}']
  return subprocess.Popen(
    [sys.executable, __file__, *words, f'--sizes={json.dumps(dataclasses.asdict(sizes))}'],
    stdout=subprocess.PIPE,
    text=True,
    env={**os.environ, **environment},
  )


def last_number(process: subprocess.Popen[str]) -> float:
  """Waits for a process, and returns the number that it prints last."""
  output, _ = process.communicate()
  if process.returncode:
    raise RuntimeError(f'{process.args!r} ended with exit code {process.returncode}.')
  return float(output.split()[-1])


def compared(formula: float, value: float, **what: Any) -> dict[str, Any]:
  """Returns a row: what, by formula, as counted or measured, and the ratio."""
  row = {**what, 'formula': formula, 'value': value, 'ratio': value / formula}
  print(row, flush=True)
  return row


def described(sizes: Sizes, mode: str) -> dict[str, Any]:
  """Returns sizes, mode and coordinates of a row."""
  coordinates = 'hidden' if sizes.hidden else 'x'
  return {**dataclasses.asdict(sizes), 'mode': mode, 'coordinates': coordinates}


def evaluations() -> list[dict[str, Any]]:
  """Returns rows of one evaluation of a potential at a point."""
  rows = []
  for side in SIDES:
    count, name = counted_evaluation(lattice(side)), f'`Lattice`, {CHANNELS} channels, L = {side}'
    operations = step_costs.lattice_operations(side, CHANNELS)
    rows.append(compared(operations, count.products, what=f'{name}: operations'))
    written = step_costs.lattice_written(side, CHANNELS)
    rows.append(compared(written, count.written, what=f'{name}: numbers written'))
  for n, m in itertools.product(PARTICLES, SHELLS):
    count, name = counted_evaluation(pairs(n, m)), f'`Pairs`, {n} particles, {m} shells'
    written = step_costs.pairs_written(n, m)
    rows.append(compared(written, count.written, what=f'{name}: numbers written'))
  return rows


def results() -> dict[str, Any]:
  """Returns all comparisons."""
  operations = [
    compared(
      step_costs.operations(sizes, mode), counted_step(sizes, mode), **described(sizes, mode)
    )
    for sizes in COUNTED
    for mode in MODES
  ]
  stages = {
    'Lattice, L = 16': evaluations_per_stage(lattice(16))._asdict(),
    'Pairs, 12 particles': evaluations_per_stage(pairs(12))._asdict(),
  }
  print(stages, flush=True)
  memory = [
    compared(step_costs.kept(sizes, mode), measured_memory(sizes, mode), **described(sizes, mode))
    for mode in MODES
    for sizes in MEASURED[mode]
  ]
  both = 2 * step_costs.sent(WORKER.parameters, 2)
  traffic = [compared(both, measured_traffic(WORKER), parameters=WORKER.parameters, replicas=2)]
  return {
    'operations': operations,
    'evaluations': evaluations(),
    'evaluations per stage': stages,
    'memory': memory,
    'communication': traffic,
  }


def main(argv: list[str]) -> None:
  """Prints and writes everything, or does one task."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  if FLAGS.task is None:
    return report.write(FLAGS.output, results())
  tasks = {'memory': memory_task, 'worker': worker_task}
  return tasks[FLAGS.task](Sizes(**json.loads(FLAGS.sizes)))


if __name__ == '__main__':
  app.run(main)
