"""Common part of every objective's tf_keras model: a flow, a batch size, a seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf
import tf_keras

from ma_keras import distributions, seeds
from ma_keras.arguments import is_whole
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.distributions.flow_chain import FlowChain, is_chain
from ma_keras.flow.tallies import Tally
from ma_keras.training import keras3
from ma_keras.training.built_optimizer import BuiltOptimizer
from ma_keras.training.constrained import Constrained
from ma_keras.training.penalties import Penalties, Weights
from ma_keras.training.saving import SavedFlow


class FlowModel(SavedFlow, BuiltOptimizer):
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
    base: p(x, 0), where it starts from.
    batch_size: B, over all replicas; with parameter servers, of one worker. None where rows are
      numbered as they come.
    seed: Non-negative integer; with the step it names every random number of training.
    penalties: Tallies of the flow that the loss holds down, with their weights.
    accumulate: In how many parts, one after another, a replica takes its rows.
    refinements: How often the steps were halved so far (`training.Refinement`), int64 variable.
    constrained: The energy that is the objective, with the loss as its constraint; None for none.
    log_multiplier: ln of the constraint's multiplier, variable; None without one.
  """

  takes_chains = False  # Whether several flows in a row can be trained.

  def __init__(
    self,
    bijector: MongeAmpereBijector,
    batch_size: int | None = None,
    seed: int = 0,
    penalties: Weights | Penalties | None = None,
    name: str | None = None,
    base: Any = None,
    constrained: Constrained | None = None,
  ) -> None:
    """Checks the arguments.

    Args:
      bijector: The flow to train.
      batch_size: B, over all replicas; None for any.
      seed: Non-negative integer.
      penalties: Weights of `ma_keras.tallies`, by name or themselves: {'kinetic': 0.01}.
      name: Model name.
      base: p(x, 0), a `tfd.Distribution` with events [N] of the bijector's dtype; standard normal
        by default. Its variables are trained, too.
      constrained: Make an energy of the paths least, among flows whose loss is within a bound.

    Raises:
      TypeError: `bijector` is none.
      ValueError: A number is out of range, the integrator or the gradient mode does not go with a
        penalty, or the base has other events.
    """
    super().__init__(name=name, autocast=False)
    if batch_size is not None and not is_whole(batch_size):
      raise ValueError(f'`batch_size` must be positive and whole, got {batch_size}.')
    if self.takes_chains and is_chain(bijector) and not isinstance(bijector, FlowChain):
      bijector = FlowChain(bijector.bijectors)
    if not isinstance(bijector, (MongeAmpereBijector, *([FlowChain] if self.takes_chains else []))):
      raise TypeError(
        f'`bijector` must be a ma_keras.MongeAmpereBijector, got {type(bijector).__name__}: '
        'preprocessing is an argument of its own, and chains of flows are for MaximumLikelihood.'
      )
    seeds.stateless(seed, salt='training')  # Refuses what is no seed.
    self.penalties = Penalties(penalties)
    self.constrained = constrained
    self._energy = Penalties({constrained.tally: 1.0} if constrained else None)
    self.log_multiplier = constrained.variable() if constrained else None
    bijector.check_tallies(self.tallies)
    self.bijector = bijector
    self.base = distributions.flow_from(base, bijector).distribution
    self.batch_size = None if batch_size is None else int(batch_size)
    self.seed = seed
    self.accumulate = 1
    self.refinements = tf.Variable(0, dtype=tf.int64, trainable=False, name='refinements')
    # Metrics hold the global batch already; Keras would add up what the replicas return.
    self.distribute_reduction_method = 'first'
    self.built = True  # All variables exist; there is no call() to build from.

  def compile(
    self,
    optimizer: Any = 'adam',
    loss: None = None,
    metrics: None = None,
    loss_weights: None = None,
    weighted_metrics: None = None,
    **options: Any,
  ) -> None:
    """Chooses the optimiser; loss and metrics are the model's own.

    Args:
      optimizer: A name or an optimiser of tf_keras; one of Keras 3 is taken for that of tf_keras
        with the same hyperparameters.
      loss: None.
      metrics: None.
      loss_weights: None.
      weighted_metrics: None.
      **options: `jit_compile`, `run_eagerly`, `steps_per_execution` and others of tf_keras.

    Raises:
      ValueError: There is a loss or a metric, or tf_keras has no such optimiser.
    """
    given = {'loss': loss, 'metrics': metrics, 'loss_weights': loss_weights}
    for name, value in {**given, 'weighted_metrics': weighted_metrics}.items():
      if value is not None:
        raise ValueError(
          f'`{name}` compares predictions with labels, and here are none: {type(self).__name__} '
          "minimises a loss of its own, compile(optimizer='adam')."
        )
    super().compile(keras3.optimizer(optimizer), **options)

  def fit(self, *args: Any, **options: Any) -> Any:
    """Trains: see `tf_keras.Model.fit`; `callbacks` may be those of Keras 3."""
    if 'callbacks' in options:
      options['callbacks'] = keras3.callbacks(options['callbacks'])
    return super().fit(*args, **options)

  def add_loss(self, losses: Any, **options: Any) -> None:
    """Raises NotImplementedError: the steps would leave it out."""
    raise NotImplementedError(
      f'`add_loss`: {type(self).__name__} minimises a loss of its own. Override `train_step`, or '
      'train a functional model around flow.log_prob, which takes any loss.'
    )

  def add_metric(self, *args: Any, **options: Any) -> None:
    """Raises NotImplementedError: the steps would leave it out."""
    raise NotImplementedError(
      f'`add_metric`: {type(self).__name__} has metrics of its own. Return more of them from '
      '`train_step`, or measure in a callback.'
    )

  def compile_from_config(self, config: dict[str, Any]) -> None:
    """Compiles as a saved model was."""
    self.compile(**tf_keras.saving.deserialize_keras_object(config))
    self.optimizer.build(self.trainable_variables)

  def check_compiled(self) -> None:
    """Raises RuntimeError unless `compile` was called."""
    if getattr(self, 'optimizer', None) is None:
      raise RuntimeError(
        "The model has no optimiser: call model.compile(optimizer='adam') first, or with "
        'training.adam(learning_rate, total_steps) for warm-up and decay.'
      )

  def flow(self, seed: seeds.Seed) -> Any:
    """The model p(x, T), with the draws of `seed` in its potential."""
    return distributions.flow_from(self.base, self.bijector.with_seed(seed))

  @property
  def tallies(self) -> tuple[Tally, ...]:
    """Sums along the paths: the penalties, and the energy that is the objective."""
    return (*self.penalties.tallies, *self._energy.tallies)

  @property
  def path_metrics(self) -> list[Any]:
    """The running mean of every tally."""
    return [*self.penalties.metrics, *self._energy.metrics]

  def path_results(self) -> dict[str, tf.Tensor]:
    """The mean of every tally by its name, and the multiplier of a constraint."""
    results = {**self.penalties.results(), **self._energy.results()}
    if self.log_multiplier is not None:
      results['multiplier'] = tf.exp(self.log_multiplier)
    return results

  def path_loss(
    self,
    tallies: Mapping[str, tf.Tensor],
    like: tf.Tensor,
    sample_weight: tf.Tensor | None = None,
  ) -> tf.Tensor:
    """The part of the loss that is of the paths, per sample; the metrics take the tallies in.

    Args:
      tallies: By name, [...] each.
      like: A tensor of the loss's shape [...] and dtype.
      sample_weight: As in the metrics, [...].
    """
    self.penalties.update_state(tallies, sample_weight)
    self._energy.update_state(tallies, sample_weight)
    total = self.penalties.total(tallies, like)
    if self.log_multiplier is not None:
      total += tf.cast(tf.exp(-self.log_multiplier), like.dtype) * self._energy.total(tallies, like)
    return total

  def adapt(self, parts: Sequence[tf.Tensor]) -> None:
    """One step of the multiplier, after that of the optimiser; nothing without a constraint.

    Args:
      parts: What this replica's rows add to the mean of the constrained value, [] each.
    """
    if self.constrained is not None:
      total = sum(parts, start=tf.zeros([], parts[0].dtype))
      self.constrained.adapt(self.log_multiplier, total)

  def per_sample_seeds(
    self, numbers: tf.Tensor, salt: str, batch_size: int | tf.Tensor | None = None
  ) -> tuple[seeds.PerSample, seeds.PerSample]:
    """Two seeds of the present step for these samples.

    Args:
      numbers: Of the samples, int64 [b], all of one block of B.
      salt: Name of the draws.
      batch_size: B; the model's own by default.
    """
    size = self.batch_size if batch_size is None else batch_size
    numbers, block_size = tf.cast(numbers, tf.int64), tf.cast(size, tf.int64)
    step = seeds.stateless(self.seed, salt=salt)
    step = seeds.fold_in(step, tf.cast(self.optimizer.iterations, tf.int32))
    # The sum of one number, or of none where a replica has no share. Block 0 is all there is, but
    # for parameter servers.
    block = tf.cast(tf.reduce_sum(numbers[:1]) // block_size, tf.int32)
    step = tf.where(block > 0, seeds.fold_in(step, block), step)
    first, second = seeds.split(step, 2, salt='train_step')
    numbers = numbers % block_size
    return seeds.PerSample(first, numbers, size), seeds.PerSample(second, numbers, size)

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
    for part in zip(*(self._parts(array) for array in rows)):
      with tf.control_dependencies(gradients), tf.GradientTape() as tape:
        value = loss(*part)
      terms = tape.gradient(value, variables)
      gradients = [a + b for a, b in zip(gradients, terms)] if gradients else terms
    self.optimizer.apply_gradients(zip(gradients, variables))

  def _parts(self, rows: tf.Tensor) -> list[tf.Tensor]:
    """Rows [b, ...] in `accumulate` parts, equal ones if they divide b."""
    number = self.accumulate
    size = tf.shape(rows)[0] if rows.shape[0] is None else rows.shape[0]
    return tf.split(rows, tf.stack([(size + k) // number for k in range(number)]), num=number)
