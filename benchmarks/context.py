"""Time of a training step with a context for every row, against the same step without one.

  python benchmarks/context.py --output=context.json

In hidden coordinates the context shifts the bias once per solve: z = W'x + b + V'c. Steps of both
are timed in turn, round after round, and their ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import report
import tensorflow as tf
from absl import app, flags

import ma_keras
from ma_keras.potentials import OneHiddenLayer

FLAGS = flags.FLAGS
flags.DEFINE_integer('event_size', 784, 'N.', lower_bound=1)
flags.DEFINE_integer('hidden_units', 1024, 'H.', lower_bound=1)
flags.DEFINE_integer('context_size', 10, 'C, a class label for every image say.', lower_bound=1)
flags.DEFINE_integer('num_steps', 100, 'd.', lower_bound=1)
flags.DEFINE_integer('batch_size', 100, 'B.', lower_bound=1)
flags.DEFINE_integer('rounds', 8, 'Timed rounds.', lower_bound=1)
flags.DEFINE_bool('jit_compile', True, 'Compile by XLA.')
flags.DEFINE_string('output', None, 'JSON file for the results.')


def training_step(context_size: int | None) -> Callable[[], None]:
  """Loss and gradients of one batch, by all variables."""
  potential = OneHiddenLayer(
    FLAGS.event_size, FLAGS.hidden_units, seed=0, context_size=context_size
  )
  bijector = ma_keras.MongeAmpereBijector(potential, FLAGS.num_steps, 10.0 / FLAGS.num_steps)
  flow = ma_keras.standard_normal_flow(bijector)
  x = tf.random.stateless_normal([FLAGS.batch_size, FLAGS.event_size], [0, 1])
  options = {}
  if context_size is not None:
    context = tf.random.stateless_normal([FLAGS.batch_size, context_size], [0, 2])
    options = {'bijector_kwargs': {'context': context}}

  @tf.function(jit_compile=FLAGS.jit_compile)
  def step() -> list[tf.Tensor]:
    with tf.GradientTape() as tape:
      loss = -tf.reduce_mean(flow.log_prob(x, **options))
    return [loss, *tape.gradient(loss, potential.trainable_variables)]

  return lambda: step()[0].numpy()


def seconds(step: Callable[[], None]) -> float:
  """Wall time of one call."""
  start = time.perf_counter()
  step()
  return time.perf_counter() - start


def main(argv: list[str]) -> None:
  """Prints both times and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  steps = [training_step(None), training_step(FLAGS.context_size)]
  rounds = [[seconds(step) for step in steps] for _ in range(FLAGS.rounds + 1)][1:]
  without, with_context = np.median(rounds, axis=0)
  ratio = float(np.median([second / first for first, second in rounds]))
  print(f'without {without:.3f} s, with {with_context:.3f} s, ratio {ratio:.3f}')
  results = {'without': float(without), 'with': float(with_context), 'ratio': ratio}
  report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
