"""How far the log densities of a trained model are to be trusted, and at how many steps they are.

  ma-keras certify --model=mnist --n=200 [--input=points.csv]

At points that are read, log_prob in d steps is held against log_prob in 2 d; the change is that of
what `ma-keras score` writes. Without --input samples are drawn, and the log densities that come
with them are certified, and log_prob at them. Exit code 3 if the mean change, its root mean square
or its 95 % quantile exceeds --tolerance, or too many points are in doubt
(docs/robustness.md); the last line names the smallest d, 2 d, 4 d, ... at which all is well.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf
from absl import flags

from ma_keras import Certificate, seeds
from ma_keras.apps import model_app, table_flags
from ma_keras.apps.exit_code import ExitCode, end
from ma_keras.flow import certificate
from ma_keras.saving import model_file
from ma_keras.training.penalties import SMALLER_STEPS

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(model_app)
flags.adopt_module_key_flags(table_flags)
flags.DEFINE_integer('n', 200, 'Points; of --input the first so many.', lower_bound=1)
flags.DEFINE_string('input', None, 'Certify log_prob at these points of a table, not at samples.')
flags.DEFINE_float(
  'tolerance',
  0.1,
  'Largest mean, root mean square and 95 % quantile of the change of ln p on halving the steps, '
  'and largest doubt of a point, in nats.',
  lower_bound=0.0,
)
flags.DEFINE_float(
  'doubted', 0.05, 'Largest share of points in doubt.', lower_bound=0.0, upper_bound=1.0
)

MOST_DOUBLINGS = 6
QUANTILE = 0.95
SCORED, DRAWN = 'log_prob', 'ln p of samples'


def points(model: model_file.Model) -> tf.Tensor:
  """Up to --n rows of --input as points y of R^N, dequantised as `ma-keras score` does."""
  table = table_flags.open_for(FLAGS.input, model)
  print(table.understood, flush=True)
  x = next(table.read(FLAGS.n))
  if model_app.takes_noise(model, table):
    x = model_app.dequantised(x, 0)
  y, log_det = model_app.latents(model, x)
  inside = np.flatnonzero(np.isfinite(np.broadcast_to(log_det, len(x))))  # One for all, if affine.
  if len(inside) < len(x):
    model_app.warn(
      f'{len(x) - len(inside)} of {len(x)} points are left out: outside the support their log '
      'density is -inf in any number of steps.'
    )
  if not inside.size:
    raise ValueError(f'No point of `--input` {FLAGS.input} is in the support of the model.')
  return tf.gather(y, inside)


def latents(model: model_file.Model) -> tf.Tensor:
  """--n draws of the base, [n, N]."""
  seed = seeds.stateless(FLAGS.seed, salt='certify')
  return model.latent_flow().distribution.sample(FLAGS.n, seed=seed)


def certificates(model: model_file.Model, start: tf.Tensor) -> dict[str, Certificate]:
  """Certificates by name, of points y of --input or of samples drawn of latents.

  In R^N: the preprocessing's log-det at a given point does not depend on the steps.
  """
  flow, size = model.latent_flow(), FLAGS.batch_size
  if FLAGS.input is not None:
    return {SCORED: certificate.certify(flow, start, reverse=True, batch_size=size)}
  y = tf.concat(
    [flow.bijector.forward(start[k : k + size]) for k in range(0, len(start), size)], axis=0
  )
  return {
    DRAWN: certificate.certify(flow, start, batch_size=size),
    SCORED: certificate.certify(flow, y, reverse=True, batch_size=size),
  }


def failures(result: Certificate) -> list[str]:
  """Short phrases that name what exceeds --tolerance or --doubted; NaN exceeds everything."""
  values = {
    'mean': abs(result.mean),
    'root mean square': result.root_mean_square,
    '95 % quantile': result.quantile(QUANTILE),
  }
  wrong = [f'{name} {value:.2g}' for name, value in values.items() if not value <= FLAGS.tolerance]
  share = result.doubted(FLAGS.tolerance)
  return wrong + [f'{share:.1%} of the points in doubt'] * (share > FLAGS.doubted)


def described(name: str, result: Certificate, num_steps: int) -> str:
  """One line of what was measured."""
  return (
    f'{name}, {tf.size(result.doubt)} points, {num_steps} steps against {2 * num_steps}: changes '
    f'by {result.mean:+.2g} +- {result.standard_error:.1g} nats on average, '
    f'{result.root_mean_square:.2g} root mean square, {result.quantile(QUANTILE):.2g} at the 95 % '
    f'quantile, {result.quantile(1.0):.2g} at most; {result.doubted(FLAGS.tolerance):.1%} of the '
    f'points are not certified to {FLAGS.tolerance:g} nats; positions move by '
    f'{np.max(result.position_error):.2g}; there and back by {np.max(result.round_trip_error):.2g}.'
  )


def remedy(model: model_file.Model, start: tf.Tensor) -> str:
  """The smallest 2 d, 4 d, ... at which nothing fails, found by trying."""
  bijector = model.bijector
  for k in range(1, MOST_DOUBLINGS + 1):
    finer = dataclasses.replace(model, bijector=bijector.refined(2**k))
    if not any(failures(result) for result in certificates(finer, start).values()):
      return f'use --num_steps={finer.bijector.horizon.num_steps}, the first doubling that passes.'
  most = bijector.horizon.num_steps * 2**MOST_DOUBLINGS
  return f'so it is at {most} steps: train anew {SMALLER_STEPS}.'


def work() -> None:
  """Measures and prints; what is in doubt ends with its own exit code."""
  model = model_app.load()
  start = latents(model) if FLAGS.input is None else points(model)
  results, num_steps = certificates(model, start), model.bijector.horizon.num_steps
  for name, result in results.items():
    print(described(name, result, num_steps), flush=True)
  wrong = [f'{name}: {", ".join(bad)}' for name, c in results.items() if (bad := failures(c))]
  if wrong:
    above = f'above --tolerance={FLAGS.tolerance:g} at {num_steps} steps ({"; ".join(wrong)})'
    end(ExitCode.STOPPED, f'{above}: {remedy(model, start)}')


def main(argv: list[str]) -> None:
  """See `work`."""
  model_app.main(argv, work)
