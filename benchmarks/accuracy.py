"""What steps, symmetry and precision do to a likelihood: round trips over d, bfloat16.

  python benchmarks/accuracy.py --output=accuracy.json

One flow of some force, N = 64, H = 128, T = 5. For every d and method the round trip there and back
(max over points, float64) and the error of ln p against 512 Gauss steps; then the error that
bfloat16 products make in ln p, beside that of float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import report
import tensorflow as tf
from absl import app, flags

import ma_keras
from ma_keras.flow import gradients

FLAGS = flags.FLAGS
flags.DEFINE_string('output', None, 'JSON file for the results.')

N, HIDDEN, BATCH, TIME = 64, 128, 64, 5.0
METHODS = ('rk4', 'implicit_midpoint', 'gauss4')


def build(dtype: tf.DType) -> ma_keras.potentials.OneHiddenLayer:
  """A flow that changes ln p by some ten nats."""
  made = ma_keras.potentials.OneHiddenLayer(N, HIDDEN, dtype=dtype, seed=0)
  rng = np.random.default_rng(0)  # One kernel in every precision.
  made.kernel.assign(rng.normal(size=(N, HIDDEN)) / N**0.5)
  made.amplitude.assign(4.0 * rng.normal(size=HIDDEN) / HIDDEN**0.5)
  return made


def points(dtype: tf.DType) -> tf.Tensor:
  """Data, [B, N]."""
  return tf.constant(np.random.default_rng(1).normal(size=[BATCH, N]), dtype)


def log_prob(x: tf.Tensor, *arguments: Any, **options: Any) -> np.ndarray:
  """ln p of the data, [B]."""
  bijector = ma_keras.MongeAmpereBijector(build(x.dtype), *arguments, **options)
  return ma_keras.standard_normal_flow(bijector).log_prob(x).numpy().astype(np.float64)


def round_trip(x: tf.Tensor, d: int, method: str) -> float:
  """The largest |x - there and back|."""
  bijector = ma_keras.MongeAmpereBijector(build(x.dtype), d, TIME / d, method)
  return float(tf.reduce_max(bijector.certificate(x, reverse=True).round_trip_error))


def main(argv: list[str]) -> None:
  """Prints the tables and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  x = points(tf.float64)
  exact = log_prob(x, 512, TIME / 512, 'gauss4')
  rows = []
  print(f'{"d":>4s} {"method":18s} {"round trip":>11s} {"|error of ln p|":>16s}')
  for d in (8, 16, 32, 64, 128):
    for method in METHODS:
      error = float(np.abs(log_prob(x, d, TIME / d, method) - exact).mean())
      rows.append({'d': d, 'method': method, 'trip': round_trip(x, d, method), 'error': error})
      print(f'{d:4d} {method:18s} {rows[-1]["trip"]:11.1e} {error:16.1e}')
  single, low = points(tf.float32), gradients.Store(products=tf.bfloat16)
  precision = {
    'float32': log_prob(single, 64, TIME / 64) - exact,
    'bfloat16 products': log_prob(single, 64, TIME / 64, gradient=low) - exact,
  }
  for name, errors in precision.items():
    print(f'{name:18s} |error of ln p| {np.abs(errors).mean():.1e}, mean {errors.mean():.1e} nats')
  errors = {
    name: [float(np.abs(value).mean()), float(value.mean())] for name, value in precision.items()
  }
  result = {'ln p': float(exact.mean()), 'steps': rows, 'precision': errors}
  report.write(FLAGS.output, result)


if __name__ == '__main__':
  app.run(main)
