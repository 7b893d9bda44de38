"""Convolutions on a torus: separable Hartley transforms, one dense product, and TensorFlow's FFT.

  python benchmarks/lattice_transform.py --output=lattice_transform.json

Milliseconds for a batch of images; all three compute the same w * x, and the script checks it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import report
import tensorflow as tf
from absl import app, flags

from ma_keras.potentials import Torus

FLAGS = flags.FLAGS
flags.DEFINE_list('sides', ['8', '16', '32'], 'L of each row.')
flags.DEFINE_integer('images', 960, 'Batch times channels.', lower_bound=1)
flags.DEFINE_integer('repeats', 50, 'Of every timing; the median counts.', lower_bound=1)
flags.DEFINE_string('output', None, 'JSON file for the results.')


def routes(torus: Torus, kernel: tf.Tensor) -> dict[str, Callable[[tf.Tensor], tf.Tensor]]:
  """Name to x -> w * x, [B, N] -> [B, N]."""
  side, spectrum = torus.side, torus.spectrum(kernel)
  matrix = torus.convolve(kernel, tf.eye(side**2))
  square = tf.complex(tf.reshape(spectrum, [side, side])[:, : side // 2 + 1], 0.0)

  def fft(x: tf.Tensor) -> tf.Tensor:
    images = tf.reshape(x, [-1, side, side])
    return tf.reshape(tf.signal.irfft2d(tf.signal.rfft2d(images) * square, [side, side]), x.shape)

  return {
    'Hartley': lambda x: torus.transform(torus.transform(x) * spectrum),
    'dense': lambda x: tf.matmul(x, matrix),
    'FFT': fft,
  }


def milliseconds(work: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor) -> float:
  """Median of the compiled function's time."""
  compiled = tf.function(work, jit_compile=True)
  compiled(x)
  times = []
  for _ in range(FLAGS.repeats):
    start = time.perf_counter()
    compiled(x).numpy()
    times.append(time.perf_counter() - start)
  return 1e3 * float(np.median(times))


def main(argv: list[str]) -> None:
  """Prints the table and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  results = {}
  for side in map(int, FLAGS.sides):
    torus = Torus(side)
    kernel = tf.random.stateless_normal([torus.orbits], [1, 2]) / side
    x = tf.random.stateless_normal([FLAGS.images, side**2], [3, 4])
    ways = routes(torus, kernel)
    values = [way(x).numpy() for way in ways.values()]
    for value in values[1:]:
      np.testing.assert_allclose(value, values[0], atol=1e-3 * np.abs(values[0]).max())
    results[side] = {name: milliseconds(way, x) for name, way in ways.items()}
    print(f'L = {side:3d}', *(f'{n} {t:.2f} ms' for n, t in results[side].items()), flush=True)
  report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
