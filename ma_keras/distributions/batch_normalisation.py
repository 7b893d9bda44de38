"""Batch normalisation between flows of a chain, with a log determinant that is right in chains."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras import pickling
from ma_keras.arguments import is_finite, is_whole

MOMENTUM, EPSILON = 0.9, 1e-3


class BatchNormalisation(tfp.bijectors.Bijector):
  """x = m + s z, s^2 = v + epsilon, with mean m and variance v [N] of the points x.

  | | m and v |
  |---|---|
  | `training=True`: `inverse`, `log_prob` | those of all points; moving averages follow |
  | `training=False` | the moving averages, so that points do not depend on one another |

  `training.MaximumLikelihood` of a chain takes the first in training and the second elsewhere:

  ```python
  chain = tfb.Chain([last, BatchNormalisation(event_size=2), first])
  model = training.MaximumLikelihood(chain)
  ```

  A loop of one's own trains `log_prob` of a chain with `training=True` in large batches, and then
  scores, samples and exports a chain with `normalisation.frozen()`. On several replicas the
  statistics are those of the points of all of them.

  A batch of which fewer than two points have weight tells of no variance: it is normalised by the
  moving averages, and leaves them as they are.

  TFP's own (0.25) takes its log determinant of the moving averages where it stands in a `Chain`,
  whatever the batch: a likelihood that is wrong while it is trained.

  Attributes:
    event_size: N.
    training: Whether statistics are those of the batch.
    moving_mean: Variable [N], not trained; m' = momentum m' + (1 - momentum) m.
    moving_variance: Variable [N], likewise.
  """

  def __init__(
    self,
    event_size: int,
    training: bool = False,
    momentum: float = MOMENTUM,
    epsilon: float = EPSILON,
    dtype: tf.DType = tf.float32,
    moving_mean: tf.Variable | None = None,
    moving_variance: tf.Variable | None = None,
    name: str = 'batch_normalisation',
  ) -> None:
    """Makes the moving averages, 0 and 1, unless it is given some.

    Args:
      event_size: N.
      training: Whether statistics are those of the batch.
      momentum: Share of the past in the moving averages, in [0, 1).
      epsilon: Added to variances, positive.
      dtype: Floating dtype.
      moving_mean: Variable [N] to be shared, with `moving_variance`.
      moving_variance: Likewise.
      name: Name of the ops.

    Raises:
      ValueError: `event_size`, `momentum` or `epsilon` is out of range, or one average is given
        without the other.
    """
    if not is_whole(event_size):
      raise ValueError(
        f'`event_size` must be a whole number from 1, got {event_size!r}: take N, the length of a '
        'point.'
      )
    if not (is_finite(momentum) and 0 <= momentum < 1 and is_finite(epsilon) and epsilon > 0):
      raise ValueError(
        f'`momentum` must be in [0, 1) and `epsilon` positive, got {momentum!r} and '
        f'{epsilon!r}: 0.9 and 1e-3 are usual.'
      )
    if (moving_mean is None) != (moving_variance is None):
      one, other = ('moving_mean', 'moving_variance')[:: 1 if moving_variance is None else -1]
      raise ValueError(f'`{one}` is given without `{other}`: give both, or neither.')
    event_size = int(event_size)
    if moving_mean is None or moving_variance is None:  # Both.
      moving_mean = _average(tf.zeros([event_size], dtype))
      moving_variance = _average(tf.ones([event_size], dtype))
    parameters = dict(locals())
    super().__init__(forward_min_event_ndims=1, dtype=dtype, parameters=parameters, name=name)
    self.event_size, self.training = event_size, training
    self._momentum, self._epsilon = momentum, epsilon
    self.moving_mean, self.moving_variance = moving_mean, moving_variance
    self._weights: tf.Tensor | None = None

  @classmethod
  def _parameter_properties(cls, dtype: Any) -> dict[str, Any]:
    del dtype
    return {}

  def __reduce__(self) -> pickling.Reduced:
    """Class and arguments, with the averages as arrays."""
    arguments = {**self.parameters, 'dtype': self.dtype.name}
    averages = [arguments.pop(name).numpy() for name in ('moving_mean', 'moving_variance')]
    return _remade, (arguments, *averages)

  def frozen(self) -> BatchNormalisation:
    """The bijector with `training=False`, which shares the moving averages."""
    return self.copy(training=False)

  def of_batch(self, weights: tf.Tensor | None = None) -> BatchNormalisation:
    """The bijector with `training=True`, which shares the moving averages.

    Args:
      weights: How often each point of the batch counts, [...]; once by default.
    """
    twin = self.copy(training=True)
    twin._weights = weights
    return twin

  @property
  def scale(self) -> tf.Tensor:
    """s of the moving averages, [N]."""
    return tf.sqrt(self.moving_variance + self._epsilon)

  def inverse_with_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """z, ln|det dz/dx| [] and s [N], of one computation of the statistics."""
    mean, variance = self._statistics(x)
    if self.training:
      self._follow(mean, variance)
    scale = tf.sqrt(variance + self._epsilon)
    return (x - mean) / scale, -tf.reduce_sum(tf.math.log(scale)), scale

  def moved(self, x: tf.Tensor, reverse: bool) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Points beyond the normalisation, the change of ln p, and what squared lengths grow by.

    The last is that of the coordinate it stretches most towards the latents, and at least 1.
    """
    if reverse:
      z, log_det, scale = self.inverse_with_log_det(x)
      return z, -log_det, _stretched(scale)
    change = -self.forward_log_det_jacobian(x, 1)
    return self.forward(x), change, _stretched(self.scale)

  def _follow(self, mean: tf.Tensor, variance: tf.Tensor) -> None:
    for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
      value = tf.stop_gradient(value)
      average.assign(average + (1.0 - self._momentum) * (value - average))  # Itself stays itself.

  def _forward(self, z: tf.Tensor) -> tf.Tensor:
    if self.training:  # What an inverse has made is answered by TFP's cache, and comes not here.
      raise NotImplementedError(
        '`forward` of a batch normalisation in training: a sample has no batch to be normalised '
        'by. Draw from the chain of normalisation.frozen().'
      )
    return self.moving_mean + self.scale * z

  def _inverse(self, x: tf.Tensor) -> tf.Tensor:
    return self.inverse_with_log_det(x)[0]

  def _inverse_log_det_jacobian(self, x: tf.Tensor) -> tf.Tensor:
    """-sum_i ln s_i, of the statistics that `inverse` takes at x. TFP has the other by minus it."""
    variance = self._statistics(x)[1]
    return -0.5 * tf.reduce_sum(tf.math.log(variance + self._epsilon))

  def _statistics(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and variance, [N] each."""
    averages = tf.convert_to_tensor(self.moving_mean), tf.convert_to_tensor(self.moving_variance)
    if not self.training:
      return averages
    if x.shape.num_elements() == x.shape[-1]:
      raise ValueError(
        '`x` is one point, which has no variance to be normalised by: take batches of hundreds, or '
        'score by the chain of normalisation.frozen().'
      )
    rows = tf.reshape(x, [-1, x.shape[-1]])
    weights = tf.ones(tf.shape(rows)[:1], x.dtype) if self._weights is None else self._weights
    weights = tf.reshape(tf.cast(weights, x.dtype), [-1, 1])
    sums = tf.stack([tf.reduce_sum(weights), tf.math.count_nonzero(weights, dtype=x.dtype)])
    total, number = tf.unstack(_over_replicas(sums))
    mean = tf.math.divide_no_nan(_over_replicas(tf.reduce_sum(weights * rows, axis=0)), total)
    squares = tf.reduce_sum(weights * tf.square(rows - mean), axis=0)
    variance = tf.math.divide_no_nan(_over_replicas(squares), total)
    is_enough = number >= 2
    return tf.where(is_enough, mean, averages[0]), tf.where(is_enough, variance, averages[1])


def _stretched(scale: tf.Tensor) -> tf.Tensor:
  return tf.maximum(tf.reduce_max(1.0 / tf.square(scale)), 1.0)


def _average(start: tf.Tensor) -> tf.Variable:
  """A variable that is not trained; all replicas assign the same to it."""
  first = tf.VariableAggregation.ONLY_FIRST_REPLICA
  with tf.init_scope():
    return tf.Variable(start, trainable=False, aggregation=first)


def _over_replicas(value: tf.Tensor) -> tf.Tensor:
  """The sum over all replicas, each of which has it."""
  if (
    tf.distribute.get_strategy().num_replicas_in_sync == 1
    or tf.distribute.in_cross_replica_context()
  ):
    return value
  return tf.distribute.get_replica_context().all_reduce('sum', value)


def _remade(arguments: dict[str, Any], mean: Any, variance: Any) -> BatchNormalisation:
  made = BatchNormalisation(**{**arguments, 'dtype': tf.as_dtype(arguments['dtype'])})
  made.moving_mean.assign(mean)
  made.moving_variance.assign(variance)
  return made
