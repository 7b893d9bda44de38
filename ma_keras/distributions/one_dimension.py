"""Distribution functions of flows of one number: F(x) = F0(z(x)), z the latent of x."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras.bijector import MongeAmpereBijector

tfd = tfp.distributions


class Monotone:
  """x = x(z), a flow of one number after another monotone map, and p(z) with a known F0.

  det dx/dz > 0 along a flow, so that it rises; what comes after it may fall: then F = 1 - F0(z).

  Attributes:
    bijector: z [..., 1] -> x [..., *event].
    base: p(z), scalar events.
    event_ndims: Rank of one event of x.
  """

  def __init__(self, bijector: Any, base: Any, event_ndims: int) -> None:
    """Takes a flow's parts; `base` has events [1].

    Raises:
      NotImplementedError: Nobody knows the distribution function of the base.
    """
    self.bijector, self.base, self.event_ndims = bijector, _scalar(base), event_ndims

  def probability(self, x: tf.Tensor, upper: bool, log: bool) -> tf.Tensor:
    """F(x) [...], or 1 - F(x) if `upper`; or its logarithm.

    Points outside the support, which have no z, have F = 0 below it and 1 above.
    """
    z = self.bijector.inverse(x)[..., 0]
    lower, higher = (
      (self.base.log_cdf, self.base.log_survival_function)
      if log
      else (self.base.cdf, self.base.survival_function)
    )
    rising, falling = (higher, lower) if upper else (lower, higher)
    if isinstance(self.bijector, MongeAmpereBijector):
      return rising(z)
    value = tf.where(self._rises(z.dtype), rising(z), falling(z))
    return tf.where(self._is_outside(x, z), self._beyond(x, upper, log), value)

  def quantile(self, probability: tf.Tensor) -> tf.Tensor:
    """x [..., *event] with F(x) = p, p [...]."""
    if not isinstance(self.bijector, MongeAmpereBijector):
      probability = tf.where(self._rises(probability.dtype), probability, 1 - probability)
    return self.bijector.forward(self.base.quantile(probability)[..., tf.newaxis])

  def _rises(self, dtype: tf.DType) -> tf.Tensor:
    """Tells if x grows with z, bool []."""
    ends = tf.reshape(self.bijector.forward(tf.constant([[-0.5], [0.5]], dtype)), [2])
    return ends[1] > ends[0]

  def _is_outside(self, x: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
    log_det = self.bijector.inverse_log_det_jacobian(x, self.event_ndims)
    absent = ~tf.math.is_finite(z) | tf.math.is_nan(log_det) | (log_det == -float('inf'))
    return absent & ~tf.math.is_nan(self._number(x))

  def _beyond(self, x: tf.Tensor, upper: bool, log: bool) -> tf.Tensor:
    """F outside the support, where x lies on one side of all that is inside."""
    inside = self._number(self.bijector.forward(tf.zeros([1, 1], x.dtype)))[0]
    above = self._number(x) > inside
    value = tf.cast(~above if upper else above, x.dtype)
    return tf.math.log(value) if log else value

  def _number(self, x: tf.Tensor) -> tf.Tensor:
    """x without its event's dimensions, all of which are 1."""
    return tf.reshape(x, tf.shape(x)[: tf.rank(x) - self.event_ndims])


def _scalar(base: Any) -> Any:
  """Returns the density with scalar events, which TFP knows the distribution function of.

  Raises:
    NotImplementedError: It is none of those known.
  """
  if isinstance(base, tfd.Sample):
    return base.distribution
  if isinstance(base, tfd.MixtureSameFamily):
    return _Mixture(base.mixture_distribution, _scalar(base.components_distribution))
  if isinstance(base, tfd.Independent):
    return tfd.BatchReshape(base.distribution, base.batch_shape)
  if isinstance(base, tfd.MultivariateNormalLinearOperator):
    return tfd.Normal(base.mean()[..., 0], base.stddev()[..., 0])
  raise NotImplementedError(
    f'The distribution function of a {type(base).__name__} as a base is not known here: start from '
    'a normal or from a mixture of normals (ma_keras.bases), or sample and count.'
  )


class _Mixture(tfp.distributions.MixtureSameFamily):
  """A mixture of scalars whose quantiles are found by bracketing: F is continuous and rises."""

  def _quantile(self, probability: tf.Tensor) -> tf.Tensor:
    parts = self.components_distribution.quantile(probability[..., tf.newaxis])
    low, high = tf.reduce_min(parts, axis=-1), tf.reduce_max(parts, axis=-1)
    root = tfp.math.find_root_chandrupatla(
      lambda x: self.cdf(x) - probability, low, high, position_tolerance=0.0, value_tolerance=0.0
    ).estimated_root
    return tf.where(tf.math.is_finite(low) & tf.math.is_finite(high), root, low)
