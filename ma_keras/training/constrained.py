"""An energy of paths as the objective, and the likelihood or free energy as its constraint."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import tensorflow as tf
import tf_keras

from ma_keras.arguments import is_finite
from ma_keras.flow.tallies import TALLIES, get

MULTIPLIERS = (1e-3, 1e3)  # Least and largest: beyond them one of the two is not felt at all.
VIOLATED = 1e9  # Beyond all energies.


@dataclasses.dataclass(frozen=True)
class Constrained:
  """min E[tally] over flows with E[value] <= bound, by the saddle point of a Lagrangian.

      L = E[value] + E[tally] / lambda,   d ln lambda = rate (E[value] - bound)   each step,

  where the value is -ln p (`MaximumLikelihood`) or ln p + E (`VariationalFreeEnergy`). While the
  constraint is violated its multiplier lambda grows and the energy counts for less; where it holds
  with room to spare lambda falls. At the saddle point the constraint holds with equality, or the
  least energy of all needs no constraint. The multiplier is a variable of the model, which
  checkpoints, weights and pickles hold, and a metric, `multiplier`.

  The likelihood that a flow can reach is not known beforehand: train without, and allow what it
  reached and a little more.

  Attributes:
    bound: Largest E[value], in nats: of `nll` in the logs, or of F itself and not F/N.
    tally: What is to be least: 'kinetic', or a tally of your own that is never negative.
    multiplier: lambda at the start.
    rate: Of ln lambda, per step and nat.
    most: Violations beyond so many nats count as so many, up and down: early in training they say
      nothing of the end.
  """

  bound: float
  tally: Any = 'kinetic'
  multiplier: float = 10.0
  rate: float = 0.2
  most: float = 0.1

  def __post_init__(self) -> None:
    """Checks the numbers, and takes the tally by its name.

    Raises:
      ValueError: A number is out of range, or there is no such tally.
    """
    object.__setattr__(self, 'tally', get(self.tally))
    if not is_finite(self.bound):
      raise ValueError(f'`bound` must be finite, got {self.bound!r}: nats of the loss.')
    for name in ('multiplier', 'rate', 'most'):
      value = getattr(self, name)
      if not is_finite(value) or value <= 0:
        raise ValueError(f'`{name}` must be positive and finite, got {value!r}.')

  def variable(self) -> tf.Variable:
    """ln lambda at the start, float64 []."""
    return tf.Variable(
      math.log(self.multiplier),
      dtype=tf.float64,
      trainable=False,
      aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
      name='log_multiplier',
    )

  def adapt(self, log_multiplier: tf.Variable, value: tf.Tensor) -> None:
    """One step of ln lambda.

    Args:
      log_multiplier: The variable.
      value: This replica's part of the mean over the global batch, [].
    """
    context = tf.distribute.get_replica_context()
    value = tf.cast(value, tf.float64)
    if context.num_replicas_in_sync > 1:
      value = context.all_reduce(tf.distribute.ReduceOp.SUM, value)
    violation = tf.clip_by_value(value - self.bound, -self.most, self.most)
    least, largest = map(math.log, MULTIPLIERS)
    log_multiplier.assign(tf.clip_by_value(log_multiplier + self.rate * violation, least, largest))

  def doubts(self, value: float, error: float, tolerance: float = 0.01) -> str:
    """Says in one line that the constraint does not hold; empty if it does.

    Args:
      value: E[value], nats.
      error: Its standard error, nats.
      tolerance: Violation that is put up with beside two standard errors, nats.
    """
    if value <= self.bound + max(tolerance, 2 * error):
      return ''
    return (
      f'The constraint does not hold: {value:.4g} +- {error:.1g} nats exceed the bound of '
      f'{self.bound:.4g}. Train longer, or allow more: no flow of this kind may reach it.'
    )

  def rank(self, energy: float, value: float, error: float) -> float:
    """A number that is least for the best of several flows: the energy, where the constraint holds.

    Flows that violate it come after all others, the least violation first.
    """
    if not self.doubts(value, error):
      return energy
    return VIOLATED + value - self.bound

  def rank_doubts(self, rank: float) -> str:
    """Says in one line that the best flow of all, by its rank, violates the constraint."""
    return self.doubts(rank - VIOLATED + self.bound, 0.0) if rank >= VIOLATED else ''

  def description(self) -> dict[str, Any]:
    """The arguments as plain values.

    Raises:
      NotImplementedError: The tally is of another class than the package's.
    """
    if TALLIES.get(self.tally.name) != self.tally:
      raise NotImplementedError(f'{self.tally.name!r}, of a class of your own, has no description.')
    return {**dataclasses.asdict(dataclasses.replace(self)), 'tally': self.tally.name}


class ConstrainedValidation(tf_keras.callbacks.Callback):
  """Adds `val_objective` to the logs of every epoch: `Constrained.rank` of its flow.

  Its value is that of validation points in refined steps, its energy that of the epoch's training.
  Place it after the `Validation`, and before the callbacks that read it.
  """

  def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
    """Ranks."""
    del epoch
    if logs is not None:
      constrained = self.model.constrained
      energy = float(logs[constrained.tally.name])
      validated = float(logs['val_certified_nll']), float(logs['val_nll_error'])
      logs['val_objective'] = constrained.rank(energy, *validated)
