"""Batch normalisation between flows of a chain, with a log determinant that is right in chains."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

MOMENTUM, EPSILON = 0.9, 1e-3


class BatchNormalisation(tfp.bijectors.Bijector):
  """x = m + s z, s^2 = v + epsilon, with mean m and variance v [N] of the points x.

  | | m and v |
  |---|---|
  | `training=True`: `inverse`, `log_prob` | those of all points; moving averages follow |
  | `training=False` | the moving averages, so that points do not depend on one another |

  ```python
  normalisation = BatchNormalisation(event_size=2, training=True)
  density = tfd.TransformedDistribution(base, tfb.Chain([last, normalisation, first]))
  ...  # Train density.log_prob of large batches, and then score, sample and export
  tfd.TransformedDistribution(base, tfb.Chain([last, normalisation.frozen(), first]))
  ```

  TFP's own (0.25) takes its log determinant of the moving averages where it stands in a `Chain`,
  whatever the batch: a likelihood that is wrong while it is trained.

  Attributes:
    training: Whether statistics are those of the batch.
    moving_mean: Variable [N], not trained; m' = momentum m' + (1 - momentum) m.
    moving_variance: Variable [N], likewise.
  """

  def __init__(
    self,
    event_size: int,
    training: bool,
    momentum: float = MOMENTUM,
    epsilon: float = EPSILON,
    dtype: tf.DType = tf.float32,
    name: str = 'batch_normalisation',
  ) -> None:
    """Makes the moving averages: 0 and 1.

    Args:
      event_size: N.
      training: Whether statistics are those of the batch.
      momentum: Share of the past in the moving averages, in [0, 1).
      epsilon: Added to variances, positive.
      dtype: Floating dtype.
      name: Name of the ops.

    Raises:
      ValueError: `momentum` or `epsilon` is out of range.
    """
    parameters = dict(locals())
    if not 0 <= momentum < 1 or not epsilon > 0:
      raise ValueError(
        f'`momentum` must be in [0, 1) and `epsilon` positive, got {momentum} and {epsilon}: 0.9 '
        'and 1e-3 are usual.'
      )
    super().__init__(forward_min_event_ndims=1, dtype=dtype, parameters=parameters, name=name)
    self.training, self._momentum, self._epsilon = training, momentum, epsilon
    with tf.init_scope():
      self.moving_mean = tf.Variable(tf.zeros([event_size], dtype), trainable=False)
      self.moving_variance = tf.Variable(tf.ones([event_size], dtype), trainable=False)

  @classmethod
  def _parameter_properties(cls, dtype: Any) -> dict[str, Any]:
    del dtype
    return {}

  def frozen(self) -> BatchNormalisation:
    """The bijector with `training=False`, which shares the moving averages."""
    twin = self.copy(training=False)
    twin.moving_mean, twin.moving_variance = self.moving_mean, self.moving_variance
    return twin

  def _forward(self, z: tf.Tensor) -> tf.Tensor:
    if self.training:  # What an inverse has made is answered by TFP's cache, and comes not here.
      raise NotImplementedError(
        '`forward` of a batch normalisation in training: a sample has no batch to be normalised '
        'by. Draw from the chain of normalisation.frozen().'
      )
    return self.moving_mean + tf.sqrt(self.moving_variance + self._epsilon) * z

  def _inverse(self, x: tf.Tensor) -> tf.Tensor:
    mean, variance = self._statistics(x)
    if self.training:
      for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
        average.assign(self._momentum * average + (1.0 - self._momentum) * value)
    return (x - mean) / tf.sqrt(variance + self._epsilon)

  def _inverse_log_det_jacobian(self, x: tf.Tensor) -> tf.Tensor:
    """-sum_i ln s_i, of the statistics that `inverse` takes at x. TFP has the other by minus it."""
    variance = self._statistics(x)[1]
    return -0.5 * tf.reduce_sum(tf.math.log(variance + self._epsilon))

  def _statistics(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and variance, [N] each."""
    if not self.training:
      return tf.convert_to_tensor(self.moving_mean), tf.convert_to_tensor(self.moving_variance)
    if x.shape.num_elements() == x.shape[-1]:
      raise ValueError(
        '`x` is one point, which has no variance to be normalised by: take batches of hundreds, or '
        'score by the chain of normalisation.frozen().'
      )
    return tf.nn.moments(tf.reshape(x, [-1, x.shape[-1]]), axes=[0])
