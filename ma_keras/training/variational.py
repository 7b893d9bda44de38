"""Variational free energy as a tf_keras model: Eq. (7) minimised by `fit`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from ma_keras import data, distributions, objectives
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.targets.target import Target
from ma_keras.training.aids import Aids
from ma_keras.training.constrained import Constrained
from ma_keras.training.draws import check_base
from ma_keras.training.flow_model import FlowModel
from ma_keras.training.penalties import Penalties, Weights

NONE = Aids()
STEPS_PER_EPOCH = 100


class VariationalFreeEnergy(FlowModel):
  """Minimises L = E[ln p(x, T) + E(x)] over the potential, a bound on -ln Z from above. Eq. 7.

  The "data set" of `fit` is the list of sample numbers 0..B-1 of one global batch
  (`sample_numbers`). Step k draws all B latents, and random elements of the potential for every
  one of them; each replica takes the rows it was handed.

  Attributes:
    target: Energy and event size.
    aids: What helps it there.
    takes_samples: Whether `fit` takes samples of the target.
  """

  takes_samples = False

  def __init__(
    self,
    bijector: MongeAmpereBijector,
    target: Target,
    batch_size: int,
    seed: int = 0,
    penalties: Weights | Penalties | None = None,
    aids: Aids = NONE,
    name: str = 'variational_free_energy',
    base: Any = None,
    constrained: Constrained | None = None,
  ) -> None:
    """Checks the arguments.

    Args:
      bijector: The flow to train.
      target: Whose energy E is sampled.
      batch_size: B, over all replicas. The paper uses 64.
      seed: Non-negative integer.
      penalties: Weights of `ma_keras.tallies`, by name or themselves: {'kinetic': 0.01}.
      aids: Force matching, path gradients, antithetic draws, annealing; none by default.
      name: Model name.
      base: p(x, 0), as in `FlowModel`; draws are to be functions of its variables.
      constrained: An energy to be least where F is within a bound: see `Constrained`.

    Raises:
      ValueError: The event sizes differ, a number is out of range, or the bijector does not go
        with a penalty.
    """
    super().__init__(bijector, batch_size, seed, penalties, name, base, constrained)
    if target.event_size != bijector.potential.event_size:
      raise ValueError(
        f'`target` has event_size={target.event_size}, but the potential has '
        f'{bijector.potential.event_size}: give both the same N.'
      )
    aids.check(batch_size, self.base)
    if aids.path_share != 1.0 and not self.takes_samples:
      raise ValueError(
        f'`path_share` {aids.path_share!r} is of samples of the target, which Jeffreys alone '
        'takes: leave it out.'
      )
    _check_draws(self.base)
    check_base(target, self.base)
    self.target = target
    self.aids = aids
    self._free_energy = tf_keras.metrics.Mean('free_energy_per_site', dtype=tf.float64)
    self._square = tf_keras.metrics.Mean('square', dtype=tf.float64)
    self._loss_mean = tf_keras.metrics.Mean('loss', dtype=tf.float64)

  @property
  def metrics(self) -> list[Any]:
    """The running means that `fit` resets every epoch."""
    return [self._free_energy, self._square, *self.path_metrics, self._loss_mean]

  def arguments(self) -> dict[str, Any]:
    """See `SavedFlow`."""
    names = ('bijector', 'target', 'batch_size', 'seed', 'penalties', 'aids', 'name', 'base')
    return {name: getattr(self, name) for name in (*names, 'constrained')}

  def sample_numbers(self, steps: int) -> tf.data.Dataset:
    """`steps` global batches, each the sample numbers 0..B-1."""
    numbers = tf.data.Dataset.range(self.batch_size).batch(self.batch_size)
    return data.untuned(numbers.repeat(steps))

  def fit(
    self,
    x: Any = None,
    y: Any = None,
    *args: Any,
    steps_per_epoch: int | None = None,
    **options: Any,
  ) -> Any:
    """Trains; see `tf_keras.Model.fit` for what is not said here.

    Args:
      x: `sample_numbers`, or None for as many as `steps_per_epoch` asks for: there are no data.
      y: None.
      *args: `batch_size`, `epochs` and so on, in tf_keras's order.
      steps_per_epoch: Steps of an epoch; 100 by default where `x` is None.
      **options: Further arguments of tf_keras's fit.

    Returns:
      tf_keras's History.

    Raises:
      RuntimeError: The model has not been compiled.
      ValueError: There are data.
    """
    self.check_compiled()
    if x is None:
      x = self.sample_numbers(1).repeat()
      steps_per_epoch = STEPS_PER_EPOCH if steps_per_epoch is None else steps_per_epoch
    streams = (tf.data.Dataset, tf.distribute.DistributedDataset)
    creator = tf_keras.utils.experimental.DatasetCreator
    if y is not None or not isinstance(x, (*streams, creator)):
      raise ValueError(
        'A variational free energy is sampled and takes no data: fit(steps_per_epoch=100, '
        'epochs=10). Data are for training.MaximumLikelihood.'
      )
    return super().fit(x, None, *args, steps_per_epoch=steps_per_epoch, **options)

  def evaluate(self, *args: Any, **options: Any) -> Any:
    """Raises NotImplementedError, which names the measurement."""
    raise NotImplementedError(
      'A variational free energy is measured with its errors: training.measure(model.bijector, '
      'model.target, num_samples=10000, batch_size=1000, seed=1).'
    )

  def predict(self, *args: Any, **options: Any) -> Any:
    """Raises NotImplementedError, which names what samples and scores."""
    raise NotImplementedError(
      'model.flow(seed) is the distribution: flow.sample(n, seed=1) and flow.log_prob(x).'
    )

  def train_step(self, numbers: tf.Tensor) -> dict[str, tf.Tensor]:
    """One Adam step on this replica's share `numbers` (int64 [b]) of the global batch."""
    means: list[tf.Tensor] = []

    def loss(numbers: tf.Tensor) -> tf.Tensor:
      free_energy, total = self._loss(numbers)
      means.append(free_energy)
      return total

    self.descend(loss, numbers)
    self.adapt(means)
    return self.get_metrics_result()

  def _loss(self, numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """F and the loss of these samples, parts of means over the global batch; the metrics, too."""
    latent_seed, flow_seed = self.per_sample_seeds(numbers, 'variational_free_energy')
    latents = self.aids.latents(self.base, latent_seed)
    draws = self._draws(numbers)
    free_energies, penalties = self._terms(self.flow(flow_seed), latents, **draws)
    per_site = tf.cast(free_energies, tf.float64) / self.target.event_size
    self._free_energy.update_state(per_site)
    self._square.update_state(tf.square(per_site))
    losses = free_energies + penalties
    self._loss_mean.update_state(losses)
    return tf.reduce_sum(free_energies) / self.batch_size, tf.reduce_sum(losses) / self.batch_size

  def _draws(self, numbers: tf.Tensor) -> dict[str, Any]:
    """Energies x -> E [b] and contexts of these samples, where those are drawn as well."""
    del numbers
    return {}

  def _terms(
    self,
    flow: Any,
    latents: tf.Tensor,
    energy: Callable[[tf.Tensor], tf.Tensor] | None = None,
    context: tf.Tensor | None = None,
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """ln p + E per latent, [b], and what is added to it for training's sake alone, [b]."""
    aids, energy = self.aids, energy or self.target.energy
    log_prob, solution = distributions.solve(
      flow, latents, tallies=self.tallies, with_score=aids.path_gradient, context=context
    )
    x = solution.x
    if aids.path_gradient:
      log_prob = objectives.along_paths(log_prob, x, solution.score)
    penalties = self.path_loss(solution.tallies, log_prob)
    if aids.force_weight > 0:
      penalties += aids.force_weight * objectives.force_matching(flow, energy, x)
    energies = aids.limited(energy(x))
    if aids.anneal_steps > 0:
      beta = aids.inverse_temperature(self.optimizer.iterations, latents.dtype)
      penalties -= (1.0 - beta) * energies
    return log_prob + energies, penalties

  def get_metrics_result(self) -> dict[str, tf.Tensor]:
    """F/N, the spread of its terms and the loss, what is minimised: F and its penalties, nats.

    Where the aids have an `energy_ceiling` F is of energies limited by it.

    Keras asks for them at the end of an epoch as well.
    """
    mean = self._free_energy.result()
    spread = tf.sqrt(tf.maximum(self._square.result() - tf.square(mean), 0.0))
    logs = {'free_energy_per_site': mean, 'spread_per_site': spread}
    return {**logs, **self.path_results(), 'loss': self._loss_mean.result()}


def _check_draws(base: Any) -> None:
  """Raises ValueError if the base is trained and its draws have no derivative by its variables."""
  reparameterized = base.reparameterization_type == tfp.distributions.FULLY_REPARAMETERIZED
  if base.trainable_variables and not reparameterized:
    raise ValueError(
      f'`base` {base.name!r} has variables, and its draws have no derivative by them: take a base '
      'that is reparameterized, a tfd.MultivariateNormalTriL say, or one without variables.'
    )
