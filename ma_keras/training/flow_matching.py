"""Flow matching as a tf_keras model: the velocity of straight lines between two ends."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras

from ma_keras import seeds
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.training.flow_model import FlowModel


class FlowMatching(FlowModel):
  """Minimises E |grad phi(t, x_t) - (x - z)/T|^2, x_t = z + (x - z) t/T, over the potential.

  Its minimum over all velocities v(t, x) is E[(x - z)/T | x_t], whose flow takes the distribution
  of z to that of x (Lipman et al. 2023); over gradients it is the closest gradient. No flow is
  solved: a step costs as much as one evaluation of grad phi and its derivative. Where z and x come
  in pairs that lie close to one another (`particles.alignment`), paths are straighter and their
  velocity is nearer to a gradient.

  `fit` takes batches (z, x) of both ends, [B, N] each, or two arrays.

  Attributes:
    times: J, at how many times each step looks: one in every J-th part of [0, T].
  """

  def __init__(
    self,
    bijector: MongeAmpereBijector,
    times: int = 8,
    seed: int = 0,
    name: str = 'flow_matching',
    base: Any = None,
  ) -> None:
    """Checks the arguments.

    Args:
      bijector: The flow, whose potential is trained.
      times: J; batches have a multiple of J rows.
      seed: Non-negative integer, which with the number of the step names its times.
      name: Model name.
      base: p(x, 0), which z is drawn of: as in `FlowModel`.

    Raises:
      ValueError: A number is out of range.
    """
    super().__init__(bijector, seed=seed, name=name, base=base)
    if isinstance(times, bool) or not isinstance(times, int) or times < 1:
      raise ValueError(f'`times` must be a positive integer, got {times!r}. 8 is usual.')
    self.times = times
    self._mismatch = tf_keras.metrics.Mean('loss', dtype=tf.float64)

  @property
  def metrics(self) -> list[Any]:
    """The running mean that `fit` resets every epoch."""
    return [self._mismatch]

  def arguments(self) -> dict[str, Any]:
    """See `SavedFlow`."""
    return {name: getattr(self, name) for name in ('bijector', 'times', 'seed', 'name', 'base')}

  def train_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
    """One step on pairs (z, x), [B, N] each."""
    z, x = (tf.cast(end, self.bijector.dtype) for end in batch)
    self.descend(self._loss, z, x)
    return self.get_metrics_result()

  def _loss(self, z: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Mean over the pairs of the squared mismatch of velocities, []."""
    step = seeds.stateless(self.seed, salt='flow_matching')
    step = seeds.fold_in(step, tf.cast(self.optimizer.iterations, tf.int32))
    within = tf.random.stateless_uniform([self.times], step, dtype=z.dtype)
    parts = (tf.range(self.times, dtype=z.dtype) + within) / self.times
    # Traced J times: XLA takes all that enters a nested tf.function for constants where shapes are
    # had back from it, and compiles anew at every step.
    losses = [
      self._mismatches(*arguments)
      for arguments in zip(tf.unstack(parts), tf.split(z, self.times), tf.split(x, self.times))
    ]
    loss = tf.reduce_mean(tf.concat(losses, axis=0))
    self._mismatch.update_state(loss)
    return loss

  def _mismatches(self, part: tf.Tensor, z: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """|grad phi(t, x_t) - (x - z)/T|^2 at t = part T of some pairs, [b]."""
    time = tf.constant(self.bijector.horizon.time, z.dtype)
    velocity = self.bijector.potential.gradient(part * time, z + part * (x - z))
    return tf.reduce_sum(tf.square(velocity - (x - z) / time), axis=-1)
