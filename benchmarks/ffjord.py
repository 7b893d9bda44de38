"""One training step against TFP's FFJORD, at equal accuracy of the log density.

  python benchmarks/ffjord.py --output=ffjord.json

The same velocity grad phi, N = 64, one negative log likelihood and its gradient by the potential's
variables. FFJORD knows a velocity only: its exact trace takes N products with the Jacobian, its
Hutchinson trace one, with noise of its own. Our number of steps is the least whose log densities
are no further from those of many steps than FFJORD's are.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import report
import tensorflow as tf
import tensorflow_probability as tfp
from absl import app, flags

import ma_keras

FLAGS = flags.FLAGS
flags.DEFINE_integer('event_size', 64, 'N.', lower_bound=1)
flags.DEFINE_integer('hidden_units', 128, 'H.', lower_bound=1)
flags.DEFINE_integer('batch_size', 64, 'B.', lower_bound=1)
flags.DEFINE_integer('rounds', 5, 'Timed rounds.', lower_bound=1)
flags.DEFINE_string('output', None, 'JSON file for the results.')

TIME = 1.0


def potential() -> ma_keras.potentials.OneHiddenLayer:
  """A flow that changes the density by a few nats."""
  made = ma_keras.potentials.OneHiddenLayer(FLAGS.event_size, FLAGS.hidden_units, seed=0)
  rng = np.random.default_rng(0)
  made.amplitude.assign(10.0 * rng.normal(size=FLAGS.hidden_units) / FLAGS.hidden_units**0.5)
  return made


def ffjord(phi: ma_keras.potentials.Potential, trace: Callable[..., tf.Tensor]) -> object:
  """The same flow as TFP's bijector, with its default solver and tolerances."""
  ode = lambda t, x, **_: phi.gradient(t, x)  # noqa: E731
  return tfp.bijectors.FFJORD(
    ode, ode_solve_fn=_solve, trace_augmentation_fn=trace, initial_time=0.0, final_time=TIME
  )


def _solve(
  ode_fn: Callable,
  initial_time: tf.Tensor,
  initial_state: tf.Tensor,
  solution_times: object,
  **kwargs: object,
) -> object:
  solver = tfp.math.ode.DormandPrince()
  return solver.solve(ode_fn, initial_time, initial_state, solution_times, **kwargs)


def log_prob(bijector: object, x: tf.Tensor) -> tf.Tensor:
  """ln p of the standard normal pushed along the bijector."""
  base = tfp.distributions.Sample(tfp.distributions.Normal(0.0, 1.0), FLAGS.event_size)
  return tfp.distributions.TransformedDistribution(base, bijector).log_prob(x)


def step_seconds(bijector: object, phi: ma_keras.potentials.Potential, x: tf.Tensor) -> float:
  """Median seconds of one step; the first compiles."""

  @tf.function
  def step(x: tf.Tensor) -> list[tf.Tensor]:
    with tf.GradientTape() as tape:
      loss = -tf.reduce_mean(log_prob(bijector, x))
    return tape.gradient(loss, phi.trainable_variables)

  times = []
  for _ in range(FLAGS.rounds + 1):
    start = time.perf_counter()
    for gradient in step(x):
      gradient.numpy()
    times.append(time.perf_counter() - start)
  return float(np.median(times[1:]))


def steps_for(
  phi: ma_keras.potentials.Potential, x: tf.Tensor, exact: tf.Tensor, error: float
) -> int:
  """The least d whose log densities are within `error` of the exact ones, on average."""
  for d in range(1, 200):
    found = log_prob(ma_keras.MongeAmpereBijector(phi, d, TIME / d), x)
    if float(tf.reduce_mean(tf.abs(found - exact))) <= error:
      return d
  raise ValueError(f'`error` {error} is not reached in 200 steps.')


def main(argv: list[str]) -> None:
  """Prints the table and writes the JSON."""
  if len(argv) > 1:
    raise app.UsageError(f'Unknown arguments {argv[1:]}: flags start with --.')
  phi = potential()
  x = tf.random.stateless_normal([FLAGS.batch_size, FLAGS.event_size], [1, 2])
  exact = log_prob(ma_keras.MongeAmpereBijector(phi, 200, TIME / 200), x)
  theirs = ffjord(phi, tfp.bijectors.ffjord.trace_jacobian_exact)
  noisy = ffjord(phi, tfp.bijectors.ffjord.trace_jacobian_hutchinson)
  errors = {
    name: float(tf.reduce_mean(tf.abs(tf.function(log_prob)(b, x) - exact)))
    for name, b in (('FFJORD, exact trace', theirs), ('FFJORD, Hutchinson', noisy))
  }
  # float32 log densities agree to some 1e-5: nobody is asked for more than that.
  d = steps_for(phi, x, exact, max(errors['FFJORD, exact trace'], 2e-5))
  ours = ma_keras.MongeAmpereBijector(phi, d, TIME / d)
  errors['ours'] = float(tf.reduce_mean(tf.abs(log_prob(ours, x) - exact)))
  seconds = {
    name: step_seconds(bijector, phi, x)
    for name, bijector in (
      ('ours', ours),
      ('FFJORD, exact trace', theirs),
      ('FFJORD, Hutchinson', noisy),
    )
  }
  print(f'{"":22s} {"step s":>9s} {"x ours":>8s} {"error, nats":>12s}   (ours: d = {d})')
  for name, value in seconds.items():
    print(f'{name:22s} {value:9.4f} {value / seconds["ours"]:8.1f} {errors[name]:12.2g}')
  report.write(FLAGS.output, {'num_steps': d, 'seconds': seconds, 'errors': errors})


if __name__ == '__main__':
  app.run(main)
