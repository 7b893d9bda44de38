"""SavedModel export: a trained flow that bare TensorFlow can run."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras import distributions
from ma_keras.distributions import conditions
from ma_keras.files.disk_errors import disk_errors
from ma_keras.files.replacing import replacing_folder
from ma_keras.saving import tensorflow_serving

Function = Callable[..., dict[str, tf.Tensor]]
# The signature that servers run for a request that names none.
DEFAULT = 'serving_default'
# All that may be in the folder of a SavedModel, which a new one replaces whole.
NAMES = (
  'assets',
  'assets.extra',
  'fingerprint.pb',
  'saved_model.pb',
  'variables',
  tensorflow_serving.BATCHING,
)


def save(
  flow: Any,
  path: str | pathlib.Path,
  unconstrained: Any = None,
  serving_files: bool = False,
) -> None:
  """Writes x = x(T; z), its inverse and ln p(x, T) as a SavedModel of these functions.

  | function          | result                                             |
  |-------------------|----------------------------------------------------|
  | `log_prob(x)`     | `log_prob` [B]                                     |
  | `score(x)`        | `score` [B, ...]: the gradient of log_prob by x    |
  | `forward(z)`      | `x`, `log_det` [B]: latents to data, ln abs dx/dz  |
  | `inverse(x)`      | `z`, `log_det` [B]: data to latents, ln abs dz/dx  |
  | `sample(seed, n)` | `x`, `log_prob`; seed int32 [2], n int32 []        |

  `forward` and `inverse` are there where a base stands behind one bijector: of a mixture of flows,
  or of any other TFP distribution, there are the three others, `score` where events are real.

  x has shape [B, *event_shape] and z [B, N], in the flow's dtype; B may be zero. With
  `unconstrained` there are the same five for that density, with points x of R^N:
  `log_prob_unconstrained(x)` and so on. Latents are shared: equal z are the same point.

  A conditional flow has one more argument in all of them, `context` [B, C], or [1, C] for all rows.

  Loading needs neither ma_keras nor TFP: `tf.saved_model.load(path).log_prob(x)`, or by signature,
  of the same names. `serving_default` is `log_prob`. A name that is a number, as in
  `save(flow, 'ising/1')`, makes `ising` a folder that TensorFlow Serving serves.

  Args:
    flow: TFP distribution with events of one tensor: `tfd.TransformedDistribution` around a
      `MongeAmpereBijector`, alone or in a chain; a mixture of such; any other.
    path: Directory of the SavedModel.
    unconstrained: The density in R^N, where `flow` is that of data with a preprocessing:
      `save(model.flow(), path, model.latent_flow())` for a `model_file.Model`.
    serving_files: True for the files of `tensorflow_serving` beside it, whose inputs are sampled.

  Raises:
    TypeError: `flow` is no TFP distribution.
    ValueError: The path is a file, or a folder that holds something else; or events of `flow` are
      not one tensor of known shape, or it is a batch of densities.
    OSError: It cannot be written; what was there before is whole.
  """
  named = functions(flow)
  module = tf.Module(name='exported_flow')
  module.flow_variables = flow.variables
  if unconstrained is not None:
    module.unconstrained_variables = unconstrained.variables
    named |= {f'{name}_unconstrained': one for name, one in functions(unconstrained).items()}
  for name, function in named.items():
    setattr(module, name, function)
  signatures = {**named, DEFAULT: named['log_prob']}
  with disk_errors('SavedModel', path), replacing_folder(pathlib.Path(path), NAMES) as beside:
    tf.saved_model.save(module, str(beside), signatures=signatures)
    if serving_files:
      tensorflow_serving.write_files(beside)


def functions(flow: Any) -> dict[str, Function]:
  """The functions of `save`, for one density: each a tf.function of any batch size.

  They hold the flow's variables only: a distribution would not load bare.

  Args:
    flow: TFP distribution, as in `save`.

  Returns:
    Name to function.

  Raises:
    TypeError: It is no TFP distribution.
    ValueError: Its events are not one tensor of known shape, or it is a batch of densities.
  """
  _check(flow)
  named = _density(flow)
  if _has_latents(flow):
    named |= _map(flow)
  if not flow.dtype.is_floating:
    del named['score']
  return named


def _density(flow: Any) -> dict[str, Function]:
  """Functions that any distribution has."""
  points = tf.TensorSpec([None, *flow.event_shape], flow.dtype, name='x')
  seeds, number = tf.TensorSpec([2], tf.int32, name='seed'), tf.TensorSpec([], tf.int32, name='n')

  def log_prob(x: tf.Tensor, *context: tf.Tensor) -> dict[str, tf.Tensor]:
    return {'log_prob': flow.log_prob(x, **_options(flow, context))}

  def score(x: tf.Tensor, *context: tf.Tensor) -> dict[str, tf.Tensor]:
    with tf.GradientTape(watch_accessed_variables=False) as tape:
      tape.watch(x)
      density = flow.log_prob(x, **_options(flow, context))
    return {'score': tape.gradient(density, x, unconnected_gradients='zero')}

  def sample(seed: tf.Tensor, n: tf.Tensor, *context: tf.Tensor) -> dict[str, tf.Tensor]:
    options = _options(flow, context)
    x = tf.ensure_shape(flow.sample(n, seed=seed, **options), points.shape)
    return {'x': x, 'log_prob': flow.log_prob(x, **options)}

  contexts = _contexts(flow)
  return {
    'log_prob': _compiled(log_prob, points, *contexts),
    'score': _compiled(score, points, *contexts),
    'sample': _compiled(sample, seeds, number, *contexts),
  }


def _map(flow: Any) -> dict[str, Function]:
  """Functions that a base and one bijector have as well, and samples by one solve."""
  base, bijector = flow.distribution, flow.bijector
  points = tf.TensorSpec([None, *flow.event_shape], flow.dtype, name='x')
  latents = tf.TensorSpec([None, *base.event_shape], base.dtype, name='z')
  seeds, number = tf.TensorSpec([2], tf.int32, name='seed'), tf.TensorSpec([], tf.int32, name='n')

  def forward(z: tf.Tensor, *context: tf.Tensor) -> dict[str, tf.Tensor]:
    options = _options(flow, context).get('bijector_kwargs', {})
    rank = base.event_shape.rank
    x = bijector.forward(z, **options)
    return {'x': x, 'log_det': bijector.forward_log_det_jacobian(z, rank, **options)}

  def inverse(x: tf.Tensor, *context: tf.Tensor) -> dict[str, tf.Tensor]:
    options = _options(flow, context).get('bijector_kwargs', {})
    rank = flow.event_shape.rank
    z = bijector.inverse(x, **options)
    return {'z': z, 'log_det': bijector.inverse_log_det_jacobian(x, rank, **options)}

  def sample(seed: tf.Tensor, n: tf.Tensor, *context: tf.Tensor) -> dict[str, tf.Tensor]:
    options = _options(flow, context).get('bijector_kwargs', {})
    z = tf.ensure_shape(base.sample(n, seed=seed), latents.shape)
    x, density = distributions.push_forward(flow, z, **options)
    return {'x': x, 'log_prob': density}

  contexts = _contexts(flow)
  return {
    'forward': _compiled(forward, latents, *contexts),
    'inverse': _compiled(inverse, points, *contexts),
    'sample': _compiled(sample, seeds, number, *contexts),
  }


def _contexts(flow: Any) -> list[tf.TensorSpec]:
  """The signature of a context, [n, C] or [1, C] for all, where the flow takes one."""
  size = conditions.context_size(flow)
  if size is not None and not hasattr(flow, 'bijector'):
    raise ValueError(
      f'`flow` is a {type(flow).__name__} of flows that take a context, which TFP does not hand on '
      'to them: export them one by one.'
    )
  return [] if size is None else [tf.TensorSpec([None, size], flow.dtype, name='context')]


def _options(flow: Any, context: tuple[tf.Tensor, ...]) -> dict[str, Any]:
  """Keyword arguments of the distribution's methods."""
  if not context:
    return {}
  if isinstance(flow, distributions.ConditionalFlow):
    return {'bijector_kwargs': flow.bijector_options(context[0])}
  return {'bijector_kwargs': conditions.options(flow.bijector, context[0])}


