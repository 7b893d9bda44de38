"""Maps from R^N onto a part of it, with log densities of -inf outside and nowhere NaN."""

from __future__ import annotations

import abc
import math
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import cache_util


class Supported(tfp.bijectors.Bijector):
  """y -> x onto an open interval of R, coordinate by coordinate.

  A point x outside has no y, and density 0. ln p(x) = ln p(y(x)) + ln|dy/dx| is -inf there, with a
  gradient of 0, because

  - `inverse` puts a point of the inside in the place of every coordinate outside, and so is finite;
  - `inverse_log_det_jacobian` is -inf there, and stays so in every sum: in Chain, in
    TransformedDistribution, in an export.

  TFP's log_prob asks for the forward log-det at y; hence the cache that keeps the log-det of x with
  the y that was made of it. Whoever takes y alone asks `inside` whether there is one. NaN stays
  NaN.

  Subclasses have `_point`, `_forward_log_slope`, `_outside`, `_interior`, `_latent` and
  `_inverse_log_slope`. The last two are never asked for what is outside: this is where logarithms
  of negative numbers, and their gradients, are kept from.
  """

  _cache = cache_util.BijectorCacheWithGreedyAttrs(
    forward_name='_augmented_forward', inverse_name='_augmented_inverse'
  )

  def __init__(self, dtype: tf.DType, parameters: dict[str, Any], name: str) -> None:
    """Makes a bijector of single numbers; `parameters` are `dict(locals())` of the subclass."""
    super().__init__(forward_min_event_ndims=0, dtype=dtype, parameters=parameters, name=name)

  @classmethod
  def _parameter_properties(cls, dtype: tf.DType) -> dict[str, Any]:
    return {}  # No parameter has a batch shape.

  def inside(self, x: tf.Tensor) -> tf.Tensor:
    """True of points [..., N] that have a y, all N of whose coordinates are in the support."""
    return ~tf.reduce_any(self._outside(tf.convert_to_tensor(x, self.dtype)), axis=-1)

  @abc.abstractmethod
  def _outside(self, x: tf.Tensor) -> tf.Tensor:
    """True of coordinates [...] without y; False of NaN, which no number takes the place of."""

  @property
  @abc.abstractmethod
  def _interior(self) -> float | tf.Tensor:
    """Coordinate inside, of a shape that broadcasts."""

  @abc.abstractmethod
  def _latent(self, x: tf.Tensor) -> tf.Tensor:
    """y [...] of coordinates inside."""

  @abc.abstractmethod
  def _inverse_log_slope(self, x: tf.Tensor) -> tf.Tensor:
    """ln|dy/dx| [...] at coordinates inside."""

  @abc.abstractmethod
  def _point(self, y: tf.Tensor) -> tf.Tensor:
    """x [...], inside to rounding, too."""

  @abc.abstractmethod
  def _forward_log_slope(self, y: tf.Tensor) -> tf.Tensor:
    """ln|dx/dy| [...]."""

  def _augmented_inverse(self, x: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    outside = self._outside(x)
    within = tf.where(outside, tf.cast(self._interior, x.dtype), x)
    log_slope = self._inverse_log_slope(within)
    minus_infinity = tf.constant(-math.inf, x.dtype)
    return self._latent(within), {'ildj': tf.where(outside, minus_infinity, log_slope)}

  def _augmented_forward(self, y: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    return self._point(y), {'ildj': -self._forward_log_slope(y)}

  def _inverse(self, x: tf.Tensor) -> tf.Tensor:
    return self._augmented_inverse(x)[0]

  def _forward(self, y: tf.Tensor) -> tf.Tensor:
    return self._point(y)

  def _inverse_log_det_jacobian(self, x: tf.Tensor) -> tf.Tensor:
    return self._augmented_inverse(x)[1]['ildj']

  def _forward_log_det_jacobian(self, y: tf.Tensor) -> tf.Tensor:
    return self._forward_log_slope(y)
