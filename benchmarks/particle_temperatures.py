"""The free energy difference of particles between two temperatures: by a flow, and by chains.

  python benchmarks/particle_temperatures.py --model=runs/dw4/model.npz --temperature=1.2

E/T_0 is the energy that the flow was trained for, T_0 = 1, and E/T_1 that of the other temperature.
The flow weighs its own samples by both; chains of both give Bennett's acceptance ratio.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import report
import tensorflow as tf
import tensorflow_probability as tfp
from absl import app, flags

import ma_keras
from ma_keras import samplers, targets, training
from ma_keras.apps import evaluate

tfd = tfp.distributions
FLAGS = flags.FLAGS
flags.DEFINE_string('model', None, 'model.npz of a run of apps/particles_main.py.', required=True)
flags.DEFINE_float('temperature', 1.2, 'T_1.', lower_bound=0.0)
flags.DEFINE_integer('samples', 10000, 'Samples of the flow.', lower_bound=2)
flags.DEFINE_integer('batch', 1000, 'Samples flowed at once.', lower_bound=1)
flags.DEFINE_integer('chains', 64, 'Chains at each temperature.', lower_bound=2)
flags.DEFINE_integer('chain_samples', 300, 'Samples of every chain.', lower_bound=4)
flags.DEFINE_integer('temperatures', 1000, 'Steps of annealing to the starts.', lower_bound=1)
flags.DEFINE_float('scale', 1.0, 'Of the normal that is annealed.', lower_bound=0.0)
flags.DEFINE_integer('seed', 1, 'Names all random numbers.', lower_bound=0)
flags.DEFINE_string('output', None, 'JSON file for the results.')


def by_flow(model: Any, target: targets.Particles) -> dict[str, float]:
  """F_1 - F_0 = ln(sum w_0/sum w_1), w_k = exp(-E/T_k)/q, in halved steps."""
  draws = training.draw(
    model.bijector,
    target,
    FLAGS.samples,
    FLAGS.batch,
    FLAGS.seed,
    jit_compile=True,
    base=model.base,
  )
  results = []
  for level in (draws.coarse, draws.fine):
    energies = np.concatenate(
      [
        target.energy(part).numpy()
        for part in np.split(level.values, len(level.values) // FLAGS.batch)
      ]
    ).astype(np.float64)
    cold = -level.free_energies
    hot = cold + (1.0 - 1.0 / FLAGS.temperature) * energies
    moments = np.exp(np.stack([cold - cold.max(), hot - hot.max()], axis=-1))
    shift = cold.max() - hot.max()
    ratio = lambda means, shift=shift: float(np.log(means[0] / means[1]) + shift)  # noqa: E731
    results.append((samplers.expectation(moments, None, ratio), cold, hot))
  (coarse, _, _), (fine, cold, hot) = results
  return {
    'F_1 - F_0': fine.value,
    'standard error': fine.error,
    'change on halving the steps': abs(fine.value - coarse.value),
    'effective sample size at T_0': samplers.estimate(cold).effective_sample_size,
    'effective sample size at T_1': samplers.estimate(hot).effective_sample_size,
  }


def by_chains(target: targets.Particles) -> dict[str, Any]:
  """F_1 - F_0 by Bennett's ratio, and the doubts of chains and overlap."""
  within = targets.MeanFreeCoordinates(target)
  base = tfd.Sample(tfd.Normal(tf.zeros([], within.dtype), FLAGS.scale), within.event_size)
  path = samplers.Path(within.energy, base, ceiling=None)
  populations = samplers.sequential_monte_carlo(
    path, num_temperatures=FLAGS.temperatures, seed=FLAGS.seed
  )
  start = populations.resampled(FLAGS.chains, FLAGS.seed)
  schedule = samplers.Schedule(FLAGS.chain_samples, thinning=5)
  inverse = (1.0, 1.0 / FLAGS.temperature)

  def run(k: int) -> samplers.Chains:
    energy = lambda y: inverse[k] * within.energy(y)  # noqa: E731
    return samplers.hamiltonian_chains(energy, start, schedule, FLAGS.seed + k)

  chains = [run(0), run(1)]
  rise = inverse[1] - inverse[0]
  difference = samplers.free_energy_difference(
    rise * chains[0].energies / inverse[0], -rise * chains[1].energies / inverse[1]
  )
  return {
    'F_1 - F_0': difference.value,
    'standard error': difference.error,
    'overlap': difference.overlap,
    'split R-hat': [one.split_r_hat for one in chains],
    'doubts': [*(one.doubts() for one in chains), difference.doubts()],
  }


def main(argv: list[str]) -> None:
  """Prints both and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  model = ma_keras.load(FLAGS.model)
  target, _ = evaluate.target_of(model.notes)
  if not isinstance(target, targets.Particles):
    raise app.UsageError(f'--model {FLAGS.model} is none of particles.')
  start = time.process_time()
  results: dict[str, Any] = {'flow': by_flow(model, target), 'chains': by_chains(target)}
  gap = results['flow']['F_1 - F_0'] - results['chains']['F_1 - F_0']
  errors = [results[name]['standard error'] for name in ('flow', 'chains')]
  results['difference in standard errors'] = gap / float(np.hypot(*errors))
  results['processor seconds'] = time.process_time() - start
  print(results)
  report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
