"""Straight flows in the plane: what straightness costs in likelihood, and what it saves in steps.

  python benchmarks/transport_flows.py --output=transport_flows.json

One potential, one schedule, fresh samples at every step; trained without penalties, and with
kinetic energy and Hamilton-Jacobi residual. For both: the test likelihood in refined steps, path
energy over the exact discrete W2^2 of the two ends, and the least number of RK4 steps whose mean
likelihood is within 0.01 nats of the refined one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import report
import sklearn.datasets
import tensorflow as tf
from absl import app, flags

import ma_keras
from ma_keras import training, transport
from ma_keras.training.halving import Scorer

FLAGS = flags.FLAGS
flags.DEFINE_list('only', None, 'Which problems; all by default.')
flags.DEFINE_float('kinetic', 0.02, 'Weight of the kinetic energy.', lower_bound=0.0)
flags.DEFINE_float('hamilton_jacobi', 0.01, 'Weight of the residual.', lower_bound=0.0)
flags.DEFINE_float('stiffness', 0.3, "Weight of the solver's error, with the other two.")
flags.DEFINE_integer('num_steps', 4, 'RK4 steps of the straight flow in training.', lower_bound=1)
flags.DEFINE_integer('free_steps', 16, 'RK4 steps of the free flow in training.', lower_bound=1)
flags.DEFINE_integer('hidden_units', 128, 'Hidden units.', lower_bound=1)
flags.DEFINE_integer('basis_size', 4, 'Functions of time.', lower_bound=1)
flags.DEFINE_integer('iterations', 4000, 'Training steps.', lower_bound=1)
flags.DEFINE_integer('batch_size', 1024, 'B.', lower_bound=1)
flags.DEFINE_float('learning_rate', 1e-2, 'Peak rate.')
flags.DEFINE_integer('test_points', 40_000, 'Test points.', lower_bound=100)
flags.DEFINE_integer('seed', 0, 'Names every random number.', lower_bound=0)
flags.DEFINE_integer('threads', 1, 'Threads.', lower_bound=1)
flags.DEFINE_string('output', None, 'JSON file for the results.')

REFINED = 96  # Steps whose likelihood is taken for exact.
TOLERANCE = 0.01  # Nats.
DEPTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)
CLOUD = 2000  # Points of a discrete transport.

BOUNDS = ('lower', 'debiased', 'upper')  # Of W2^2, each with its error.

Sample = Callable[[int, np.random.Generator], np.ndarray]


def eight_gaussians(n: int, random: np.random.Generator) -> np.ndarray:
  """Eight modes of deviation 0.35 on a circle of radius 2.8, as FFJORD and OT-Flow have them."""
  angles = np.pi / 4 * random.integers(8, size=n)
  centres = 4.0 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
  return (centres + 0.5 * random.normal(size=(n, 2))) / np.sqrt(2)


def checkerboard(n: int, random: np.random.Generator) -> np.ndarray:
  """Eight squares of side 2 within [-4, 4]^2, uniform: an entropy of ln 32."""
  x = random.uniform(-2, 2, size=n)
  y = random.uniform(size=n) - 2 * random.integers(2, size=n) + np.floor(x) % 2
  return 2 * np.stack([x, y], axis=1)


def moons(n: int, random: np.random.Generator) -> np.ndarray:
  """Two half circles with noise of 0.1, twice as large as scikit-learn's."""
  seed = int(random.integers(2**31))
  points = sklearn.datasets.make_moons(n, noise=0.1, random_state=seed)[0]
  return points * 2 + [-1.0, -0.2]


PROBLEMS: dict[str, Sample] = {
  'eight_gaussians': eight_gaussians,
  'checkerboard': checkerboard,
  'moons': moons,
}


