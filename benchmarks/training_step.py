"""Time of one training step at the paper's Ising setting, beside its floor.

  python benchmarks/training_step.py --output=training_step.json

The floor is the step's floating-point operations, 3 x 4 N H B per stage, 4 d stages, at the rate
of the very matrix products it consists of, measured in the same run. Everything is timed in turn,
round after round, and medians are reported: a machine that slows down slows all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import report
import tensorflow as tf
from absl import app, flags

import ma_keras
from ma_keras import symmetry, targets, training

FLAGS = flags.FLAGS
flags.DEFINE_integer('side', 16, 'Lattice side L; N = L * L.', lower_bound=2)
flags.DEFINE_integer('hidden_units', 512, 'H.', lower_bound=1)
flags.DEFINE_integer('num_steps', 50, 'd.', lower_bound=1)
flags.DEFINE_integer('batch_size', 64, 'B.', lower_bound=1)
flags.DEFINE_integer('rounds', 10, 'Timed rounds.', lower_bound=1)
flags.DEFINE_string('output', None, 'JSON file for the results.')

Step = Callable[[], None]


def training_step(symmetric: bool, jit_compile: bool) -> Step:
  """One optimiser step, latents, Adam and all."""
  potential: ma_keras.potentials.Potential = ma_keras.potentials.OneHiddenLayer(
    FLAGS.side**2, FLAGS.hidden_units, 'log_cosh', use_bias=False, seed=0
  )
  if symmetric:
    group = symmetry.square_lattice(FLAGS.side)
    potential = symmetry.OneElementPerInterval(potential, group, 0.1)
  bijector = ma_keras.MongeAmpereBijector(potential, FLAGS.num_steps, 0.1)
  model = training.VariationalFreeEnergy(bijector, targets.Ising(FLAGS.side), FLAGS.batch_size)
  model.compile(training.adam(1e-3, 1000, 100, 10.0))
  compiled = tf.function(model.train_step, jit_compile=jit_compile)
  numbers = tf.range(FLAGS.batch_size, dtype=tf.int64)
  return lambda: compiled(numbers)['free_energy_per_site'].numpy()


def matrix_products(repeats: int = 100) -> Step:
  """`repeats` times x W and (x W) W', the products of one stage."""
  x = tf.random.normal([FLAGS.batch_size, FLAGS.side**2])
  kernel = tf.random.normal([FLAGS.side**2, FLAGS.hidden_units])

  @tf.function
  def run() -> tf.Tensor:
    def once(i: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
      return i + 1, tf.matmul(tf.matmul(x, kernel), kernel, transpose_b=True) * 1e-6

    return tf.while_loop(lambda i, _: i < repeats, once, (0, x))[1]

  return lambda: run().numpy()


def measure(steps: dict[str, Step]) -> dict[str, float]:
  """Median seconds of each, all in turn; the first round compiles and is not counted."""
  times: dict[str, list[float]] = {name: [] for name in steps}
  for _ in range(FLAGS.rounds + 1):
    for name, step in steps.items():
      start = time.perf_counter()
      step()
      times[name].append(time.perf_counter() - start)
  return {name: float(np.median(values[1:])) for name, values in times.items()}


def main(argv: list[str]) -> None:
  """Prints the table and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  seconds = measure(
    {
      'products': matrix_products(repeats=100),
      'plain': training_step(symmetric=False, jit_compile=False),
      'one element per step': training_step(symmetric=True, jit_compile=False),
      'plain, XLA': training_step(symmetric=False, jit_compile=True),
      'one element per step, XLA': training_step(symmetric=True, jit_compile=True),
    }
  )
  stage_flops = 4 * FLAGS.side**2 * FLAGS.hidden_units * FLAGS.batch_size
  rate = 100 * stage_flops / seconds.pop('products')
  floor = 3 * stage_flops * 4 * FLAGS.num_steps / rate
  print(f'matrix products: {rate / 1e9:.0f} GFLOP/s; floor of a step: {floor:.3f} s')
  for name, value in seconds.items():
    print(f'{name:28s} {value:.3f} s  {value / floor:.2f} x floor')
  report.write(FLAGS.output, {'rate': rate, 'floor': floor, 'seconds': seconds})


if __name__ == '__main__':
  app.run(main)
