"""Held-out likelihood of sets of 50 points: a flow that knows no order, and a dense one.

  python benchmarks/exchangeable.py --output=exchangeable.json

Sets of `targets.LatentClusters`, whose log density is known. Both flows start at Normal(0, I) in
100 dimensions, and have the same functions of time, steps, batches and optimiser; the dense one has
ten times the parameters. Weights are those of the epoch that is best on a validation set.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import report
import scipy.stats
import tf_keras
from absl import app, flags

import ma_keras
from ma_keras import potentials, targets, training

FLAGS = flags.FLAGS
flags.DEFINE_integer('train', 4000, 'Sets to train on.', lower_bound=1)
flags.DEFINE_integer('test', 1000, 'Sets held out, and as many for validation.', lower_bound=2)
flags.DEFINE_integer('steps', 3000, 'Steps of the optimiser.', lower_bound=1)
flags.DEFINE_integer('batch', 64, 'Sets of a step.', lower_bound=1)
flags.DEFINE_integer('features', 16, 'K of the set.', lower_bound=1)
flags.DEFINE_integer('hidden_units', 32, 'H of the set.', lower_bound=1)
flags.DEFINE_integer('num_steps', 8, 'Integration steps of T = 1.', lower_bound=1)
flags.DEFINE_integer('seed', 1, 'Names all random numbers.', lower_bound=0)
flags.DEFINE_float('learning_rate', 0.01, 'Peak rate of Adam.', lower_bound=0.0)
flags.DEFINE_float(
  'stiffness', 0.3, 'Weight of the penalty on the error of steps.', lower_bound=0.0
)
flags.DEFINE_multi_string('only', [], 'Names of the flows to train; all by default.')
flags.DEFINE_string('output', None, 'JSON file for the results.')
BASIS_SIZE = 4


def set_potential(target: targets.LatentClusters) -> potentials.Potential:
  """phi of a sum over points."""
  return potentials.ExchangeableSet(
    target.points,
    2,
    FLAGS.features,
    FLAGS.hidden_units,
    time_basis=potentials.TimeBasis(1.0, BASIS_SIZE),
    seed=FLAGS.seed,
  )


def dense_potential(target: targets.LatentClusters) -> potentials.Potential:
  """A hidden layer with ten times as many parameters as the set."""
  size = sum(variable.shape.num_elements() for variable in set_potential(target).variables)
  units = round(10 * size / (target.event_size + 1 + BASIS_SIZE))
  basis = potentials.TimeBasis(1.0, BASIS_SIZE)
  return potentials.OneHiddenLayer(target.event_size, units, time_basis=basis, seed=FLAGS.seed)


FLOWS = {'set': set_potential, 'dense': dense_potential}


def trained(
  potential: potentials.Potential, train: np.ndarray, validation: np.ndarray
) -> tuple[ma_keras.MongeAmpereBijector, dict[str, Any]]:
  """The flow of the best epoch by validation, and seconds."""
  bijector = ma_keras.MongeAmpereBijector(potential, FLAGS.num_steps, 1.0 / FLAGS.num_steps)
  model = training.MaximumLikelihood(
    bijector, seed=FLAGS.seed, penalties={'stiffness': FLAGS.stiffness}
  )
  model.compile(training.adam(FLAGS.learning_rate, FLAGS.steps), jit_compile=True)
  best = tf_keras.callbacks.EarlyStopping(
    'val_loss', patience=10**6, restore_best_weights=True, start_from_epoch=0
  )
  epochs = max(1, FLAGS.steps * FLAGS.batch // len(train))
  wall, processor = time.perf_counter(), time.process_time()
  history = model.fit(
    train,
    validation_data=validation,
    batch_size=FLAGS.batch,
    epochs=epochs,
    callbacks=[best],
    verbose=2,
  )
  return bijector, {
    'epochs': epochs,
    'best epoch': int(np.argmin(history.history['val_loss'])) + 1,
    'seconds': time.perf_counter() - wall,
    'processor seconds': time.process_time() - processor,
  }


def measured(
  bijector: ma_keras.MongeAmpereBijector, target: targets.LatentClusters, test: np.ndarray
) -> dict[str, Any]:
  """Nats above the true density, in the steps of training and in twice as many."""
  exact = -target.energy(test).numpy().astype(np.float64)
  result: dict[str, Any] = {
    'parameters': int(sum(v.shape.num_elements() for v in bijector.variables))
  }
  values = []
  for factor in (1, 2):
    steps = factor * FLAGS.num_steps
    finer = bijector.copy(num_steps=steps, step_size=1.0 / steps)
    flow = ma_keras.standard_normal_flow(finer)
    batches = np.array_split(test, max(1, len(test) // 500))
    values.append(np.concatenate([flow.log_prob(x).numpy() for x in batches]).astype(np.float64))
  gap = exact - values[1]
  result['test nats'] = float(-values[1].mean())
  result['nats above the truth'] = float(gap.mean())
  result['standard error'] = float(gap.std(ddof=1) / np.sqrt(len(gap)))
  result['change on halving the steps'] = float(np.mean(values[1] - values[0]))
  return result


def gaussian(train: np.ndarray, test: np.ndarray) -> float:
  """Test nats of the Gaussian with the mean and the covariance of the training sets."""
  mean, covariance = train.mean(axis=0), np.cov(train, rowvar=False)
  flow = scipy.stats.multivariate_normal(mean, covariance)
  return float(-np.mean(flow.logpdf(test)))


def main(argv: list[str]) -> None:
  """Trains both flows and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  target = targets.LatentClusters()
  sizes = {'train': FLAGS.train, 'validation': FLAGS.test, 'test': FLAGS.test}
  train, validation, test = (
    target.sample(size, seed=[FLAGS.seed, k]).numpy() for k, size in enumerate(sizes.values())
  )
  entropy = float(np.mean(target.energy(test)))
  results: dict[str, Any] = {'true density, nats': entropy, 'Gaussian, nats': gaussian(train, test)}
  for name in FLAGS.only or FLOWS:
    bijector, effort = trained(FLOWS[name](target), train, validation)
    results[name] = {**measured(bijector, target, test), **effort}
    print(name, results[name], flush=True)
  report.write(FLAGS.output, results)


if __name__ == '__main__':
  app.run(main)
