"""Both divergences of a flow from its target at once, as a tf_keras model."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import tensorflow as tf
import tf_keras

from ma_keras import data, objectives
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.targets.target import SubspaceTarget, Target
from ma_keras.training.aids import Aids
from ma_keras.training.penalties import Penalties, Weights
from ma_keras.training.variational import NONE, VariationalFreeEnergy


class Jeffreys(VariationalFreeEnergy):
  """Minimises (1 - a) KL(q, p) + a KL(p, q), q the flow and p = exp(-E)/Z; without ln Z.

  KL(q, p) is by draws of the flow, which tell where it strays from the target; KL(p, q) by samples
  of the target, which know every mode: `fit` takes them, and as many draws are made beside.

  With `Aids(path_gradient=True)` both gradients are along paths (Vaitl, Nicoli, Nakajima & Kessel
  2024, arXiv:2403.15881): samples x flow back to z with s = grad ln p carried from -grad E(x), and
  KL(p, q) is that of p flowed back and the base, whose gradient is (s - grad ln p_0(z)).dz/dtheta.
  It vanishes at every sample where the model is the target, so that samples are not learned by
  heart: their noise vanishes with the error, which that of likelihoods does not. The few samples
  between two modes then decide how much of the mass is in each: `Aids(path_share=0.6)` mixes both.

  Attributes:
    share: a.
  """

  takes_samples = True

  def __init__(
    self,
    bijector: MongeAmpereBijector,
    target: Target,
    batch_size: int,
    seed: int = 0,
    penalties: Weights | Penalties | None = None,
    aids: Aids = NONE,
    name: str = 'jeffreys',
    base: Any = None,
    share: float = 0.5,
  ) -> None:
    """Checks the arguments.

    Args:
      bijector: The flow to train.
      target: Whose energy E is sampled.
      batch_size: B, of draws and of samples alike, over all replicas.
      seed: Non-negative integer.
      penalties: Weights of `ma_keras.tallies`, of the paths of both.
      aids: As in `VariationalFreeEnergy`; all but path gradients and their share are for draws of
        the flow.
      name: Model name.
      base: p(x, 0), as in `FlowModel`.
      share: a, above 0 and at most 1: then no draws are made.

    Raises:
      ValueError: See `VariationalFreeEnergy`; or the share is out of range.
    """
    super().__init__(bijector, target, batch_size, seed, penalties, aids, name, base)
    if not 0.0 < share <= 1.0:
      raise ValueError(
        f'`share` must lie in (0, 1], got {share!r}: 0.5 is usual; VariationalFreeEnergy is 0.'
      )
    self.share = float(share)
    self._nll = tf_keras.metrics.Mean('nll', dtype=tf.float64)
    self._sample_loss = tf_keras.metrics.Mean('sample_loss', dtype=tf.float64)

  @property
  def metrics(self) -> list[Any]:
    """The running means that `fit` resets every epoch."""
    return [*super().metrics, self._nll, self._sample_loss]

  def arguments(self) -> dict[str, Any]:
    """See `SavedFlow`."""
    given = super().arguments()
    del given['constrained']
    return {**given, 'share': self.share}

  def fit(self, x: Any = None, y: Any = None, *args: Any, **options: Any) -> Any:
    """Trains; see `tf_keras.Model.fit` for what is not said here.

    Args:
      x: Samples of the target, [n, N], which are taken in batches of `batch_size` and in another
        order every epoch; or a `tf.data.Dataset` of batches (numbers, samples).
      y: None.
      *args: `epochs` and so on, in tf_keras's order, after a `batch_size` that is the model's.
      **options: Further arguments of tf_keras's fit.

    Returns:
      tf_keras's History.

    Raises:
      RuntimeError: The model has not been compiled.
      ValueError: There are labels; or no samples, or not of the target's size.
    """
    self.check_compiled()
    if y is not None:
      raise ValueError('`y` must be left out: samples of a target have no labels.')
    if not isinstance(x, tf.data.Dataset | tf.distribute.DistributedDataset):
      x, size = self._checked(x), cast(int, self.batch_size)
      options = {'steps_per_epoch': len(x) // size, **options}
      x = data.batches(x, size, self.seed)
    elif not isinstance(x.element_spec, tuple) or len(x.element_spec) != 2:
      raise ValueError(
        '`x` must be batches (numbers, samples), data.batches(samples, batch_size, seed), or the '
        f'samples as an array; got a data set of {x.element_spec}.'
      )
    return super().fit(x, None, *args, **options)

  def _checked(self, x: Any) -> np.ndarray:
    """Samples [n, N] as an array of the flow's dtype."""
    dtype, size = self.bijector.dtype.as_numpy_dtype, self.bijector.potential.event_size
    array = np.asarray([] if x is None else x, dtype)
    if array.ndim != 2 or array.shape[1] != size or not np.all(np.isfinite(array)):
      raise ValueError(
        f'`x` must be finite samples of the target, [n, {size}], got shape {list(array.shape)}: '
        'those of samplers.hamiltonian_chains, say.'
      )
    if isinstance(self.target, SubspaceTarget):
      self.target.check_samples(array, 'subtract the mean over particles')
    return array

  def train_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
    """One step on this replica's share, numbers int64 [b] and samples [b, N], of a batch."""

    def loss(numbers: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
      of_samples = tf.reduce_sum(self._sample_terms(numbers, x)) / self.batch_size
      if self.share == 1.0:
        return of_samples
      return (1.0 - self.share) * self._loss(numbers)[1] + self.share * of_samples

    numbers, x = batch
    self.descend(loss, numbers, tf.cast(x, self.bijector.dtype))
    return self.get_metrics_result()

  def _sample_terms(self, numbers: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """-ln q - E of samples, whose mean is KL(p, q) + ln Z, and what their paths add, [b]."""
    flow = self.flow(self.per_sample_seeds(numbers, 'variational_free_energy')[1])
    with tf.GradientTape(watch_accessed_variables=False) as tape:
      tape.watch(x)
      energy = self.target.energy(x)
    score = -tape.gradient(energy, x) if self.aids.path_gradient else None
    solution = flow.bijector.solve(x, reverse=True, tallies=self.tallies, score=score)
    log_prob = solution.log_density_change - energy  # Of exp(-E), flowed back to z.
    if self.aids.path_gradient:
      along_paths = objectives.along_paths(log_prob, solution.x, solution.score)
      share = self.aids.path_share
      log_prob = share * along_paths + (1.0 - share) * log_prob if share < 1.0 else along_paths
    terms = log_prob - flow.distribution.log_prob(solution.x)
    losses = terms + self.path_loss(solution.tallies, terms)
    self._nll.update_state(terms + energy)
    self._sample_loss.update_state(losses)
    return losses

  def get_metrics_result(self) -> dict[str, tf.Tensor]:
    """Mean -ln q of samples as `nll`, the weighted sum as `loss`, penalties; F with its draws."""
    loss = self.share * self._sample_loss.result()
    logs = {'nll': self._nll.result(), **self.path_results()}
    if self.share < 1.0:
      own = super().get_metrics_result()
      logs, loss = {**own, **logs}, loss + (1.0 - self.share) * own['loss']
    return {**logs, 'loss': loss}
