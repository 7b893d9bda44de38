"""Maximum likelihood as a tf_keras model: Eq. (6) minimised by `fit`."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras

from ma_keras import objectives, seeds
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.distributions import standard_normal_flow
from ma_keras.training.flow_model import FlowModel

Batch = tuple[tf.Tensor, tf.Tensor]
# Without it an optimiser learns to cheat its integrator: likelihoods look better than they are.
STIFFNESS_WEIGHT = 0.3


class MaximumLikelihood(FlowModel):
  """Minimises -E[ln p(y, T)] over the potential, y = preprocessing^-1(x + u). Eq. 6.

  `fit` takes batches (sample numbers int64 [b], points x [b, N]): `data.batches`. Integer points
  are quantised: step k adds noise u ~ Uniform[0, 1)^N of its own, fresh every epoch. `evaluate`
  and `validation_data` take real points, dequantised once and for all: `data.dequantised`.
  Metrics are nats in the space of y.

  Attributes:
    preprocessing: TFP bijector y -> x from R^N to data.
  """

  def __init__(
    self,
    bijector: MongeAmpereBijector,
    preprocessing: Any,
    batch_size: int,
    seed: int = 0,
    stiffness_weight: float = STIFFNESS_WEIGHT,
    name: str = 'maximum_likelihood',
  ) -> None:
    """Checks the arguments.

    Args:
      bijector: The flow to train.
      preprocessing: One of `data.for_dataset`, or any TFP bijector of R^N.
      batch_size: B, over all replicas.
      seed: Non-negative integer.
      stiffness_weight: Weight of the solver's own error, `MongeAmpereBijector.with_stiffness`; 0
        for none, as integrators and gradient modes need that have no stiffness.
      name: Model name.

    Raises:
      ValueError: See `FlowModel`.
    """
    super().__init__(bijector, batch_size, seed, stiffness_weight, name)
    self.preprocessing = preprocessing
    self._nll = tf_keras.metrics.Mean('nll', dtype=tf.float64)
    self._stiffness = tf_keras.metrics.Mean('stiffness', dtype=tf.float64)

  @property
  def metrics(self) -> list[Any]:
    """The running means that `fit` resets every epoch."""
    return [self._nll, self._stiffness]

  def train_step(self, batch: Batch) -> dict[str, tf.Tensor]:
    """One step on this replica's share of the global batch."""
    self.descend(self._loss, *batch)
    return {metric.name: metric.result() for metric in self.metrics}

  def _loss(self, numbers: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """What these points add to the mean over the global batch; the metrics take them in."""
    noise_seed, flow_seed = self.per_sample_seeds(numbers, 'maximum_likelihood')
    if x.dtype.is_integer:
      noise = seeds.uniform([x.shape[-1]], noise_seed, self.bijector.dtype)
      x = tf.cast(x, noise.dtype) + noise
    y = self.preprocessing.inverse(x)
    nll, stiffness = self._terms(self.flow(flow_seed), y)
    self._nll.update_state(nll)
    self._stiffness.update_state(stiffness)
    return tf.reduce_sum(nll + self.stiffness_weight * stiffness) / self.batch_size

  def test_step(self, batch: Batch) -> dict[str, tf.Tensor]:
    """The likelihood of real points, at steps of equal size."""
    y = self.preprocessing.inverse(tf.cast(batch[1], self.bijector.dtype))
    flow = standard_normal_flow(self.bijector.with_seed(self.seed).copy(jitter=0.0))
    self._nll.update_state(objectives.negative_log_likelihood(flow, y))
    return {'nll': self._nll.result()}

  def _terms(self, flow: Any, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """-ln p(y) and the stiffness, [b] each; zeros where nobody weighs it."""
    if self.stiffness_weight > 0:
      return objectives.negative_log_likelihood_and_stiffness(flow, y)
    nll = objectives.negative_log_likelihood(flow, y)
    return nll, tf.zeros_like(nll)
