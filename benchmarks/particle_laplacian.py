"""Exact Laplacians of embedded atoms against one reverse pass for every coordinate.

  python benchmarks/particle_laplacian.py --output=particle_laplacian.json

The second way is what divergences of networks cost: the gradient by a tape, and one more reverse
pass through it for each of N = 3 n coordinates, of which one is timed here. Both are compiled. The
time of a whole flow, samples with exact log densities, stands beside them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import report
import tensorflow as tf
from absl import app, flags

import ma_keras
from ma_keras import bases, potentials

FLAGS = flags.FLAGS
flags.DEFINE_integer('particles', 55, 'n.', lower_bound=2)
flags.DEFINE_integer('batch', 16, 'Configurations at once.', lower_bound=1)
flags.DEFINE_integer('hidden_units', 16, 'H.', lower_bound=1)
flags.DEFINE_integer('num_steps', 8, 'Runge-Kutta steps of the flow.', lower_bound=1)
flags.DEFINE_integer('samples', 64, 'Samples of the flow, timed in batches.', lower_bound=1)
flags.DEFINE_integer('repeats', 5, 'Least time of so many.', lower_bound=1)
flags.DEFINE_string('output', None, 'JSON file for the results.')


def least_time(function: Callable[..., Any], *arguments: Any) -> float:
  """Processor seconds of a call, compiled, the least of several."""
  compiled = tf.function(function, autograph=False, jit_compile=True)
  tf.nest.map_structure(lambda part: part.numpy(), compiled(*arguments))
  times = []
  for _ in range(FLAGS.repeats):
    start = time.process_time()
    tf.nest.map_structure(lambda part: part.numpy(), compiled(*arguments))
    times.append(time.process_time() - start)
  return min(times)


def main(argv: list[str]) -> None:
  """Times both and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  n, t = FLAGS.particles, tf.constant(0.4)
  phi = potentials.EmbeddedAtoms(n, 3, FLAGS.hidden_units, shells=16, seed=0)
  base = bases.MeanFreeNormal(n, 3)
  x = base.sample(FLAGS.batch, seed=[1, 2])

  def one_pass(x: tf.Tensor) -> tf.Tensor:
    with tf.GradientTape() as outer:
      outer.watch(x)
      with tf.GradientTape() as inner:
        inner.watch(x)
        value = phi(t, x)
      first = inner.gradient(value, x)[:, 0]
    return outer.gradient(first, x)

  closed = least_time(lambda x: phi.gradient_and_laplacian(t, x), x)
  reverse = least_time(one_pass, x)
  flow = ma_keras.distributions.flow_from(
    base, ma_keras.MongeAmpereBijector(phi, FLAGS.num_steps, 1.0 / FLAGS.num_steps)
  )
  whole = least_time(
    lambda z: ma_keras.distributions.push_forward(flow, z), base.sample(FLAGS.samples)
  )
  results = {
    'gradient and Laplacian in closed form, s': closed,
    'one reverse pass through the gradient, s': reverse,
    'N reverse passes over the closed form': 3 * n * reverse / closed,
    'samples of the flow with log density, s each': whole / FLAGS.samples,
  }
  print(results, flush=True)
  report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
