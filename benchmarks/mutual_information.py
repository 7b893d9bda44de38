"""Mutual information from densities of flows, on problems whose value is exact.

  python benchmarks/mutual_information.py --samples=samples --output=mutual_information.json

I(X; Y) = E[ln q(y | x) - ln q(y)] over held-out pairs, both densities learnt from other ones: a
conditional flow with a network of x, and a flow without context. Every coordinate is brought to
nearly normal scores by a monotone map through some quantiles of the training pairs, which changes
no information. The value is too small by E KL(p(y | x), q) and too large by KL(p(y), q): the pairs
of training are seen once, so that neither is over-fitted. `samples` are those that
mutual_information_samples.py writes.
"""

from __future__ import annotations

import pathlib
import time
from typing import Any

import numpy as np
import report
import scipy.interpolate
import scipy.special
import tensorflow as tf
import tf_keras
from absl import app, flags

import ma_keras
from ma_keras import information, potentials, training

FLAGS = flags.FLAGS
flags.DEFINE_string('samples', None, 'Folder of .npz files.', required=True)
flags.DEFINE_list('only', None, 'Which tasks; all in the folder by default.')
flags.DEFINE_integer('steps', 1500, 'Training steps of the conditional density.', lower_bound=10)
flags.DEFINE_integer('marginal_steps', 700, 'Training steps of the marginal.', lower_bound=10)
flags.DEFINE_integer('batch_size', 256, 'B.', lower_bound=1)
flags.DEFINE_integer('hidden_units', 64, 'H of the flow and of the network.', lower_bound=1)
flags.DEFINE_integer('features', 16, 'Outputs of the network of x.', lower_bound=1)
flags.DEFINE_integer('basis_size', 4, 'Functions of time.', lower_bound=1)
flags.DEFINE_integer('num_steps', 10, 'RK4 steps.', lower_bound=1)
flags.DEFINE_float('learning_rate', 0.01, 'Peak rate of Adam.')
flags.DEFINE_float('stiffness', 0.1, "Weight of the solver's error.")
flags.DEFINE_integer('seed', 0, 'Of first weights.', lower_bound=0)
flags.DEFINE_string('output', None, 'JSON file for the results.')

QUANTILES = scipy.special.ndtr(np.linspace(-3.0, 3.0, 25))


