"""Optimal maps with a known answer, and what an inverse costs.

  python benchmarks/brenier.py --task=gaussians --output=brenier_gaussians.json
  python benchmarks/brenier.py --task=truth --event_size=64 --output=brenier_truth.json
  python benchmarks/brenier.py --task=inverse --output=brenier_inverse.json

`gaussians`: between two Gaussians, in closed form by the quadratic potential's flow, by the Brenier
map, and from the moments of samples. `truth`: a convex ground truth of `convex_truth`, learned
from samples by Kantorovich's dual. `inverse`: points of 784 numbers there and back, in float64.
L2-UVP = 100 E|T(z) - T*(z)|^2 / Var(Q), per cent, over fresh samples. Seconds are those of a
processor core, which others that are busy do not add to.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import convex_truth
import numpy as np
import report
import scipy.linalg
import tensorflow as tf
from absl import app, flags

import ma_keras
from ma_keras import potentials, training, transport

FLAGS = flags.FLAGS
flags.DEFINE_enum('task', 'truth', ['gaussians', 'truth', 'inverse'], 'What is measured.')
flags.DEFINE_multi_integer('event_size', [2, 8, 32, 64], 'N; 784, say, of an inverse.')
flags.DEFINE_multi_enum('kind', ['ridges'], convex_truth.KINDS, 'Convex ground truth.')
flags.DEFINE_integer('hidden_units', 256, 'H of the map.', lower_bound=1)
flags.DEFINE_integer('steps', 2500, 'Training steps.', lower_bound=1)
flags.DEFINE_integer('batch_size', 512, 'Samples of each end a step.', lower_bound=1)
flags.DEFINE_float('learning_rate', 0.03, 'Peak of Adam.')
flags.DEFINE_integer('test', 20_000, 'Fresh samples that maps are judged by.', lower_bound=1)
flags.DEFINE_integer('points', 100, 'Points of an inverse.', lower_bound=1)
flags.DEFINE_integer('seed', 0, 'Seed of everything.')
flags.DEFINE_integer('threads', 1, 'Threads of TensorFlow.')
flags.DEFINE_string('output', None, 'JSON file for the results.')

BLOCK = 10_000  # Samples of a Gaussian at a time.


def unexplained(mapped: Any, expected: Any) -> float:
  """L2-UVP of mapped points [n, N] against the true ones, per cent."""
  return transport.unexplained_variance(mapped, expected).value


def gaussians(event_size: int) -> dict[str, Any]:
  """Two Gaussians with eigenvalues from .25 to 4, and means of deviation 1."""
  random = np.random.default_rng([FLAGS.seed, event_size])
  ends = [_gaussian(event_size, random) for _ in range(2)]
  affine = ends[0].optimal_map(ends[1])
  z = random.multivariate_normal(ends[0].mean, ends[0].covariance, size=FLAGS.test)
  expected = affine(z)
  double = {'dtype': tf.float64}
  optimal = transport.BrenierMap(
    transport.ConvexQuadratic(affine.matrix, affine.shift, **double), modulus=0.0
  )
  result = {'brenier_map': unexplained(optimal.forward(z), expected)}
  for steps in (4, 16, 64):
    flow = _quadratic_flow(affine, steps)
    result[f'flow_{steps}_steps'] = unexplained(flow.forward(z), expected)
  for number in (10**4, 10**6, 4 * 10**6):
    drawn = [_of_samples(end, number, random) for end in ends]
    mapped = drawn[0].optimal_map(drawn[1])(z)
    result[f'moments_of_{number}_samples'] = unexplained(mapped, expected)
  return result


def _gaussian(event_size: int, random: np.random.Generator) -> transport.Gaussian:
  turn = np.linalg.qr(random.normal(size=(event_size, event_size)))[0]
  spread = turn * 4.0 ** random.uniform(-1, 1, size=event_size) @ turn.T
  return transport.Gaussian(random.normal(size=event_size), spread)


def _of_samples(
  end: transport.Gaussian, number: int, random: np.random.Generator
) -> transport.Gaussian:
  """The Gaussian of the moments of so many samples, drawn in blocks."""
  factor, size = np.linalg.cholesky(end.covariance), len(end.mean)
  total, squares = np.zeros(size), np.zeros([size, size])
  for _ in range(number // BLOCK):
    x = random.normal(size=(BLOCK, size)) @ factor.T  # Less the mean, so that nothing cancels.
    total, squares = total + np.sum(x, axis=0), squares + x.T @ x
  shift = total / number
  covariance = (squares - number * np.outer(shift, shift)) / (number - 1)
  return transport.Gaussian(end.mean + shift, covariance)


def _quadratic_flow(affine: transport.AffineMap, steps: int) -> Any:
  """x(1) = A z + b: dx/dt = L x + c with L = ln A and (e^L - 1) L^-1 c = b."""
  logarithm = scipy.linalg.logm(affine.matrix).real
  size = len(affine.shift)
  whole = np.block([[logarithm, np.eye(size)], [np.zeros((size, 2 * size))]])
  integral = scipy.linalg.expm(whole)[:size, size:]
  force = np.linalg.solve(integral, affine.shift)
  potential = potentials.Quadratic(logarithm, tf.float64, force[np.newaxis])
  potential = potential.given(tf.ones([1], tf.float64))
  return ma_keras.MongeAmpereBijector(potential, steps, 1.0 / steps)


def truth(event_size: int, kind: str) -> dict[str, Any]:
  """A map learned from fresh samples of P and Q, against the known one."""
  problem = convex_truth.problem(event_size, kind, FLAGS.seed)
  z = problem.source.sample(FLAGS.test, seed=[FLAGS.seed, 1])
  x = problem.target.sample(FLAGS.test, seed=[FLAGS.seed, 2])
  start = transport.start_from_moments(z, x, FLAGS.hidden_units, steepness=3.0, seed=FLAGS.seed)
  affine = transport.Gaussian.of_samples(z).optimal_map(transport.Gaussian.of_samples(x))
  trained, seconds, unsolved = _trained(start, problem.source, problem.target)
  z = problem.source.sample(FLAGS.test, seed=[FLAGS.seed, 3])
  x = problem.target.sample(FLAGS.test, seed=[FLAGS.seed, 4])
  expected = problem.optimal.forward(z)
  return {
    'unexplained': unexplained(trained.forward(z), expected),
    'unexplained_inverse': unexplained(trained.inverse(expected), z),
    'unexplained_by_the_affine_map': unexplained(affine(z), expected),
    'unexplained_by_the_identity': unexplained(z, expected),
    'squared_distance': float(np.mean(np.sum((expected - z) ** 2, axis=1))),
    'bound': str(transport.dual_bound(trained, z, x)),
    'unsolved': unsolved,
    'seconds': seconds,
    'parameters': _parameters(trained),
  }


def _trained(
  optimal: transport.BrenierMap, source: Any, target: Any
) -> tuple[transport.BrenierMap, float, float]:
  """The map after training on fresh samples, seconds, and the share of unsolved inverses."""
  model = training.KantorovichDual(optimal, seed=FLAGS.seed)
  warmup = min(100, FLAGS.steps // 10)
  model.compile(training.adam(FLAGS.learning_rate, FLAGS.steps, warmup), jit_compile=False)
  start = time.process_time()
  history = model.fit(
    (source, target),
    batch_size=FLAGS.batch_size,
    steps_per_epoch=FLAGS.steps // 10,
    epochs=10,
    verbose=2,
  ).history
  return optimal, time.process_time() - start, float(np.mean(history['unsolved']))


def _parameters(optimal: transport.BrenierMap) -> int:
  return int(sum(np.prod(variable.shape) for variable in optimal.trainable_variables))


def inverse(event_size: int) -> dict[str, Any]:
  """A map and a flow of H units each, there and back in float64."""
  z = np.random.default_rng(FLAGS.seed).normal(size=(FLAGS.points, event_size))
  layer = transport.ConvexLayer(event_size, FLAGS.hidden_units, dtype=tf.float64, seed=FLAGS.seed)
  layer.start_at_samples(np.random.default_rng(1).normal(size=(1000, event_size)), 2.0, 1.0)
  phi = potentials.OneHiddenLayer(event_size, FLAGS.hidden_units, dtype=tf.float64, seed=FLAGS.seed)
  phi.amplitude.assign(10 * phi.amplitude)
  maps = {
    'brenier_map': transport.BrenierMap(layer),
    'flow_100_rk4_steps': ma_keras.MongeAmpereBijector(phi, 100, 0.01),
  }
  return {name: _there_and_back(bijector, z) for name, bijector in maps.items()}


def _there_and_back(bijector: Any, z: np.ndarray) -> dict[str, float]:
  x = bijector.forward(z).numpy()
  inverse = tf.function(lambda x: bijector.inverse(x))
  again, seconds = _timed(lambda: inverse(tf.constant(x)))
  density = tf.function(lambda x: bijector.inverse_log_det_jacobian(x, 1))
  _, with_log_det = _timed(lambda: density(tf.constant(x)))
  return {
    'round_trip': float(np.max(np.abs(again - z))),
    'displacement': float(np.sqrt(np.mean((x - z) ** 2))),
    'seconds': seconds,
    'seconds_with_log_det': with_log_det,
  }


def _timed(compute: Callable[[], tf.Tensor]) -> tuple[np.ndarray, float]:
  """The result and the least seconds of a core, of three calls after the first."""
  result, times = compute().numpy(), []
  for _ in range(3):
    start = time.process_time()
    compute().numpy()
    times.append(time.process_time() - start)
  return result, min(times)


def main(argv: list[str]) -> None:
  """Prints the results and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  tf.config.threading.set_intra_op_parallelism_threads(FLAGS.threads)
  tf.config.threading.set_inter_op_parallelism_threads(FLAGS.threads)
  results: dict[str, Any] = {}
  for size in FLAGS.event_size:
    if FLAGS.task == 'truth':
      found = {kind: truth(size, kind) for kind in FLAGS.kind}
    else:
      found = {'gaussians': gaussians, 'inverse': inverse}[FLAGS.task](size)
    results[str(size)] = found
    print(size, found, flush=True)
    report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
