"""Straight flows in the plane: what straightness costs in likelihood, and what it saves in steps.

  python benchmarks/transport_flows.py --output=transport_flows.json

One potential, one schedule, fresh samples at every step; trained without penalties, and with
kinetic energy and Hamilton-Jacobi residual. For both: the test likelihood in refined steps and how
far it is from the exact density's, path energy over the exact discrete W2^2 of the two ends, and
the least number of RK4 steps from which on the mean likelihood is within 0.01 nats of the refined
one.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import report
import tensorflow as tf
from absl import app, flags
from plane import PROBLEMS, Problem

import ma_keras
from ma_keras import potentials, training, transport
from ma_keras.training.halving import Scorer

FLAGS = flags.FLAGS
flags.DEFINE_list('only', None, 'Which problems; all by default.')
flags.DEFINE_float('kinetic', 0.01, 'Weight of the kinetic energy.', lower_bound=0.0)
flags.DEFINE_float('hamilton_jacobi', 0.05, 'Weight of the residual.', lower_bound=0.0)
flags.DEFINE_float('stiffness', 0.3, "Weight of the solver's error, with the other two.")
flags.DEFINE_integer('num_steps', 4, 'RK4 steps of the straight flow in training.', lower_bound=1)
flags.DEFINE_integer('free_steps', 8, 'RK4 steps of the free flow in training.', lower_bound=1)
flags.DEFINE_list('widths', ['64', '64'], 'Hidden layers.')
flags.DEFINE_integer('iterations', 2000, 'Training steps.', lower_bound=1)
flags.DEFINE_integer('batch_size', 512, 'B.', lower_bound=1)
flags.DEFINE_float('learning_rate', 1e-2, 'Peak rate.')
flags.DEFINE_integer('test_points', 40_000, 'Test points.', lower_bound=100)
flags.DEFINE_integer('seed', 0, 'Names every random number.', lower_bound=0)
flags.DEFINE_integer('threads', 1, 'Threads.', lower_bound=1)
flags.DEFINE_string('output', None, 'JSON file for the results.')

REFINED = 64  # Steps whose likelihood is taken for exact.
TOLERANCE = 0.01  # Nats.
DEPTHS = (1, 2, 3, 4, 6, 8, 12)
CLOUD, CLOUDS = 1000, 48  # Points of a discrete transport; transports.

BOUNDS = ('lower', 'debiased', 'upper')  # Of W2^2, each with its error.


def potential() -> potentials.MLP:
  """A network of x and t that bends where data are."""
  widths = tuple(map(int, FLAGS.widths))
  phi = potentials.MLP(2, widths, 'log_cosh', time_dependent=True, seed=FLAGS.seed)
  random = np.random.default_rng(FLAGS.seed)
  phi.kernels[0].assign(phi.kernels[0] * np.array([[2.0], [2.0], [1.0]]))
  phi.biases[0].assign(2.0 * random.normal(size=widths[0]))
  return phi


def trained(problem: Problem, num_steps: int, penalties: dict[str, float]) -> Any:
  """The flow after training, and its seconds by the clock and of the processor."""
  bijector = ma_keras.MongeAmpereBijector(potential(), num_steps, 1.0 / num_steps)
  model = training.MaximumLikelihood(bijector, seed=FLAGS.seed, penalties=penalties)
  model.compile(
    training.adam(FLAGS.learning_rate, FLAGS.iterations, FLAGS.iterations // 20, 1.0),
    jit_compile=True,
    steps_per_execution=20,
  )
  random = np.random.default_rng([FLAGS.seed, 1])
  x = problem.sample(FLAGS.iterations * FLAGS.batch_size, random).astype(np.float32)
  start, busy = time.perf_counter(), time.process_time()
  model.fit(x, batch_size=FLAGS.batch_size, shuffle=False, verbose=2)
  return model, (time.perf_counter() - start, time.process_time() - busy)


def measured(model: Any, problem: Problem) -> dict[str, Any]:
  """Likelihood, steps and cost of a trained flow."""
  random = np.random.default_rng([FLAGS.seed, 2])
  x = problem.sample(FLAGS.test_points, random)
  known = problem.log_prob(x)
  x = x.astype(np.float32)
  scorer = Scorer(model.bijector, 4000)
  exact = scorer(x, REFINED)
  errors = {}
  for depth in DEPTHS:
    difference = scorer(x, depth) - exact
    errors[depth] = [abs(float(np.mean(difference))), float(np.sqrt(np.mean(difference**2)))]
  beyond = [depth for depth, pair in errors.items() if pair[0] > TOLERANCE]
  fine = model.bijector.copy(num_steps=32, step_size=1 / 32)
  cost = transport.transport_cost(fine, 16 * CLOUD, CLOUD, FLAGS.seed)
  return {
    'nll': -float(np.mean(exact)),
    'nll_error': float(np.std(exact) / np.sqrt(len(exact))),
    'divergence': _mean(known - exact),
    'log_prob': exact,
    'steps_needed': min((d for d in DEPTHS if d > max(beyond, default=0)), default=None),
    'mean and root mean square error by steps': errors,
    'cost': cost,
  }


def solved(name: str) -> dict[str, Any]:
  """Both flows of a problem, side by side."""
  problem = PROBLEMS[name]
  straight_penalties = {
    'kinetic': FLAGS.kinetic,
    'hamilton_jacobi': FLAGS.hamilton_jacobi,
    'stiffness': FLAGS.stiffness,
  }
  random = np.random.default_rng([FLAGS.seed, 3])
  z = random.normal(size=(CLOUDS * CLOUD, 2))
  x = problem.sample(CLOUDS * CLOUD, random)
  ends = transport.squared_distance(z, x, num_batches=CLOUDS // 2)
  print(name, ends, flush=True)
  result: dict[str, Any] = {'w2': {name: tuple(getattr(ends, name)) for name in BOUNDS}}
  scores = {}
  for kind, num_steps, penalties in (
    ('free', FLAGS.free_steps, {}),
    ('straight', FLAGS.num_steps, straight_penalties),
  ):
    model, seconds = trained(problem, num_steps, penalties)
    row = measured(model, problem)
    scores[kind], cost = row.pop('log_prob'), row.pop('cost')
    energy = cost.path_energy.value
    row |= {
      'seconds, processor seconds': seconds,
      'parameters': sum(int(np.prod(v.shape)) for v in model.trainable_variables),
      'cost': cost.summary(),
      'energy_over_w2': energy / ends.debiased.value,
      'energy_over_w2_of_clouds': energy / ends.upper.value,
      'energy_over_w2_of_its_ends': energy / cost.repaired.value,
    }
    result[kind] = row
    print(name, kind, {key: value for key, value in row.items() if key != 'cost'}, flush=True)
    print(name, kind, cost, flush=True)
  result['nll_difference'] = _mean(scores['free'] - scores['straight'])
  print(name, 'straight - free:', result['nll_difference'], flush=True)
  return result


def _mean(values: np.ndarray) -> tuple[float, float]:
  """The mean and its standard error."""
  return float(np.mean(values)), float(np.std(values) / np.sqrt(len(values)))


def main(argv: list[str]) -> None:
  """Prints a line for every flow and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  tf.config.threading.set_intra_op_parallelism_threads(FLAGS.threads)
  tf.config.threading.set_inter_op_parallelism_threads(FLAGS.threads)
  results: dict[str, Any] = {}
  for name in FLAGS.only or PROBLEMS:
    results[name] = solved(name)
    report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
