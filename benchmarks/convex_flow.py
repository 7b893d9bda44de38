"""The straight flow of a convex ground truth, by likelihood and least energy.

  python benchmarks/convex_flow.py --event_size=64 --output=convex_flow.json

Q = (grad u)#P with u convex, so that grad u is the optimal map (`convex_truth`). A flow from P is
trained on fresh samples of Q by their likelihood, with kinetic energy and Hamilton-Jacobi residual
as penalties, and its map is held against grad u: L2-UVP = 100 E|T(z) - T*(z)|^2 / Var(Q), per cent,
over fresh samples of P. Q is shifted and scaled by one number beforehand, which takes optimal maps
to optimal maps; the flow starts at the optimal map of Gaussians with the moments of both. Seconds
are those of a processor core.
"""

from __future__ import annotations

import time
from typing import Any

import convex_truth
import numpy as np
import report
import tensorflow as tf
import tensorflow_probability as tfp
from absl import app, flags

import ma_keras
from ma_keras import potentials, training, transport

FLAGS = flags.FLAGS
flags.DEFINE_multi_integer('event_size', [2, 8, 32, 64], 'N.')
flags.DEFINE_multi_enum('kind', ['ridges'], convex_truth.KINDS, 'Convex ground truth.')
flags.DEFINE_list('widths', ['256'], 'Hidden layers of the potential.')
flags.DEFINE_string('activation', 'softplus', 'Of the potential.')
flags.DEFINE_float('kinetic', 0.01, 'Weight of the kinetic energy.', lower_bound=0.0)
flags.DEFINE_float('hamilton_jacobi', 0.05, 'Weight of the residual.', lower_bound=0.0)
flags.DEFINE_float('stiffness', 0.3, "Weight of the solver's error.", lower_bound=0.0)
flags.DEFINE_integer('num_steps', 4, 'RK4 steps.', lower_bound=1)
flags.DEFINE_integer('iterations', 1000, 'Training steps.', lower_bound=1)
flags.DEFINE_integer('batch_size', 256, 'B.', lower_bound=1)
flags.DEFINE_float('learning_rate', 1e-2, 'Peak rate.')
flags.DEFINE_integer('test', 20_000, 'Fresh samples that maps are judged by.', lower_bound=1)
flags.DEFINE_integer('seed', 0, 'Seed of everything.')
flags.DEFINE_integer('threads', 1, 'Threads of TensorFlow.')
flags.DEFINE_string('output', None, 'JSON file for the results.')

STEEPNESS = 2.0  # Bends of a unit per standard deviation of its coordinate.


def flow(event_size: int, z: np.ndarray, matrix: np.ndarray) -> ma_keras.MongeAmpereBijector:
  """A flow that starts as z -> A z, with a network of x and t that bends at samples z [n, N]."""
  values, vectors = np.linalg.eigh(matrix)
  quadratic = potentials.Quadratic(vectors * np.log(values) @ vectors.T)
  widths = tuple(map(int, FLAGS.widths))
  phi = potentials.MLP(event_size, widths, FLAGS.activation, time_dependent=True, seed=FLAGS.seed)
  kernel = np.sqrt(event_size) * phi.kernels[0].numpy()  # Of deviation 1.
  kernel[:-1] *= STEEPNESS / np.std(z @ kernel[:-1], axis=0)
  phi.kernels[0].assign(kernel)
  bends = z[np.random.default_rng(FLAGS.seed).integers(len(z), size=widths[0])]
  phi.biases[0].assign(-np.sum(bends.T * kernel[:-1], axis=0))
  return ma_keras.MongeAmpereBijector(quadratic + phi, FLAGS.num_steps, 1.0 / FLAGS.num_steps)


def solved(event_size: int, kind: str) -> dict[str, Any]:
  """A flow's map against the known one, and what it took."""
  problem = convex_truth.problem(event_size, kind, FLAGS.seed)
  z = problem.source.sample(FLAGS.test, seed=[FLAGS.seed, 1]).numpy()
  x = problem.target.sample(FLAGS.test, seed=[FLAGS.seed, 2]).numpy()
  affine = transport.Gaussian.of_samples(z).optimal_map(transport.Gaussian.of_samples(x))
  scale, shift = np.trace(affine.matrix) / event_size, affine.shift
  units = tfp.bijectors.Chain(
    [
      tfp.bijectors.Shift(tf.constant(shift, tf.float32)),
      tfp.bijectors.Scale(tf.constant(scale, tf.float32)),
    ]
  )
  bijector = flow(event_size, z, affine.matrix / scale)
  seconds, logs = trained(bijector, units, problem)
  z = problem.source.sample(FLAGS.test, seed=[FLAGS.seed, 3])
  expected = problem.optimal.forward(z)
  fine = bijector.copy(num_steps=4 * FLAGS.num_steps, step_size=0.25 / FLAGS.num_steps)
  cost = transport.transport_cost(bijector, 4096, 1024, FLAGS.seed, problem.source)
  return {
    'unexplained': unexplained(units.forward(bijector.forward(z)), expected),
    'unexplained_in_refined_steps': unexplained(units.forward(fine.forward(z)), expected),
    'unexplained_inverse': unexplained(bijector.inverse(units.inverse(expected)), z),
    'unexplained_by_the_affine_map': unexplained(affine(z), expected),
    'straightness': cost.straightness,
    'logs': logs,
    'seconds': seconds,
    'parameters': int(sum(np.prod(v.shape) for v in bijector.trainable_variables)),
  }


def unexplained(mapped: Any, expected: Any) -> float:
  """L2-UVP of mapped points [n, N] against the true ones, per cent."""
  return transport.unexplained_variance(mapped, expected).value


def trained(
  bijector: ma_keras.MongeAmpereBijector, units: Any, problem: convex_truth.Problem
) -> tuple[float, dict[str, float]]:
  """Seconds of training on fresh samples of Q, and the means of its last tenth."""
  penalties = {
    'kinetic': FLAGS.kinetic,
    'hamilton_jacobi': FLAGS.hamilton_jacobi,
    'stiffness': FLAGS.stiffness,
  }
  model = training.MaximumLikelihood(
    bijector, units, seed=FLAGS.seed, penalties=penalties, base=problem.source
  )
  model.compile(
    training.adam(FLAGS.learning_rate, FLAGS.iterations, FLAGS.iterations // 20, 1.0),
    jit_compile=True,
    steps_per_execution=10,
  )
  seconds, logs = 0.0, {}
  for k in range(10):
    number = FLAGS.iterations // 10 * FLAGS.batch_size
    x = problem.target.sample(number, seed=[FLAGS.seed, 10 + k]).numpy()
    start = time.process_time()
    history = model.fit(x, batch_size=FLAGS.batch_size, shuffle=False, verbose=2).history
    seconds += time.process_time() - start
    logs = {name: float(values[-1]) for name, values in history.items()}
  return seconds, logs


def main(argv: list[str]) -> None:
  """Prints the results and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  tf.config.threading.set_intra_op_parallelism_threads(FLAGS.threads)
  tf.config.threading.set_inter_op_parallelism_threads(FLAGS.threads)
  results: dict[str, Any] = {}
  for size in FLAGS.event_size:
    results[str(size)] = {kind: solved(size, kind) for kind in FLAGS.kind}
    print(size, results[str(size)], flush=True)
    report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
