"""Tallies that training holds down, each with its weight and its metric."""

from __future__ import annotations

import numbers
from collections.abc import ItemsView, Mapping
from typing import TypeAlias

import numpy as np
import tensorflow as tf

from ma_keras.flow.tallies import TALLIES, Tally, get
from ma_keras.training.row_mean import RowMean

# Of tallies themselves, or by names of the package's.
Weights: TypeAlias = Mapping[str, float] | Mapping[Tally, float] | Mapping[str | Tally, float]
# What to do where steps cannot be trusted.
SMALLER_STEPS = (
  'with more, smaller steps (--num_steps up, --step_size down by the same factor), or with '
  '--penalty=stiffness:1'
)


class Penalties:
  """sum_k weight_k tally_k, added to the loss of every sample.

  Attributes:
    tallies: The tallies, in their order.
    metrics: The running mean of each, by its name.
  """

  def __init__(self, weights: Weights | Penalties | None = None) -> None:
    """Checks the weights.

    Args:
      weights: Weight of every tally, zero or positive; a name stands for a tally of the package.

    Raises:
      ValueError: A weight is negative or not finite, there is no such tally, or two have one name.
    """
    self._weights: dict[Tally, float] = {}
    # No Mapping itself: Keras sorts the keys of those among a model's attributes.
    for tally, weight in (weights or {}).items():
      instance = get(tally)
      if not (isinstance(weight, numbers.Real) and 0 <= weight < np.inf):
        raise ValueError(
          f'`penalties` must have weights that are not negative, got {weight!r} for '
          f'{instance.name!r}: 0 leaves a penalty out.'
        )
      if any(instance.name == other.name for other in self._weights):
        raise ValueError(
          f'`penalties` has two of the name {instance.name!r}: a metric needs its own.'
        )
      if weight > 0:
        self._weights[instance] = float(weight)
    self.tallies = tuple(self._weights)
    self.metrics = [RowMean(tally.name, dtype=tf.float64) for tally in self.tallies]

  def items(self) -> ItemsView[Tally, float]:
    """Tallies and their weights, of which none is zero."""
    return self._weights.items()

  def __len__(self) -> int:
    """Number of penalties."""
    return len(self._weights)

  def __reduce__(self) -> tuple[type[Penalties], tuple[dict[Tally, float]]]:
    """The weights: metrics, which cannot be pickled, are made anew."""
    return type(self), (self._weights,)

  def total(self, tallies: Mapping[str, tf.Tensor], like: tf.Tensor) -> tf.Tensor:
    """sum_k weight_k tally_k, shape and dtype of `like` [...]."""
    total = tf.zeros_like(like)
    for tally, weight in self._weights.items():
      total += weight * tallies[tally.name]
    return total

  def update_state(
    self, tallies: Mapping[str, tf.Tensor], sample_weight: tf.Tensor | None = None
  ) -> None:
    """Takes the tallies of some samples into the metrics."""
    for metric in self.metrics:
      metric.update_state(tallies[metric.name], sample_weight)

  def results(self) -> dict[str, tf.Tensor]:
    """The mean of every tally, by its name."""
    return {metric.name: metric.result() for metric in self.metrics}

  def description(self) -> dict[str, float]:
    """Weights by the names of the package's tallies.

    Raises:
      NotImplementedError: One is of another class.
    """
    unnamed = [tally.name for tally in self.tallies if TALLIES.get(tally.name) != tally]
    if unnamed:
      raise NotImplementedError(
        f'Penalties of a class of your own, {unnamed}, have no description.'
      )
    return {tally.name: weight for tally, weight in self._weights.items()}