def trained(sample: Sample, num_steps: int, penalties: dict[str, float]) -> Any:
  """The flow after training, and its seconds by the clock and of the processor."""
  potential = ma_keras.potentials.OneHiddenLayer(
    2,
    FLAGS.hidden_units,
    seed=FLAGS.seed,
    time_basis=ma_keras.potentials.TimeBasis(1.0, FLAGS.basis_size),
  )
  potential.kernel.assign(2.0 * potential.kernel)
  assert potential.bias is not None
  potential.bias.assign(2.0 * np.random.default_rng(FLAGS.seed).normal(size=FLAGS.hidden_units))
  bijector = ma_keras.MongeAmpereBijector(potential, num_steps, 1.0 / num_steps)
  model = training.MaximumLikelihood(bijector, seed=FLAGS.seed, penalties=penalties)
  model.compile(
    training.adam(FLAGS.learning_rate, FLAGS.iterations, FLAGS.iterations // 20, 1.0),
    jit_compile=True,
    steps_per_execution=20,
  )
  random = np.random.default_rng([FLAGS.seed, 1])

  def batches() -> Any:
    while True:
      yield sample(FLAGS.batch_size, random).astype(np.float32)

  start, busy = time.perf_counter(), time.process_time()
  per_epoch = max(FLAGS.iterations // 10, 1)
  epochs = FLAGS.iterations // per_epoch
  model.fit(batches(), epochs=epochs, steps_per_epoch=per_epoch, verbose=2)
  return model, (time.perf_counter() - start, time.process_time() - busy)


def measured(model: Any, sample: Sample) -> dict[str, Any]:
  """Likelihood, steps and cost of a trained flow."""
  random = np.random.default_rng([FLAGS.seed, 2])
  x = sample(FLAGS.test_points, random).astype(np.float32)
  scorer = Scorer(model.bijector, 4000)
  exact = scorer(x, REFINED)
  errors = {}
  for depth in DEPTHS:
    difference = scorer(x, depth) - exact
    errors[depth] = [abs(float(np.mean(difference))), float(np.sqrt(np.mean(difference**2)))]
    if errors[depth][0] <= TOLERANCE:
      break
  needed = next((depth for depth, pair in errors.items() if pair[0] <= TOLERANCE), None)
  fine = model.bijector.copy(num_steps=32, step_size=1 / 32)
  cost = transport.transport_cost(fine, 4 * CLOUD, CLOUD, FLAGS.seed)
  return {
    'nll': -float(np.mean(exact)),
    'nll_error': float(np.std(exact) / np.sqrt(len(exact))),
    'log_prob': exact,
    'steps_needed': needed,
    'mean and root mean square error by steps': errors,
    'cost': cost,
  }


def solved(name: str) -> dict[str, Any]:
  """Both flows of a problem, side by side."""
  sample = PROBLEMS[name]
  straight_penalties = {
    'kinetic': FLAGS.kinetic,
    'hamilton_jacobi': FLAGS.hamilton_jacobi,
    'stiffness': FLAGS.stiffness,
  }
  random = np.random.default_rng([FLAGS.seed, 3])
  z = random.normal(size=(8 * CLOUD, 2))
  ends = transport.squared_distance(z, sample(8 * CLOUD, random), num_batches=4)
  print(name, ends, flush=True)
  result: dict[str, Any] = {'w2': {name: tuple(getattr(ends, name)) for name in BOUNDS}}
  scores = {}
  for kind, num_steps, penalties in (
    ('free', FLAGS.free_steps, {}),
    ('straight', FLAGS.num_steps, straight_penalties),
  ):
    model, seconds = trained(sample, num_steps, penalties)
    row = measured(model, sample)
    scores[kind], cost = row.pop('log_prob'), row.pop('cost')
    energy = cost.path_energy.value
    row |= {
      'seconds, processor seconds': seconds,
      'parameters': sum(int(np.prod(v.shape)) for v in model.trainable_variables),
      'cost': cost.summary(),
      'energy_over_w2': energy / ends.debiased.value,
      'energy_over_w2_of_its_ends': energy / cost.repaired.value,
    }
    result[kind] = row
    print(name, kind, {key: value for key, value in row.items() if key != 'cost'}, flush=True)
    print(name, kind, cost, flush=True)
  difference = scores['free'] - scores['straight']
  result['nll_difference'] = float(np.mean(difference))
  result['nll_difference_error'] = float(np.std(difference) / np.sqrt(len(difference)))
  print(name, 'straight - free:', result['nll_difference'], '+-', result['nll_difference_error'])
  return result


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
