"""How far the log densities of a trained model are to be trusted, and at how many steps they are.

At points that are read, log_prob in d steps is held against log_prob in 2 d; the change is that of
what `ma-keras score` writes. Without them samples are drawn, and the log densities that come with
them are certified, and log_prob at them.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from ma_keras import Certificate, seeds
from ma_keras.apps import model_app, table_input
from ma_keras.apps.configuration.certify import CertifyConfig
from ma_keras.apps.exit_code import ExitCode, end
from ma_keras.flow import certificate
from ma_keras.saving import model_file
from ma_keras.training.penalties import SMALLER_STEPS

MOST_DOUBLINGS = 6
QUANTILE = 0.95
SCORED, DRAWN = 'log_prob', 'ln p of samples'


def points(model: model_file.Model, config: CertifyConfig) -> tf.Tensor:
  """Up to --n rows of --input as points y of R^N, dequantised as `ma-keras score` does.

  Of a conditional density they are rows [o, y], [n, O + N].
  """
  assert config.input is not None
  table = table_input.open_for(config.input, model, config)
  print(table.understood, flush=True)
  contexts, x = model_app.parts(model, next(table.read(config.n)))
  if model_app.takes_noise(model, table):
    x = model_app.dequantised(x, 0, config.seed)
  y, log_det = model_app.latents(model, x)
  inside = np.flatnonzero(np.isfinite(np.broadcast_to(log_det, len(x))))  # One for all, if affine.
  if len(inside) < len(x):
    model_app.warn(
      f'{len(x) - len(inside)} of {len(x)} points are left out: outside the support their log '
      'density is -inf in any number of steps.'
    )
  if not inside.size:
    raise ValueError(f'No point of `--input` {config.input} is in the support of the model.')
  y = tf.gather(y, inside)
  return tf.concat([tf.cast(contexts[inside], y.dtype), y], axis=-1) if model.contexts else y


def latents(model: model_file.Model, config: CertifyConfig) -> tf.Tensor:
  """--n draws of the base, [n, N]."""
  seed = seeds.stateless(config.seed, salt='certify')
  return model.latent_flow().distribution.sample(config.n, seed=seed)


def certificates(
  model: model_file.Model, start: tf.Tensor, config: CertifyConfig
) -> dict[str, Certificate]:
  """Certificates by name, of points y of --input or of samples drawn of latents.

  In R^N: the preprocessing's log-det at a given point does not depend on the steps.
  """
  if model.contexts:  # Every row has one of its own: they are flowed at once.
    contexts, y = model_app.parts(model, start.numpy())
    flow = model_app.given(model, contexts).latent_flow()
    return {SCORED: certificate.certify(flow, y, reverse=True)}
  flow, size = model.latent_flow(), config.batch_size
  if config.input is not None:
    return {SCORED: certificate.certify(flow, start, reverse=True, batch_size=size)}
  y = tf.concat(
    [flow.bijector.forward(start[k : k + size]) for k in range(0, len(start), size)], axis=0
  )
  return {
    DRAWN: certificate.certify(flow, start, batch_size=size),
    SCORED: certificate.certify(flow, y, reverse=True, batch_size=size),
  }


def failures(result: Certificate, config: CertifyConfig) -> list[str]:
  """Short phrases that name what exceeds --tolerance or --doubted; NaN exceeds everything."""
  values = {
    'mean': abs(result.mean),
    'root mean square': result.root_mean_square,
    '95 % quantile': result.quantile(QUANTILE),
  }
  wrong = [f'{name} {value:.2g}' for name, value in values.items() if not value <= config.tolerance]
  share = result.doubted(config.tolerance)
  return wrong + [f'{share:.1%} of the points in doubt'] * (share > config.doubted)


def described(name: str, result: Certificate, num_steps: int, tolerance: float) -> str:
  """One line of what was measured."""
  return (
    f'{name}, {tf.size(result.doubt)} points, {num_steps} steps against {2 * num_steps}: changes '
    f'by {result.mean:+.2g} +- {result.standard_error:.1g} nats on average, '
    f'{result.root_mean_square:.2g} root mean square, {result.quantile(QUANTILE):.2g} at the 95 % '
    f'quantile, {result.quantile(1.0):.2g} at most; {result.doubted(tolerance):.1%} of the '
    f'points are not certified to {tolerance:g} nats; positions move by '
    f'{np.max(result.position_error):.2g}; there and back by {np.max(result.round_trip_error):.2g}.'
  )


def remedy(model: model_file.Model, start: tf.Tensor, config: CertifyConfig) -> str:
  """The smallest 2 d, 4 d, ... at which nothing fails, found by trying."""
  bijector = model.bijector
  for k in range(1, MOST_DOUBLINGS + 1):
    finer = dataclasses.replace(model, bijector=bijector.refined(2**k))
    if not any(failures(result, config) for result in certificates(finer, start, config).values()):
      return f'use --num_steps={finer.bijector.horizon.num_steps}, the first doubling that passes.'
  most = bijector.horizon.num_steps * 2**MOST_DOUBLINGS
  return f'so it is at {most} steps: train anew {SMALLER_STEPS}.'


def work(config: CertifyConfig) -> None:
  """Measures and prints; what is in doubt ends with its own exit code."""
  model = model_app.load(config)
  model_app.check_steps(model, config)
  model_app.check_contexts(model, config)
  if config.input is None:
    model_app.check_unconditional(model, config, 'certify it at rows of a table by --input')
  start = latents(model, config) if config.input is None else points(model, config)
  results, num_steps = certificates(model, start, config), model.bijector.horizon.num_steps
  for name, result in results.items():
    print(described(name, result, num_steps, config.tolerance), flush=True)
  failing = {name: failures(result, config) for name, result in results.items()}
  wrong = [f'{name}: {", ".join(phrases)}' for name, phrases in failing.items() if phrases]
  if wrong:
    above = f'above --tolerance={config.tolerance:g} at {num_steps} steps ({"; ".join(wrong)})'
    end(ExitCode.STOPPED, f'{above}: {remedy(model, start, config)}')


def main(config: CertifyConfig) -> None:
  """See `work`."""
  model_app.main(config, work)
