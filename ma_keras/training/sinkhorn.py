"""Training by the Sinkhorn divergence, for data that need no density."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras

from ma_keras import bases
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.training import rows, share
from ma_keras.training.constrained import Constrained
from ma_keras.training.data_model import DataModel
from ma_keras.training.penalties import Penalties, Weights
from ma_keras.transport.sinkhorn import Divergence, sinkhorn_divergence

FAILED = (
  'The Sinkhorn iterations of a batch did not converge, or the flow is not finite: raise `epsilon` '
  'or `max_iterations`'
)


class SinkhornDivergence(DataModel):
  """Minimises the Sinkhorn divergence of samples of the flow and of rows, batch by batch.

  No density of the data is asked for: they may lie on a curve, or be few. Every step draws as many
  samples as it has rows. The divergence of two clouds is not that of their distributions: on
  average it is larger, and its minimum is a flow that is a little too narrow, by less the larger
  the batch is. Penalties are means over the samples, from time 0 to T.

  | in the logs | what |
  |---|---|
  | `divergence`, `val_divergence` | S of samples and rows, a squared length |
  | `loss`, `val_loss` | the same, in training with penalties |
  | `iterations` | Sinkhorn's, of the slowest plan |

  `evaluate` takes S of rows and as many samples, always the same; `predict` returns ln p(x) of the
  flow, [n] nats.

  Attributes:
    epsilon: Regularisation of the plans, a squared length.
  """

  def __init__(
    self,
    bijector: MongeAmpereBijector,
    epsilon: float,
    batch_size: int | None = None,
    seed: int = 0,
    penalties: Weights | Penalties | None = None,
    base: Any = None,
    constrained: Constrained | None = None,
    tolerance: float | None = None,
    max_iterations: int = 1000,
    name: str = 'sinkhorn_divergence',
  ) -> None:
    """Checks the arguments.

    Args:
      bijector: The flow to train.
      epsilon: See `transport.sinkhorn_divergence`: 0.05 for data of unit variance, say.
      batch_size: As in `MaximumLikelihood`; some hundreds of rows.
      seed: Non-negative integer.
      penalties: Weights of `ma_keras.tallies`, by name or themselves.
      base: p(x, 0), see `FlowModel`; draws are to be functions of its variables.
      constrained: An energy to be least where the divergence is within a bound.
      tolerance: Of the plans' marginals.
      max_iterations: Most iterations of a plan.
      name: Model name.

    Raises:
      ValueError: See `FlowModel` and `transport.sinkhorn_divergence`.
    """
    super().__init__(bijector, batch_size, seed, penalties, name, base, constrained)
    self.epsilon, self.tolerance, self.max_iterations = epsilon, tolerance, max_iterations
    point = tf.zeros([1, bijector.potential.event_size], bijector.dtype)
    self._divergence_of(point, point, None)  # Refuses what is out of range.
    self._divergence = tf_keras.metrics.Mean('divergence', dtype=tf.float64)
    self._iterations = tf_keras.metrics.Mean('iterations', dtype=tf.float64)
    self._loss_mean = tf_keras.metrics.Mean('loss', dtype=tf.float64)

  @property
  def metrics(self) -> list[Any]:
    """The running means that `fit` resets every epoch."""
    return [self._divergence, self._iterations, *self.path_metrics, self._loss_mean]

  def arguments(self) -> dict[str, Any]:
    """See `SavedFlow`."""
    names = ('bijector', 'epsilon', 'batch_size', 'seed', 'penalties', 'base', 'constrained')
    return {name: getattr(self, name) for name in (*names, 'tolerance', 'max_iterations', 'name')}

  @tf.autograph.experimental.do_not_convert  # No Python branches on tensors: traced sooner.
  def train_step(self, batch: Any) -> dict[str, tf.Tensor]:
    """One step on this replica's share of the rows, and as many samples."""
    parts = rows.understood(batch, self.bijector.potential.event_size)
    rows_here = share.numbered(parts.x, parts.numbers, self.batch_size)
    weights = _ones_like(parts)
    pieces = self.accumulate * tf.distribute.get_replica_context().num_replicas_in_sync
    divergences: list[tf.Tensor] = []

    def loss(numbers: tf.Tensor, x: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
      divergence, path_loss = self._batch_losses(
        x, share.Share(numbers, rows_here.batch_size), weights
      )
      divergences.append(divergence / pieces)
      return (divergence + path_loss) / pieces

    self.descend(loss, rows_here.numbers, parts.x, weights)
    self.adapt(divergences)
    return {metric.name: metric.result() for metric in self.metrics} | self.path_results()

  @tf.autograph.experimental.do_not_convert
  def test_step(self, batch: Any) -> dict[str, tf.Tensor]:
    """S of the rows and of samples that are always the same, at steps of equal size."""
    parts = rows.understood(batch, self.bijector.potential.event_size)
    number = tf.shape(parts.x)[0]
    flow = self.flow(self.seed)
    flow = flow.copy(bijector=flow.bijector.copy(jitter=0.0))
    x = tf.cast(parts.x, self.bijector.dtype)
    result = self._divergence_of(flow.sample(number, seed=self.seed), x, parts.weights)
    for metric in (self._divergence, self._loss_mean):
      metric.update_state(result.value, tf.cast(number, tf.float64))
    return {'divergence': self._divergence.result(), 'loss': self._loss_mean.result()}

  @tf.autograph.experimental.do_not_convert
  def predict_step(self, batch: Any) -> tf.Tensor:
    """ln p(x, T) of the rows, [b] nats."""
    x = rows.understood(batch, self.bijector.potential.event_size).x
    return self.flow(self.seed).log_prob(tf.cast(x, self.bijector.dtype))

  def _batch_losses(
    self, x: tf.Tensor, rows_here: share.Share, weights: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """S of these rows, and what the paths of the samples add to it, [] each; the metrics, too."""
    latent_seed, flow_seed = self.per_sample_seeds(
      rows_here.numbers, 'sinkhorn_divergence', rows_here.batch_size
    )
    flow = self.flow(flow_seed)
    solution = flow.bijector.solve(bases.latents(self.base, latent_seed), tallies=self.tallies)
    result = self._divergence_of(solution.x, tf.cast(x, self.bijector.dtype), weights)
    value = tf.debugging.check_numerics(result.value, FAILED)
    path_loss = tf.reduce_mean(self.path_loss(solution.tallies, solution.log_density_change))
    self._divergence.update_state(value)
    self._iterations.update_state(result.iterations)
    self._loss_mean.update_state(value + path_loss)
    return value, path_loss

  def _divergence_of(self, samples: tf.Tensor, x: tf.Tensor, weights: Any) -> Divergence:
    return sinkhorn_divergence(
      samples,
      x,
      self.epsilon,
      y_weights=weights,
      tolerance=self.tolerance,
      max_iterations=self.max_iterations,
    )


def _ones_like(parts: rows.Rows) -> tf.Tensor:
  """Weights of the rows, 1 where there are none, [b]."""
  return tf.ones(tf.shape(parts.x)[:1]) if parts.weights is None else parts.weights
