"""Reference values of particles: ln Z by two methods, mean energy and virial by Markov chains.

  python benchmarks/particle_chains.py --target=dw4 --output=particle_chains_dw4.json

All of it in the coordinates of the mean-free subspace. The chains begin at samples of annealed
importance sampling, resampled by their weights; thermodynamic integration has chains of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import report
import tensorflow as tf
import tensorflow_probability as tfp
from absl import app, flags

from ma_keras import samplers, targets

tfd = tfp.distributions
TARGETS: dict[str, tuple[Callable[[], targets.Particles], float]] = {
  'dw4': (targets.DoubleWells, 2.5),
  'lj13': (lambda: targets.LennardJones(13), 0.8),
  'lj13_undirected': (lambda: targets.LennardJones(13, 'undirected'), 1.0),
}
FLAGS = flags.FLAGS
flags.DEFINE_enum('target', 'dw4', sorted(TARGETS), 'Which particles.')
flags.DEFINE_integer('annealed', 2000, 'Samples of annealed importance sampling.', lower_bound=2)
flags.DEFINE_integer('temperatures', 1000, 'Steps of the annealing.', lower_bound=1)
flags.DEFINE_integer(
  'leapfrogs', 10, 'Mean number of leapfrog steps of a trajectory.', lower_bound=1
)
flags.DEFINE_integer('nodes', 31, 'Nodes of thermodynamic integration.', lower_bound=3)
flags.DEFINE_integer('chains_per_node', 32, 'Chains at every node.', lower_bound=2)
flags.DEFINE_integer('chains', 128, 'Chains of the target.', lower_bound=2)
flags.DEFINE_integer('samples', 500, 'Samples of every chain.', lower_bound=4)
flags.DEFINE_integer('thinning', 5, 'Trajectories from one sample to the next.', lower_bound=1)
flags.DEFINE_integer('burn_in', 1000, 'Trajectories before the first.', lower_bound=1)
flags.DEFINE_integer('seed', 1, 'Names all random numbers.', lower_bound=0)
flags.DEFINE_string('output', None, 'JSON file for the results.')


def timed(name: str, work: Callable[[], tuple[Any, dict[str, Any]]]) -> tuple[Any, dict[str, Any]]:
  """The result of the work and its summary, to which seconds are added, the compiler's included."""
  wall, processor = time.perf_counter(), time.process_time()
  result, summary = work()
  summary['seconds'] = time.perf_counter() - wall
  summary['processor seconds'] = time.process_time() - processor
  print(name, summary, flush=True)
  return result, summary


def schedule(thinning: int) -> samplers.Schedule:
  """Lengths of chains, as the flags say."""
  return samplers.Schedule(
    FLAGS.samples, FLAGS.burn_in, thinning, num_leapfrog_steps=FLAGS.leapfrogs
  )


def annealing(path: samplers.Path) -> tuple[samplers.Annealed, dict[str, Any]]:
  """ln Z by weights."""
  annealed = samplers.annealed_importance(
    path, FLAGS.annealed, FLAGS.temperatures, FLAGS.leapfrogs, FLAGS.seed
  )
  estimate = annealed.estimate
  return annealed, {
    'ln Z': -estimate.negative_log_partition,
    'standard error': estimate.standard_error,
    'effective sample size': estimate.effective_sample_size,
    'doubts': estimate.doubts(),
  }


def integration(path: samplers.Path) -> tuple[None, dict[str, Any]]:
  """ln Z by slopes."""
  integral = samplers.thermodynamic_integration(
    path, FLAGS.chains_per_node, schedule(FLAGS.thinning), FLAGS.nodes, FLAGS.seed
  )
  return None, {
    'ln Z': integral.log_partition,
    'standard error': integral.standard_error,
    'quadrature error': integral.quadrature_error,
    'largest split R-hat': integral.split_r_hat,
    'doubts': integral.doubts(),
  }


def chains(
  within: targets.MeanFreeCoordinates, start: np.ndarray
) -> tuple[samplers.Chains, dict[str, Any]]:
  """Mean energy and virial."""
  result = samplers.hamiltonian_chains(
    within.energy, start, schedule(FLAGS.thinning), seed=FLAGS.seed
  )
  virial = result.mean(
    [within.particles.virial(within.positions(x)).numpy() for x in result.samples]
  )
  energy = result.mean()
  return result, {
    'energy': energy.value,
    'error of energy': energy.error,
    'virial': virial.value,
    'error of virial': virial.error,
    'degrees of freedom': within.event_size,
    'autocorrelation time in samples': result.autocorrelation_time,
    'effective samples': result.effective_samples,
    'split R-hat': result.split_r_hat,
    'acceptance': result.acceptance,
    'step size': result.step_size,
    'doubts': result.doubts(),
  }


def main(argv: list[str]) -> None:
  """Prints the numbers and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  make, scale = TARGETS[FLAGS.target]
  within = targets.MeanFreeCoordinates(make())
  base = tfd.Sample(tfd.Normal(tf.zeros([], within.dtype), scale), within.event_size)
  path = samplers.Path(within.energy, base)
  annealed, by_weights = timed('annealing', lambda: annealing(path))
  start = annealed.resampled(FLAGS.chains, FLAGS.seed)
  _, by_chains = timed('chains', lambda: chains(within, start))
  _, by_slopes = timed('integration', lambda: integration(path))
  results = {
    'base': f'Normal(0, {scale}^2)',
    'annealed importance sampling': by_weights,
    'thermodynamic integration': by_slopes,
    'chains': by_chains,
  }
  report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