def _compiled(function: Function, *signature: tf.TensorSpec) -> Function:
  return tf.function(function, input_signature=signature, autograph=False)


def _check(flow: Any) -> None:
  """Raises TypeError or ValueError on what no SavedModel of `save` can hold, and says what can."""
  if not isinstance(flow, tfp.distributions.Distribution):
    raise TypeError(
      f'`flow` must be a TFP distribution, got {type(flow).__name__}: for a bijector pass '
      'ma_keras.standard_normal_flow(bijector).'
    )
  if tf.nest.is_nested(flow.dtype):
    raise ValueError(
      f'`flow` has events in parts, {flow.event_shape}, and a SavedModel takes points as one '
      'tensor: export the distribution before it is split, or put the parts together by '
      'tfb.Invert(tfb.Split(...)).'
    )
  if not flow.event_shape.is_fully_defined():
    raise ValueError(f'`flow` has events of shape {flow.event_shape}: give them a known shape.')
  if flow.batch_shape.rank != 0:
    raise ValueError(
      f'`flow` is a batch {flow.batch_shape} of distributions, and a SavedModel holds one: export '
      'them one by one, or as one event by tfd.Independent, or as a mixture by '
      'tfd.MixtureSameFamily.'
    )


def _has_latents(flow: Any) -> bool:
  """Tells if it is a base behind one bijector whose latents are one tensor, as many as points."""
  base, bijector = getattr(flow, 'distribution', None), getattr(flow, 'bijector', None)
  return (
    isinstance(base, tfp.distributions.Distribution)
    and isinstance(bijector, tfp.bijectors.Bijector)
    and not tf.nest.is_nested(base.dtype)
    and base.event_shape.is_fully_defined()
    and base.batch_shape.rank == 0
  )
