"""Posteriors from simulations: C2ST against references, and simulation-based calibration.

  python benchmarks/posteriors.py --output=posteriors.json

Neural posterior estimation on three problems of sbibm: a conditional flow is trained on pairs of
the prior and the simulator, a twentieth of which decide which epoch was the best. For every seed:
the classifier two-sample test against draws of the true posterior at some observations, and ranks
of new parameters among draws.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import report
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras
from absl import app, flags

import ma_keras
from ma_keras import posteriors, potentials, training

FLAGS = flags.FLAGS
flags.DEFINE_list('only', None, 'Which problems; all by default.')
flags.DEFINE_integer('simulations', 10_000, 'Pairs to train on.', lower_bound=100)
flags.DEFINE_integer('seeds', 3, 'Trainings of each problem.', lower_bound=1)
flags.DEFINE_integer('observations', 5, 'Posteriors that are compared.', lower_bound=1)
flags.DEFINE_integer('draws', 2000, 'Draws of each posterior.', lower_bound=100)
flags.DEFINE_integer('ranked', 1000, 'Simulations for the calibration.', lower_bound=100)
flags.DEFINE_integer('hidden_units', 256, 'H.', lower_bound=1)
flags.DEFINE_integer('basis_size', 8, 'Functions of time.', lower_bound=1)
flags.DEFINE_integer('num_steps', 20, 'RK4 steps.', lower_bound=1)
flags.DEFINE_integer('epochs', 200, 'Most epochs.', lower_bound=1)
flags.DEFINE_integer(
  'patience', None, 'Epochs without gain that end a training; none: the rate falls to zero.'
)
flags.DEFINE_integer('batch_size', 256, 'B.', lower_bound=1)
flags.DEFINE_float('learning_rate', 1e-2, 'Peak rate.')
flags.DEFINE_float('stiffness', 0.03, "Weight of the solver's error.")
flags.DEFINE_integer('features', 32, 'Outputs of the encoder.', lower_bound=1)
flags.DEFINE_integer('threads', 1, 'Threads.', lower_bound=1)
flags.DEFINE_string('output', None, 'JSON file for the results.')

PROBLEMS: dict[str, posteriors.Simulator] = {
  'gaussian_linear': posteriors.GaussianLinear(),
  'two_moons': posteriors.TwoMoons(),
  'slcp': posteriors.SimpleLikelihood(),
}
REPETITIONS = 4  # An observation of slcp is so many independent points.


def to_data(simulator: posteriors.Simulator, parameters: np.ndarray) -> Any:
  """The bijector from R^N, standardised, to the parameters within their bounds."""
  bounds = tfp.bijectors.Identity()
  if simulator.low is not None:
    bounds = tfp.bijectors.Sigmoid(simulator.low, simulator.high)
  y = bounds.inverse(tf.constant(parameters)).numpy()
  shift, scale = np.mean(y, axis=0), np.std(y, axis=0)
  return tfp.bijectors.Chain([bounds, tfp.bijectors.Shift(shift), tfp.bijectors.Scale(scale)])


def encoder(observed: np.ndarray, repetitions: int = 1) -> tf_keras.Model:
  """Standardised observations through two layers; the mean over repetitions, if there are some."""
  layers, units = tf_keras.layers, FLAGS.hidden_units
  points = observed.reshape(len(observed), repetitions, -1)
  normal = layers.Normalization()
  normal.adapt(points)
  return tf_keras.Sequential(
    [
      layers.Input(observed.shape[1:]),
      layers.Reshape(points.shape[1:]),
      normal,
      layers.Dense(units, 'silu'),
      layers.Dense(units, 'silu'),
      layers.GlobalAveragePooling1D(),
      layers.Dense(units, 'silu'),
      layers.Dense(FLAGS.features),
    ]
  )


def potential(size: int, seed: int) -> potentials.Potential:
  """A force that the context is mapped to, and a hidden layer that it shifts."""
  kernel = 0.01 * np.random.default_rng(seed).normal(size=(FLAGS.features, size))
  linear = potentials.Quadratic(np.zeros([size, size]), tf.float32, context_kernel=kernel)
  layer = potentials.OneHiddenLayer(
    size,
    FLAGS.hidden_units,
    context_size=FLAGS.features,
    time_basis=potentials.TimeBasis(1.0, FLAGS.basis_size),
    seed=seed,
  )
  return linear + layer


def trained(simulator: posteriors.Simulator, seed: int) -> tuple[Any, dict[str, Any]]:
  """The posterior as a conditional flow, and what its training took."""
  observed, parameters = simulator.pairs(FLAGS.simulations, np.random.default_rng([seed, 1]))
  tf_keras.utils.set_random_seed(seed)
  bijector = ma_keras.MongeAmpereBijector(
    potential(simulator.num_parameters, seed), FLAGS.num_steps, 1.0 / FLAGS.num_steps
  )
  model = training.ConditionalLikelihood(
    bijector,
    encoder(observed, REPETITIONS if isinstance(simulator, posteriors.SimpleLikelihood) else 1),
    to_data(simulator, parameters),
    seed=seed,
    penalties={'stiffness': FLAGS.stiffness},
  )
  held_out = FLAGS.simulations // 20
  steps = FLAGS.epochs * ((FLAGS.simulations - held_out) // FLAGS.batch_size)
  model.compile(training.adam(FLAGS.learning_rate, steps, steps // 20, 1.0), jit_compile=True)
  start, busy = time.perf_counter(), time.process_time()
  history = model.fit(
    (observed[held_out:], parameters[held_out:]),
    batch_size=FLAGS.batch_size,
    epochs=FLAGS.epochs,
    verbose=0,
    validation_data=(observed[:held_out], parameters[:held_out]),
    callbacks=[
      tf_keras.callbacks.EarlyStopping(
        patience=FLAGS.patience or FLAGS.epochs, restore_best_weights=True
      )
    ],
  ).history
  took = {
    'epochs': len(history['loss']),
    'validation_nats': float(np.min(history['val_loss'])),
    'seconds': time.perf_counter() - start,
    'cpu_seconds': time.process_time() - busy,
    'parameters': int(sum(np.prod(v.shape) for v in model.trainable_variables)),
  }
  return model.density(), took


def measured(simulator: posteriors.Simulator, seed: int) -> dict[str, Any]:
  """C2ST at some observations, and p values of the ranks."""
  flow, row = trained(simulator, seed)
  rng = np.random.default_rng([seed, 2])
  observations, _ = simulator.pairs(FLAGS.observations, rng)
  accuracies = []
  for number, observed in enumerate(observations):
    reference = simulator.posterior(observed, FLAGS.draws, rng)
    draws = flow.given(observed).sample(FLAGS.draws, seed=[seed, number])
    accuracies.append(posteriors.separability(reference, draws, seed).accuracy)
  ranked = simulator.pairs(FLAGS.ranked, rng)
  calibration = posteriors.calibrate(flow, ranked[1], ranked[0], 99, seed)
  return {
    **row,
    'c2st': accuracies,
    'p_values': calibration.p_values().tolist(),
    'calibrated': calibration.passes(),
  }


def main(_: list[str]) -> None:
  """Prints and writes what is measured."""
  tf.config.threading.set_intra_op_parallelism_threads(FLAGS.threads)
  results: dict[str, Any] = {}
  for name in FLAGS.only or PROBLEMS:
    rows = [measured(PROBLEMS[name], seed) for seed in range(FLAGS.seeds)]
    means = [float(np.mean(row['c2st'])) for row in rows]
    results[name] = {
      'c2st': float(np.mean(means)),
      'c2st_error': float(np.std(means, ddof=1) / np.sqrt(len(means))) if len(means) > 1 else None,
      'calibrated': sum(row['calibrated'] for row in rows),
      'trainings': rows,
    }
    print(name, {key: value for key, value in results[name].items()}, flush=True)
  report.write(FLAGS.output, {'problems': results})


if __name__ == '__main__':
  app.run(main)
