"""Ready-made distributions: a standard normal pushed along the flow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras import bases, flow
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.distributions.flow_chain import FlowChain, event_size
from ma_keras.distributions.flow_distribution import FlowDistribution
from ma_keras.flow.tallies import Tally
from ma_keras.potentials.base import Potential

tfd = tfp.distributions


def standard_normal_flow(
  bijector: MongeAmpereBijector, name: str = 'monge_ampere_flow'
) -> tfp.distributions.TransformedDistribution:
  """p(x, T) with p(x, 0) = Normal(0, I) on R^N (section 4).

  Args:
    bijector: The flow, a `FlowChain`, or a map of `ma_keras.transport`; it fixes N and the dtype.
    name: Name of the distribution.

  Returns:
    tfd.TransformedDistribution(tfd.Sample(tfd.Normal(0, 1), N), bijector).
  """
  _check_flow(bijector)
  base = bases.StandardNormal(event_size(bijector), bijector.dtype)
  return FlowDistribution(base, bijector, name=name)


def flow_from(
  base: Any, bijector: MongeAmpereBijector, name: str = 'monge_ampere_flow'
) -> tfp.distributions.TransformedDistribution:
  """p(x, T) with p(x, 0) of the base: `standard_normal_flow` of any other start.

  Args:
    base: TFP distribution with vector events [N] and the bijector's dtype; None: Normal(0, I).
    bijector: The flow; it fixes N.
    name: Name of the distribution.

  Returns:
    tfd.TransformedDistribution(base, bijector).

  Raises:
    ValueError: The base has other events.
  """
  if base is None:
    return standard_normal_flow(bijector, name)
  _check_flow(bijector)
  size = event_size(bijector)
  if base.event_shape.as_list() != [size] or base.dtype != bijector.dtype:
    raise ValueError(
      f'`base` must have events [{size}] of {bijector.dtype.name}, as the flow has, got '
      f'{base.event_shape} of {tf.as_dtype(base.dtype).name}.'
    )
  return FlowDistribution(base, bijector, name=name)


def _check_flow(bijector: Any) -> None:
  of_potential = isinstance(getattr(bijector, 'potential', None), Potential)
  of_flows = isinstance(bijector, FlowChain)
  if not of_flows and not (of_potential and isinstance(bijector, tfp.bijectors.Bijector)):
    raise TypeError(
      f'`bijector` must be a MongeAmpereBijector, got {type(bijector).__name__}: for a potential '
      'write MongeAmpereBijector(potential, num_steps, step_size).'
    )


def data_space_flow(
  bijector: MongeAmpereBijector,
  preprocessing: Any,
  event_shape: Sequence[int] | None = None,
  base: Any = None,
  name: str = 'data_space_flow',
) -> tfp.distributions.TransformedDistribution:
  """The density of the data themselves: x = preprocessing(y), y = x(T) of the flow.

  Samples come back as data, images if `event_shape` is theirs, and log_prob takes such and
  includes the preprocessing's log-det.

  Args:
    bijector: The flow.
    preprocessing: TFP bijector y -> x of R^N, one of `data.for_dataset`.
    event_shape: Of one point, (28, 28, 1) say; [N] by default.
    base: Where the flow starts, as in `flow_from`; None: Normal(0, I).
    name: Name of the distribution.

  Returns:
    `tfd.TransformedDistribution` of the base.
  """
  parts = [preprocessing, bijector]
  if event_shape is not None:
    size = event_size(bijector)
    parts.insert(0, tfp.bijectors.Reshape(event_shape, event_shape_in=[size]))
  base = flow_from(base, bijector).distribution
  return FlowDistribution(base, tfp.bijectors.Chain(parts), name=name)


def push_forward(
  distribution: Any, latents: tf.Tensor, **options: Any
) -> tuple[tf.Tensor, tf.Tensor]:
  """x = x(T; z) and ln p(x, T) = ln p(z, 0) - ln|det dx/dz|, by one solve. Eqs. (2)-(3).

  Args:
    distribution: `tfd.TransformedDistribution`, the model p.
    latents: Draws z of the base distribution, shape [..., N].
    **options: Keyword arguments of the bijector: context=c.

  Returns:
    Samples [..., N] and their log densities [...].
  """
  bijector = distribution.bijector
  event_ndims = distribution.distribution.event_shape.rank
  x = bijector.forward(latents, **options)
  log_det = bijector.forward_log_det_jacobian(latents, event_ndims, **options)
  log_prob = distribution.distribution.log_prob(latents)
  return x, log_prob - tf.cast(log_det, log_prob.dtype)


def solve(
  distribution: Any,
  x: tf.Tensor,
  reverse: bool = False,
  tallies: Sequence[str | Tally] = (),
  with_score: bool = False,
  context: tf.Tensor | None = None,
) -> tuple[tf.Tensor, flow.Solution]:
  """ln p(x, T) and what else comes out of the very solve it is from.

  Args:
    distribution: `tfd.TransformedDistribution` of a base along a `MongeAmpereBijector`, the model.
    x: Draws of the base, shape [..., N]; points of the model if `reverse`.
    reverse: Flow from T back to 0, the direction of `log_prob`.
    tallies: What is summed along the paths: see `ma_keras.tallies`.
    with_score: Whether to carry grad ln p along, from the base's; not with `reverse`.
    context: Of a conditional potential, c of every point, [..., C], or of all, [C].

  Returns:
    ln p(x, T) of the points at T, [...], and the solution of `MongeAmpereBijector.solve`.

  Raises:
    ValueError: A score is asked for with `reverse`, or see `MongeAmpereBijector.solve`.
  """
  base, bijector = distribution.distribution, distribution.bijector
  if reverse and with_score:
    raise ValueError('`with_score` starts from the score of the base: leave out `reverse`.')
  if reverse:
    solution = bijector.solve(x, reverse, tallies, context=context)
    return base.log_prob(solution.x) - solution.log_density_change, solution
  if not with_score:
    solution = bijector.solve(x, tallies=tallies, context=context)
    return base.log_prob(x) + solution.log_density_change, solution
  with tf.GradientTape(watch_accessed_variables=False) as tape:
    tape.watch(x)
    log_prob = base.log_prob(x)
  score = tape.gradient(log_prob, x)
  solution = bijector.solve(x, tallies=tallies, score=score, context=context)
  return log_prob + solution.log_density_change, solution