def normal_scores(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Both sets by the same monotone map of every coordinate, made of the first."""
  columns = [_scores(*pair) for pair in zip(train.T, test.T)]
  return tuple(np.stack(parts, axis=-1) for parts in zip(*columns))  # type: ignore[return-value]


def _scores(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  scale = np.median(np.abs(train - np.median(train)))
  train, test = (np.arcsinh((part - np.median(train)) / scale) for part in (train, test))
  knots, ends = np.quantile(train, QUANTILES), scipy.special.ndtri(QUANTILES)
  inside = scipy.interpolate.PchipInterpolator(knots, ends)
  low, high = ((ends[k + 1] - ends[k]) / (knots[k + 1] - knots[k]) for k in (0, -2))

  def scores(values: np.ndarray) -> np.ndarray:
    clipped = np.clip(values, knots[0], knots[-1])
    return (
      inside(clipped)
      + low * np.minimum(values - knots[0], 0)
      + high * np.maximum(values - knots[-1], 0)
    )

  return scores(train), scores(test)


def encoder(size: int) -> tf_keras.Model:
  """x itself, and features of it."""
  inputs = tf_keras.Input((size,))
  hidden = inputs
  for _ in range(2):
    hidden = tf_keras.layers.Dense(FLAGS.hidden_units, 'silu')(hidden)
  features = tf_keras.layers.Dense(FLAGS.features)(hidden)
  return tf_keras.Model(inputs, tf_keras.layers.Concatenate()([inputs, features]))


def flow(size: int, context_size: int | None) -> ma_keras.MongeAmpereBijector:
  """A quadratic potential, which a normal density needs, and a hidden layer."""
  kernel = None if context_size is None else np.zeros([context_size, size])
  quadratic = potentials.Quadratic(np.zeros([size, size]), tf.float32, context_kernel=kernel)
  layer = potentials.OneHiddenLayer(
    size,
    FLAGS.hidden_units,
    context_size=context_size,
    time_basis=potentials.TimeBasis(1.0, FLAGS.basis_size),
    seed=FLAGS.seed,
  )
  return ma_keras.MongeAmpereBijector(quadratic + layer, FLAGS.num_steps, 1.0 / FLAGS.num_steps)


def fit(model: Any, rows: Any, steps: int) -> None:
  """Trains on as many rows as the steps take, each once."""
  model.compile(training.adam(FLAGS.learning_rate, steps, steps // 20, 1.0), jit_compile=True)
  model.fit(rows, batch_size=FLAGS.batch_size, epochs=1, verbose=0)


def measured(x: np.ndarray, y: np.ndarray, held_out: int) -> dict[str, Any]:
  """The estimate, at the steps of training and at twice as many."""
  tf_keras.utils.set_random_seed(FLAGS.seed)
  x, x_test = normal_scores(x[:-held_out], x[-held_out:])
  y, y_test = normal_scores(y[:-held_out], y[-held_out:])
  size, penalties = y.shape[-1], {'stiffness': FLAGS.stiffness}
  context_size = x.shape[-1] + FLAGS.features
  conditional = training.ConditionalLikelihood(
    flow(size, context_size), encoder(x.shape[-1]), seed=FLAGS.seed, penalties=penalties
  )
  rows = FLAGS.steps * FLAGS.batch_size
  fit(conditional, (x[:rows], y[:rows]), FLAGS.steps)
  marginal = training.MaximumLikelihood(flow(size, None), seed=FLAGS.seed, penalties=penalties)
  fit(marginal, y[: FLAGS.marginal_steps * FLAGS.batch_size], FLAGS.marginal_steps)
  estimates = []
  for factor in (1, 2):
    given, alone = (model.density() for model in (conditional, marginal))
    given, alone = (
      one.copy(bijector=one.bijector.in_equal_steps(factor)) for one in (given, alone)
    )
    options = given.bijector_options(tf.constant(x_test, tf.float32))
    points = tf.constant(y_test, tf.float32)
    log_probs = given.log_prob(points, bijector_kwargs=options), alone.log_prob(points)
    estimates.append(information.mutual_information(*log_probs))
  return {
    'nats': estimates[1].nats,
    'error': estimates[1].error,
    'change_on_halving_steps': estimates[1].nats - estimates[0].nats,
    'marginal_gain_on_normal': float(
      np.mean(alone.log_prob(points) - alone.distribution.log_prob(points))
    ),
  }


def main(_: list[str]) -> None:
  """Prints and writes a row a task."""
  tf.config.threading.set_intra_op_parallelism_threads(1)
  tf.config.threading.set_inter_op_parallelism_threads(1)
  results = {}
  for path in sorted(pathlib.Path(FLAGS.samples).glob('*.npz')):
    if FLAGS.only and path.stem not in FLAGS.only:
      continue
    with np.load(path) as file:
      task = dict(file)
    start, busy = time.perf_counter(), time.process_time()
    # The side with fewer coordinates is y, whose density is learnt.
    x, y = sorted((task['x'], task['y']), key=lambda part: -part.shape[-1])
    row = measured(x, y, int(task['held_out']))
    exact = float(task['exact'])
    results[path.stem] = row = {
      'exact': exact,
      **row,
      'errors_off': (row['nats'] - exact) / row['error'],
      'seconds': time.perf_counter() - start,
      'cpu_seconds': time.process_time() - busy,
    }
    print(path.stem, {name: round(value, 4) for name, value in row.items()}, flush=True)
    report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
