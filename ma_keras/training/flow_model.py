"""What every objective's tf_keras model has in common: a flow, a batch size, a seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras

from ma_keras import seeds
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.distributions import standard_normal_flow


class FlowModel(tf_keras.Model):
  """A flow to be trained by `fit`, in steps that are functions of (seed, number of the step).

  Every random number of step k comes from (seed, k) and the number of its sample in the global
  batch. So N replicas train exactly as one with the same global batch, and a resumed run
  continues the interrupted one. Subclasses define `train_step`.

  Workers of parameter servers (`training.parameter_server`) take steps of B samples each, when they
  are ready: two of them may read the same k. Worker w numbers its samples w B .. (w + 1) B - 1,
  and block w draws from (seed, k, w). No worker reads the same k twice, since its own step has
  raised it; so no draws are ever repeated. Which k a worker meets is a matter of time: such runs
  are not deterministic, and a resumed one is another run.

  Attributes:
    bijector: The flow that is trained.
    batch_size: B, over all replicas; with parameter servers, of one worker.
    seed: Non-negative integer; with the step it names every random number of training.
    stiffness_weight: Weight of the solver's stiffness.
    accumulate: In how many parts, one after another, a replica takes its rows.
    refinements: How often the steps were halved so far (`training.Refinement`), int64 variable.
  """

  def __init__(
    self,
    bijector: MongeAmpereBijector,
    batch_size: int,
    seed: int = 0,
    stiffness_weight: float = 0.0,
    name: str | None = None,
  ) -> None:
    """Checks the arguments.

    Args:
      bijector: The flow to train.
      batch_size: B, over all replicas.
      seed: Non-negative integer.
      stiffness_weight: Weight of `MongeAmpereBijector.with_stiffness`, zero or positive.
      name: Model name.

    Raises:
      ValueError: A number is out of range, or the bijector has no stiffness to weigh.
    """
    super().__init__(name=name)
    if int(batch_size) != batch_size or batch_size < 1 or stiffness_weight < 0:
      raise ValueError(
        '`batch_size` must be positive and whole, and `stiffness_weight` not negative, got '
        f'{batch_size} and {stiffness_weight}.'
      )
    if stiffness_weight > 0:
      bijector.check_stiffness()
    self.bijector = bijector
    self.batch_size = int(batch_size)
    self.seed = seed
    self.stiffness_weight = stiffness_weight
    self.accumulate = 1
    self.refinements = tf.Variable(0, dtype=tf.int64, trainable=False, name='refinements')
    # Metrics hold the global batch already; Keras would add up what the replicas return.
    self.distribute_reduction_method = 'first'
    self.built = True  # All variables exist; there is no call() to build from.

  def flow(self, seed: seeds.Seed) -> Any:
    """The model p(x, T), with the draws of `seed` in its potential."""
    return standard_normal_flow(self.bijector.with_seed(seed))

  def per_sample_seeds(
    self, numbers: tf.Tensor, salt: str
  ) -> tuple[seeds.PerSample, seeds.PerSample]:
    """Two seeds of the present step for these samples, int64 [b], of one block of B."""
    step = seeds.stateless(self.seed, salt=salt)
    step = seeds.fold_in(step, tf.cast(self.optimizer.iterations, tf.int32))
    # The sum of one number, or of none where a replica has no share. Block 0 is all there is, but
    # for parameter servers.
    block = tf.cast(tf.reduce_sum(numbers[:1]) // self.batch_size, tf.int32)
    step = tf.where(block > 0, seeds.fold_in(step, block), step)
    first, second = seeds.split(step, 2, salt='train_step')
    numbers = numbers % self.batch_size
    return (
      seeds.PerSample(first, numbers, self.batch_size),
      seeds.PerSample(second, numbers, self.batch_size),
    )

  def descend(self, loss: Callable[..., tf.Tensor], *rows: tf.Tensor) -> None:
    """One step of the optimiser, which sums the gradients of all replicas.

    With `accumulate` parts the gradient is that of the first part of the rows, plus that of the
    next: less memory, and, for a sum of two, to the bit what two replicas make of them.

    Args:
      loss: Rows -> their part of the loss of the global batch, a sum over rows, [].
      *rows: This replica's share, [b, ...] each.
    """
    variables = self.trainable_variables
    gradients: list[tf.Tensor] = []
    for part in zip(*(tf.split(each, self.accumulate) for each in rows)):
      with tf.control_dependencies(gradients), tf.GradientTape() as tape:
        value = loss(*part)
      more = tape.gradient(value, variables)
      gradients = [a + b for a, b in zip(gradients, more)] if gradients else more
    self.optimizer.apply_gradients(zip(gradients, variables))
