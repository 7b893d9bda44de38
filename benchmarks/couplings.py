"""One Ising model for a range of couplings against one for each of nine.

  python benchmarks/couplings.py --output=couplings.json

The nine have the same potential and the same number of training steps each; the one, whose encoder
makes a context of the coupling, has a third of all their steps together. KL(flow, target) in nats
at every coupling, from the exact partition function (Kaufman 1949), with its standard error.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import report
import tf_keras
from absl import app, flags

import ma_keras
from ma_keras import potentials, targets, training

FLAGS = flags.FLAGS
flags.DEFINE_integer('side', 16, 'L.', lower_bound=2)
flags.DEFINE_float('low', 0.36, 'Smallest coupling.')
flags.DEFINE_float('high', 0.48, 'Largest coupling.')
flags.DEFINE_float('margin', 0.25, 'Part of the range by which the one is trained beyond its ends.')
flags.DEFINE_integer('couplings', 9, 'How many, evenly spaced.', lower_bound=2)
flags.DEFINE_integer('steps', 400, 'Training steps of each alone.', lower_bound=1)
flags.DEFINE_integer('channels', 8, 'Kernels of the lattice potential.', lower_bound=1)
flags.DEFINE_integer('basis_size', 4, 'Functions of time.', lower_bound=1)
flags.DEFINE_integer('num_steps', 10, 'RK4 steps over T = 1.', lower_bound=1)
flags.DEFINE_integer('batch_size', 64, 'B.', lower_bound=1)
flags.DEFINE_float('learning_rate', 5e-3, 'Peak rate of Adam.')
flags.DEFINE_integer('features', 8, 'Outputs of the encoder.', lower_bound=1)
flags.DEFINE_integer('samples', 4000, 'Samples of every measurement.', lower_bound=100)
flags.DEFINE_integer('seed', 0, 'Of everything.')
flags.DEFINE_string('output', None, 'JSON file for the results.')


def bijector(coupling: float, context_size: int | None) -> ma_keras.MongeAmpereBijector:
  """Convolutions and a quadratic part that begins as the Gaussian factor of this coupling."""
  basis = potentials.TimeBasis(1.0, FLAGS.basis_size)
  options: dict[str, Any] = {
    'time_basis': basis,
    'seed': FLAGS.seed,
    'context_size': context_size,
  }
  quadratic = potentials.SpectralQuadratic(FLAGS.side, **options)
  quadratic.start_gaussian(targets.Ising(FLAGS.side, coupling).covariance, 1.0)
  lattice = potentials.Lattice(FLAGS.side, FLAGS.channels, **options)
  steps = FLAGS.num_steps
  return ma_keras.MongeAmpereBijector(lattice + quadratic, steps, 1.0 / steps, seed=FLAGS.seed)


def encoder() -> tf_keras.Model:
  """Features of the coupling, scaled to -1..1."""
  middle, half = 0.5 * (FLAGS.low + FLAGS.high), 0.5 * (FLAGS.high - FLAGS.low)
  layers = [
    tf_keras.layers.Input([1]),
    tf_keras.layers.Rescaling(1.0 / half, -middle / half),
    tf_keras.layers.Dense(16, 'tanh'),
    tf_keras.layers.Dense(FLAGS.features),
  ]
  return tf_keras.Sequential(layers)


def trained(model: Any, steps: int) -> float:
  """Trains in that many steps; seconds of the processor."""
  rate = training.adam(FLAGS.learning_rate, steps, warmup_steps=50, gradient_clip=1.0)
  model.compile(rate, jit_compile=True)
  start = time.process_time()
  model.fit(steps_per_epoch=steps, epochs=1, verbose=0)
  return time.process_time() - start


def divergence(flow: ma_keras.MongeAmpereBijector, target: targets.Ising) -> list[float]:
  """KL(flow, target) in nats, its standard error and its integration error."""
  exact = -target.exact_log_partition() / target.event_size
  options = {'num_samples': FLAGS.samples, 'batch_size': 500, 'seed': FLAGS.seed + 1}
  result = training.measure(flow, target, **options, exact_per_site=exact)
  assert result.total_kl is not None  # The exact value is known.
  errors = (result.statistical_error, result.integration_error)
  return [result.total_kl, *(target.event_size * error for error in errors)]


def main(_: list[str]) -> None:
  """Prints and writes the table."""
  tf_keras.utils.set_random_seed(FLAGS.seed)
  couplings = np.linspace(FLAGS.low, FLAGS.high, FLAGS.couplings)
  penalties, beyond = {'stiffness': 0.3}, FLAGS.margin * (FLAGS.high - FLAGS.low)
  family = training.FamilyFreeEnergy(
    bijector(float(np.mean(couplings)), FLAGS.features),
    targets.IsingCouplings(FLAGS.side),
    *([FLAGS.low - beyond], [FLAGS.high + beyond], FLAGS.batch_size),
    seed=FLAGS.seed,
    encoder=encoder(),
    penalties=penalties,
  )
  seconds = trained(family, FLAGS.couplings * FLAGS.steps // 3)
  print(f'one for all: {seconds:.0f} s', flush=True)
  rows, total = [], 0.0
  for coupling in couplings:
    target = targets.Ising(FLAGS.side, float(coupling))
    model = training.VariationalFreeEnergy(
      bijector(float(coupling), None), target, FLAGS.batch_size, FLAGS.seed, penalties
    )
    alone = trained(model, FLAGS.steps)
    total += alone
    flow = family.given([coupling])
    row = {
      'coupling': float(coupling),
      'for all': divergence(flow, target),
      'alone': divergence(model.bijector, target),
      'seconds alone': alone,
    }
    rows.append(row)
    print(row, flush=True)
  print(f'{seconds:.0f} s of the processor for all, {total:.0f} s for the nine', flush=True)
  report.write(FLAGS.output, {'seconds for all': seconds, 'couplings': rows})


if __name__ == '__main__':
  app.run(main)
