"""Whether data arrive faster than a training step takes them: milliseconds per batch.

  python benchmarks/pipeline.py --output=pipeline.json

Uniform images of MNIST's size and number; the time of a step is that of the quick MNIST model,
0.1 s and more.
"""

from __future__ import annotations

import time

import numpy as np
import report
from absl import app, flags

from ma_keras import data

FLAGS = flags.FLAGS
flags.DEFINE_integer('points', 50_000, 'Training images.', lower_bound=100)
flags.DEFINE_integer('event_size', 784, 'N.', lower_bound=1)
flags.DEFINE_integer('batch_size', 100, 'B.', lower_bound=1)
flags.DEFINE_integer('batches', 1500, 'Batches to draw: three epochs.', lower_bound=1)
flags.DEFINE_string('output', None, 'JSON file for the results.')


def main(argv: list[str]) -> None:
  """Draws batches as fast as they come."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  shape = (FLAGS.points, FLAGS.event_size)
  points = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
  stream = iter(data.batches(points, FLAGS.batch_size, 0))
  next(stream)
  start = time.perf_counter()
  for _ in range(FLAGS.batches):
    next(stream)
  each = (time.perf_counter() - start) / FLAGS.batches
  print(f'{1e3 * each:.2f} ms per batch of {FLAGS.batch_size}')
  report.write(FLAGS.output, {'milliseconds_per_batch': 1e3 * each})


if __name__ == '__main__':
  app.run(main)
