"""How far the log densities of a discrete flow are from those of the continuous one."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras.arguments import is_whole


class Certificate(NamedTuple):
  """Changes of ln p on halving the steps, point by point, in nats.

  Attributes:
    log_prob: ln p_h, as the flow reports it, shape [...].
    log_prob_change: ln p_h - ln p_{h/2} at the same point, base included, shape [...]; 0 where both
      are -inf, as they are outside a support.
    doubt: Bound of |ln p_h - ln p|, estimated from steps h, h/4 and h/8; infinite where any of
      these is not finite. Shape [...].
    position_error: max_i |y_i(h) - y_i(h/2)|, y the other end of the flow, shape [...].
    round_trip_error: max_i |x_i - there_and_back(x)_i| in steps h, shape [...].
  """

  log_prob: tf.Tensor
  log_prob_change: tf.Tensor
  doubt: tf.Tensor
  position_error: tf.Tensor
  round_trip_error: tf.Tensor

  def certified(self, tolerance: float = 0.1) -> tf.Tensor:
    """Verdict on every point, doubt <= tolerance: bool [...], False where anything is not finite.

    Args:
      tolerance: Largest error of ln p to go with, in nats.
    """
    return self.doubt <= tolerance

  @property
  def mean(self) -> float:
    """Mean of `log_prob_change`: what halving the steps does to a mean log likelihood."""
    return float(np.mean(self._changes()))

  @property
  def standard_error(self) -> float:
    """Standard error of `mean` over the points; NaN of fewer than two."""
    changes = self._changes()
    return float(np.std(changes, ddof=1) / np.sqrt(changes.size)) if changes.size > 1 else np.nan

  @property
  def root_mean_square(self) -> float:
    """Square root of the mean of `log_prob_change` squared."""
    return float(np.sqrt(np.mean(self._changes() ** 2)))

  def quantile(self, q: float = 0.95) -> float:
    """|log_prob_change| that a share q of the points does not exceed; 1 is the largest."""
    return float(np.quantile(np.abs(self._changes()), q))

  def doubted(self, tolerance: float = 0.1) -> float:
    """Share of the points that are not `certified`."""
    return float(np.mean(~np.asarray(self.certified(tolerance))))

  def _changes(self) -> np.ndarray:
    return np.asarray(self.log_prob_change, np.float64).reshape(-1)


def certify(
  distribution: Any, x: tf.Tensor, reverse: bool = False, batch_size: int | None = None
) -> Certificate:
  """Changes of ln p on halving the steps, and whether ln p is to be trusted.

  With ln p_h(x) = ln p0(z_h(x)) + ln|det dz_h/dx|, z_h the inverse of the flow in steps h,

      reverse:  change = ln p_h(x) - ln p_{h/2}(x)                               x given
      forward:  change = [ln p0(z) - ln|det dx_h/dz|] - ln p_{h/2}(x_h(z))       z given

  so that it is `log_prob(x)`, or the log density that comes with a sample, minus `log_prob` of the
  same flow in halved steps at the very same point. Whatever moves with the steps is in it: the
  integral of the Laplacian, z in the base density, and x in the preprocessing.

  The change estimates the error of ln p_h, (1 - 2^-p) of it for a method of order p, provided that
  steps are small enough for the order to show. Where they are not, one halving can be fooled: both
  depths are wrong alike, or meet by accident. The doubt looks three halvings further,

      doubt = |ln p_h - ln p_{h/8}| + 2 |ln p_{h/4} - ln p_{h/8}|,

  the first of which is the error itself if h/8 is right, and the second twice what h/8 still may
  be off by. It bounds the error at any order p >= 1 as soon as one more halving at least halves
  the differences beyond h/4.

  Neither sees what lies between all points that were looked at: a wall in phi much thinner than an
  eighth of a step, which every path leaps over. Rounding of the flow's dtype is in both; training,
  the statistics of points and the bias of a stochastic Laplacian are in neither. Steps are equal
  here, also where the flow has `jitter`: random ones would be drawn anew, not halved. Random
  elements of a symmetry keep their intervals of time, and stay the same ones.

  Args:
    distribution: `tfd.TransformedDistribution` of any base along a `MongeAmpereBijector`, which
      may stand in a Chain, in Invert, or in the base itself.
    x: Events of the distribution, shape [..., *event_shape]; of its base unless `reverse`.
    reverse: Certify `log_prob` at x, not the log densities of samples drawn of latents x.
    batch_size: Points flowed at once; all of them by default.

  Returns:
    The certificate of every point.

  Raises:
    TypeError: `distribution` is none.
    ValueError: It holds no `MongeAmpereBijector`, or `batch_size` is not positive.
  """
  if not isinstance(distribution, tfp.distributions.Distribution):
    raise TypeError(
      f'`distribution` must be a TFP distribution, got {type(distribution).__name__}: certify('
      'flow, x) of a flow = ma_keras.standard_normal_flow(bijector), say.'
    )
  flows = [_refined(distribution, 1), *(in_finer_steps(distribution, k) for k in (2, 4, 8))]
  # A new tensor: what TFP's cache knows of the old one may come from earlier weights.
  x = tf.identity(tf.convert_to_tensor(x, dtype=distribution.dtype))
  if batch_size is None:
    return _certificate(flows, x, reverse)
  if not is_whole(batch_size):
    raise ValueError(f'`batch_size` must be positive, got {batch_size}. None: all points at once.')
  event = (distribution if reverse else distribution.distribution).event_shape
  leading = tf.shape(x)[: x.shape.rank - event.rank]
  rows = tf.reshape(x, [-1, *event])
  starts = range(0, max(len(rows), 1), batch_size)
  parts = [_certificate(flows, rows[k : k + batch_size], reverse) for k in starts]
  return Certificate(*(tf.reshape(tf.concat(part, axis=0), leading) for part in zip(*parts)))


def in_finer_steps(distribution: Any, factor: int) -> Any:
  """Returns the distribution with every flow in it at `factor` times as many, equal steps.

  Args:
    distribution: TFP distribution.
    factor: Integer above 1.

  Returns:
    A copy; other parts are shared, and so are the potentials.

  Raises:
    ValueError: It holds no `MongeAmpereBijector`.
  """
  finer = _refined(distribution, factor)
  if finer is distribution:
    raise ValueError(
      f'`distribution` {distribution.name} holds no MongeAmpereBijector whose steps could be '
      'halved: pass tfd.TransformedDistribution(base, bijector).'
    )
  return finer


def _refined(part: Any, factor: int) -> Any:
  """The part itself if there is nothing to refine in it."""
  if hasattr(part, 'in_equal_steps'):
    return part.in_equal_steps(factor)
  if not isinstance(part, tfp.bijectors.Bijector | tfp.distributions.Distribution):
    return part
  changed = {}
  for name, value in part.parameters.items():
    refined = tf.nest.map_structure(lambda inner: _refined(inner, factor), value)
    if any(new is not old for new, old in zip(*map(tf.nest.flatten, (refined, value)))):
      changed[name] = refined
  return part.copy(**changed) if changed else part


def _certificate(flows: list[Any], x: tf.Tensor, reverse: bool) -> Certificate:
  """The certificate by flows in steps h, h/2, h/4 and h/8."""
  flow, half, quarter, eighth = flows
  if reverse:
    points, latents = x, flow.bijector.inverse(x)
    log_prob = flow.log_prob(x)
    ends, back = (latents, half.bijector.inverse(x)), _forward(flow, latents)[0]
  else:
    points, log_det = _forward(flow, x)
    log_prob = flow.distribution.log_prob(x) - log_det
    # New tensors: to the one that came out of `forward`, TFP's cache knows the inverse.
    points = tf.identity(points)
    ends, back = (points, _forward(half, x)[0]), flow.bijector.inverse(points)
  halved, fine, finest = (finer.log_prob(points) for finer in (half, quarter, eighth))
  doubt = tf.abs(log_prob - finest) + 2.0 * tf.abs(fine - finest)
  finite = tf.math.is_finite(doubt + tf.abs(halved))
  return Certificate(
    log_prob=log_prob,
    log_prob_change=_difference(log_prob, halved),
    doubt=tf.where(finite, doubt, np.inf),
    position_error=_distance(*ends, log_prob),
    round_trip_error=_distance(back, x, log_prob),
  )


def _forward(flow: Any, latents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """x of the latents, by a solve of its own, and ln|det dx/dz|."""
  latents = tf.identity(latents)
  x = flow.bijector.forward(latents)
  return x, flow.bijector.forward_log_det_jacobian(latents, flow.distribution.event_shape.rank)


def _difference(one: tf.Tensor, two: tf.Tensor) -> tf.Tensor:
  """one - two; two equal log densities differ by 0, infinite ones included."""
  return tf.where(one == two, tf.zeros_like(one), one - two)


def _distance(one: tf.Tensor, two: tf.Tensor, per_point: tf.Tensor) -> tf.Tensor:
  """max_i |one_i - two_i| over events, shape [...] of `per_point`."""
  axes = list(range(per_point.shape.rank, one.shape.rank))
  return tf.reduce_max(tf.abs(one - two), axis=axes)
