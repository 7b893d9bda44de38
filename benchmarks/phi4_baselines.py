"""phi^4 without a flow: annealed importance sampling, and Hamiltonian chains as the reference.

  python benchmarks/phi4_baselines.py --side=12 --output=phi4_l12_baselines.json

The couplings of Gerdes et al. (2022), correlation length about L/4. Annealing begins at the free
field of --base_mass and goes through as many temperatures as --temperatures says: choose it so that
it takes the processor time of the flow's training and sampling together. The chains measure what
the flow's own samples are held against.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import report
import tensorflow as tf
import tensorflow_probability as tfp
from absl import app, flags

from ma_keras import samplers, targets
from ma_keras.samplers.hamiltonian import split_r_hat
from ma_keras.targets import lattice

# lambda of Gerdes et al., whose kinetic and mass terms have no factor 1/2: a quarter of it here.
QUARTIC = {6: 6.975 / 4, 12: 5.276 / 4, 20: 4.807 / 4, 32: 4.572 / 4, 64: 4.398 / 4}
MASS_SQUARED = -4.0

FLAGS = flags.FLAGS
flags.DEFINE_enum('side', '12', [str(side) for side in QUARTIC], 'L.')
flags.DEFINE_integer('annealed', 1000, 'Samples of annealed importance sampling.', lower_bound=2)
flags.DEFINE_integer('temperatures', 1000, 'Steps of the annealing.', lower_bound=1)
flags.DEFINE_integer('leapfrogs', 10, 'Mean leapfrog steps of a trajectory.', lower_bound=1)
flags.DEFINE_float(
  'base_mass', 1.0, 'm^2 of the free field that annealing begins at.', lower_bound=1e-3
)
flags.DEFINE_integer('chains', 64, 'Chains of the target.', lower_bound=2)
flags.DEFINE_integer('samples', 2000, 'Samples of every chain.', lower_bound=4)
flags.DEFINE_integer('thinning', 4, 'Trajectories from one sample to the next.', lower_bound=1)
flags.DEFINE_integer('burn_in', 1000, 'Trajectories before the first.', lower_bound=1)
flags.DEFINE_integer('seed', 0, 'Names all random numbers.', lower_bound=0)
flags.DEFINE_integer('threads', 1, 'Threads.', lower_bound=1)
flags.DEFINE_string('output', None, 'JSON file for the results.')


def free_field(side: int, mass_squared: float) -> Any:
  """N(0, (-laplacian + m^2)^-1), the target without its quartic term at another mass."""
  adjacency = lattice.adjacency(side, side, 'periodic')
  precision = np.diag(adjacency.sum(axis=-1) + mass_squared) - adjacency
  factor = np.linalg.cholesky(precision)
  # By products with the precision: XLA is slow at triangular solves.
  return tfp.experimental.distributions.MultivariateNormalPrecisionFactorLinearOperator(
    precision_factor=tf.linalg.LinearOperatorLowerTriangular(factor.astype(np.float32)),
    precision=tf.linalg.LinearOperatorFullMatrix(precision.astype(np.float32)),
  )


def annealed(target: targets.Phi4) -> tuple[samplers.Annealed, dict[str, Any]]:
  """Samples with weights, and what they are worth."""
  path = samplers.Path(
    target.energy, free_field(target.side, FLAGS.base_mass), power=1.0, ceiling=None
  )
  result = samplers.annealed_importance(
    path,
    num_samples=FLAGS.annealed,
    num_temperatures=FLAGS.temperatures,
    num_leapfrog_steps=FLAGS.leapfrogs,
    seed=FLAGS.seed,
  )
  return result, {
    'effective_sample_size': result.estimate.effective_sample_size,
    'num_samples': FLAGS.annealed,
    'log_partition_per_site': -result.estimate.negative_log_partition / target.event_size,
    'log_partition_error_per_site': result.estimate.standard_error / target.event_size,
    'doubts': result.estimate.doubts(),
  }


def reference(target: targets.Phi4, start: np.ndarray) -> dict[str, Any]:
  """Observables along chains, each with its standard error over chains."""
  schedule = samplers.Schedule(
    FLAGS.samples, FLAGS.burn_in, FLAGS.thinning, num_leapfrog_steps=FLAGS.leapfrogs
  )
  chains = samplers.hamiltonian_chains(target.energy, start, schedule, FLAGS.seed)
  moments, statistics = target.observables()
  rows = moments(chains.samples.reshape(-1, target.event_size))
  by_chain = rows.reshape(FLAGS.samples, FLAGS.chains, -1).mean(axis=0)
  observables = {name: over_chains(by_chain, f) for name, f in statistics.items()}
  magnetisation = chains.samples.mean(axis=-1).astype(np.float64)
  return {
    'observables': observables,
    'acceptance': chains.acceptance,
    'autocorrelation_time_of_magnetisation': samplers.integrated_autocorrelation_time(
      magnetisation
    ),
    'split_r_hat_of_magnetisation': split_r_hat(magnetisation),
    # It is slower than the energy.
    'doubts': chains.doubts() or chains.doubts(magnetisation, 'the magnetisation'),
  }


def over_chains(means: np.ndarray, statistic: Any) -> dict[str, float]:
  """A function of means, and its jackknife error over chains [C, k]."""
  count = len(means)
  left_out = [statistic(np.delete(means, k, axis=0).mean(axis=0)) for k in range(count)]
  error = np.sqrt((count - 1) * np.var(left_out))
  return {'value': float(statistic(means.mean(axis=0))), 'error': float(error)}


def main(_: list[str]) -> None:
  """Prints and writes what is measured."""
  tf.config.threading.set_intra_op_parallelism_threads(FLAGS.threads)
  side = int(FLAGS.side)
  target = targets.Phi4(side, MASS_SQUARED, QUARTIC[side])
  busy = time.process_time()
  result, summary = annealed(target)
  summary['cpu_seconds'] = time.process_time() - busy
  print(summary, flush=True)
  busy = time.process_time()
  chains = reference(target, result.resampled(FLAGS.chains, FLAGS.seed))
  chains['cpu_seconds'] = time.process_time() - busy
  print(chains, flush=True)
  report.write(FLAGS.output, {'annealed': summary, 'chains': chains})


if __name__ == '__main__':
  app.run(main)
