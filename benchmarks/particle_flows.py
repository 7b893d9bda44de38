"""Flows of particles by three stages of training, measured against chains of the target.

  python benchmarks/particle_flows.py --target=dw4 --output=particle_flows_dw4.json

Half of the chains are paired with draws of the base, aligned, and matched by straight lines (flow
matching); reverse KL along paths follows, with energies limited by a ceiling. The other half, and
fresh samples of the flow weighed with the energy itself, say how good it is, at the steps of
training and at twice as many.
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

import ma_keras
from ma_keras import particles, potentials, samplers, targets, training
from ma_keras.training.halving import Scorer

tfd = tfp.distributions
TARGETS: dict[str, Callable[[], targets.Particles]] = {
  'dw4': targets.DoubleWells,
  'lj13': lambda: targets.LennardJones(13),
  'lj55': lambda: targets.LennardJones(55),
}
FLAGS = flags.FLAGS
flags.DEFINE_enum('target', 'dw4', list(TARGETS), 'The energy; Lennard-Jones is directed.')
flags.DEFINE_float('log_partition', 29.674, 'ln Z, of chains: benchmarks/particle_chains.py.')
flags.DEFINE_float('log_partition_error', 0.003, 'Its standard error.')
flags.DEFINE_integer('hidden_units', 32, 'H of the embedded atoms.', lower_bound=1)
flags.DEFINE_integer('shells', 24, 'M, Gaussian shells of distance.', lower_bound=2)
flags.DEFINE_integer('basis_size', 6, 'K, Chebyshev functions of time.', lower_bound=1)
flags.DEFINE_bool('background', True, 'Whether atoms feel the whole cluster.')
flags.DEFINE_float('reach', 10.0, 'Distance up to which shells stand.')
flags.DEFINE_float('far', 20.0, 'Distance up to which a coarser pair potential holds strays.')
flags.DEFINE_float('softening', 0.2, 'Of the smooth radius.')
flags.DEFINE_float('scale', 1.6, 'Standard deviation of the base: below that of the target.')
flags.DEFINE_integer('num_steps', 8, 'Runge-Kutta steps of T = 1.', lower_bound=1)
flags.DEFINE_float('stiffness', 0.1, 'Weight of the penalty on the error of steps.')
flags.DEFINE_integer('chains', 2000, 'Chains, of which the first half is learned from.')
flags.DEFINE_integer('chain_samples', 20, 'Samples of each.', lower_bound=4)
flags.DEFINE_integer('thinning', 10, 'Trajectories between samples.', lower_bound=1)
flags.DEFINE_integer('burn_in', 500, 'Trajectories before the first.', lower_bound=1)
flags.DEFINE_integer('matching_steps', 2000, 'Steps of flow matching.', lower_bound=0)
flags.DEFINE_integer('matching_batch', 512, 'Pairs of such a step.', lower_bound=8)
flags.DEFINE_float('matching_rate', 0.01, 'Peak rate of Adam.')
flags.DEFINE_integer('steps', 600, 'Steps of reverse KL.', lower_bound=0)
flags.DEFINE_integer('batch', 128, 'Samples of such a step.', lower_bound=1)
flags.DEFINE_float('rate', 0.01, 'Peak rate of Soap.')
flags.DEFINE_float('clip', 1.0, 'Largest norm of its gradients.')
flags.DEFINE_float('ceiling', 0.0, 'Energy above which training sees a logarithm.')
flags.DEFINE_integer('samples', 10_000, 'Samples to measure with.', lower_bound=100)
flags.DEFINE_integer('seed', 0, 'Names all random numbers.', lower_bound=0)
flags.DEFINE_string('load', None, 'Model file to go on from.')
flags.DEFINE_string('save', None, 'Model file to write.')
flags.DEFINE_string('output', None, 'JSON file for the results.')
ANNEALED, TEMPERATURES = 500, 500  # Samples that chains start from, and on how many temperatures.
FAR_SHELLS = 20
BLOCK = 250  # Rows that are matched with one another: the time grows like the cube.


def chains(target: targets.Particles) -> np.ndarray:
  """Samples of the target along chains, [S, C, N]."""
  within = targets.MeanFreeCoordinates(target)
  base = tfd.Sample(tfd.Normal(0.0, FLAGS.scale), within.event_size)
  annealed = samplers.annealed_importance(
    samplers.Path(within.energy, base), ANNEALED, TEMPERATURES, seed=FLAGS.seed
  )
  start = annealed.resampled(FLAGS.chains, FLAGS.seed)
  schedule = samplers.Schedule(FLAGS.chain_samples, FLAGS.burn_in, FLAGS.thinning)
  run = samplers.hamiltonian_chains(within.energy, start, schedule, FLAGS.seed)
  print('chains:', run.mean(), run.doubts() or 'no doubts', flush=True)
  return within.positions(run.samples).numpy()


def flow(target: targets.Particles) -> ma_keras.MongeAmpereBijector:
  """Embedded atoms and pairs near and far, from T = 0 to 1; or the flow that a file holds."""
  if FLAGS.load:
    return ma_keras.load(FLAGS.load).bijector
  pairing, basis = target.pairing, potentials.TimeBasis(1.0, FLAGS.basis_size)
  sizes = (pairing.particles, pairing.dimensions)
  shared = {'shells': FLAGS.shells, 'reach': FLAGS.reach, 'softening': FLAGS.softening}
  phi = potentials.EmbeddedAtoms(
    *sizes,
    FLAGS.hidden_units,
    **shared,
    time_basis=basis,
    seed=FLAGS.seed,
    background=FLAGS.background,
  )
  phi += potentials.Pairs(*sizes, **shared, time_basis=basis, seed=FLAGS.seed + 1)
  coarse = {'shells': FAR_SHELLS, 'reach': FLAGS.far, 'softening': 2.0 * FLAGS.softening}
  phi += potentials.Pairs(*sizes, **coarse, time_basis=basis, seed=FLAGS.seed + 2)
  return ma_keras.MongeAmpereBijector(phi, FLAGS.num_steps, 1.0 / FLAGS.num_steps, gradient='store')


def matched(
  bijector: ma_keras.MongeAmpereBijector, base: Any, pairing: particles.Pairing, x: np.ndarray
) -> dict[str, float]:
  """Flow matching from the base to samples x [n, N]."""
  x = x[: len(x) // BLOCK * BLOCK]
  z = base.sample(len(x), seed=[FLAGS.seed, 2]).numpy()
  blocks = [slice(k, k + BLOCK) for k in range(0, len(x), BLOCK)]
  x = np.concatenate([particles.matched(x[rows], z[rows], pairing) for rows in blocks])
  x = particles.aligned(x, z, pairing, seed=FLAGS.seed).astype(z.dtype)
  pairs = tf.data.Dataset.from_tensor_slices((z, x)).repeat().shuffle(len(x), FLAGS.seed)
  model = training.FlowMatching(bijector, seed=FLAGS.seed, base=base)
  steps = FLAGS.matching_steps
  model.compile(training.adam(FLAGS.matching_rate, steps, steps // 20, 1.0), jit_compile=True)
  batches = pairs.batch(FLAGS.matching_batch, drop_remainder=True)
  history = model.fit(batches, steps_per_epoch=max(1, steps // 10), epochs=10, verbose=2).history
  return {'squared distance of ends': float(np.mean(np.sum((x - z) ** 2, axis=1)))} | {
    'mismatch': float(history['loss'][-1])
  }


def sharpened(
  bijector: ma_keras.MongeAmpereBijector, base: Any, target: targets.Particles
) -> dict[str, float]:
  """Reverse KL along paths."""
  aids = training.Aids(path_gradient=True, energy_ceiling=FLAGS.ceiling)
  model = training.VariationalFreeEnergy(
    bijector,
    target,
    FLAGS.batch,
    FLAGS.seed,
    penalties={'stiffness': FLAGS.stiffness},
    aids=aids,
    base=base,
  )
  steps = FLAGS.steps
  model.compile(training.soap(FLAGS.rate, steps, steps // 20, FLAGS.clip), jit_compile=True)
  model.optimizer.build(model.trainable_variables)
  epoch = max(1, steps // 20)
  turns = [training.Turns()]
  history = model.fit(steps_per_epoch=epoch, epochs=20, verbose=2, callbacks=turns).history
  return {'loss': float(history['loss'][-1])}


def measured(
  bijector: ma_keras.MongeAmpereBijector, base: Any, target: targets.Particles, x: np.ndarray
) -> dict[str, Any]:
  """Agreement with chains x [S, C, N], in the steps of training and in twice as many."""
  draws = training.draw(bijector, target, FLAGS.samples, 1000, FLAGS.seed + 1, base=base)
  scorer = Scorer(bijector, 1000, base=base)
  rows = x.reshape(-1, x.shape[-1])
  energies = target.energy(rows).numpy().astype(np.float64)
  partition = samplers.Expectation(FLAGS.log_partition, FLAGS.log_partition_error)
  results: dict[str, Any] = {}
  for factor, weighted in ((1, draws.coarse), (2, draws.fine)):
    log_prob = scorer(rows, factor * FLAGS.num_steps)
    own = target.energy(weighted.values).numpy().astype(np.float64)
    agreement = samplers.agreement(
      -weighted.free_energies,
      own,
      (-energies - log_prob).reshape(x.shape[:2]),
      energies.reshape(x.shape[:2]),
      partition,
    )
    estimate = samplers.estimate(-weighted.free_energies)
    results[f'{factor * FLAGS.num_steps} steps'] = {
      **{name: _plain(value) for name, value in vars(agreement).items()},
      'negative log likelihood': float(-log_prob.mean()),
      'ln Z of the weights': -estimate.negative_log_partition,
      'its standard error': estimate.standard_error,
    }
  return results


def _plain(value: Any) -> Any:
  """Numbers for JSON: an expectation becomes its value and its error."""
  return [value.value, value.error] if isinstance(value, samplers.Expectation) else value


def timed(function: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
  """What a stage returns, and how long it took."""
  wall, processor = time.perf_counter(), time.process_time()
  results = function(*arguments)
  elapsed = {'seconds': time.perf_counter() - wall}
  elapsed['processor seconds'] = time.process_time() - processor
  print(function.__name__, results, elapsed, flush=True)
  return {**results, **elapsed}


def main(argv: list[str]) -> None:
  """Trains, measures and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  target = TARGETS[FLAGS.target]()
  base, x = target.base(FLAGS.scale), chains(target)
  half = FLAGS.chains // 2
  bijector = flow(target)
  size = int(sum(v.shape.num_elements() for v in bijector.trainable_variables))
  results: dict[str, Any] = {'parameters': size}
  learned = x[:, :half].reshape(-1, x.shape[-1])
  if FLAGS.matching_steps:
    results['flow matching'] = timed(matched, bijector, base, target.pairing, learned)
    results['after flow matching'] = timed(measured, bijector, base, target, x[:, half:])
  if FLAGS.steps:
    results['reverse KL'] = timed(sharpened, bijector, base, target)
  if FLAGS.steps or not FLAGS.matching_steps:
    results['at the end'] = timed(measured, bijector, base, target, x[:, half:])
  if FLAGS.save:
    model = ma_keras.model_file.Model(bijector, base=base)
    ma_keras.model_file.save(FLAGS.save, model)
  report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
