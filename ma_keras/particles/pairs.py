"""Sums over pairs of particles without lists of neighbours: every pair is met by a cyclic shift."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras.arguments import is_finite, is_whole


@dataclasses.dataclass(frozen=True)
class Pairing:
  """Pairs (i, i + k mod n), k = 1, ..., K = n // 2, of n particles in D dimensions.

  Every pair comes once; with k = n/2 it comes twice, and then counts one half each time. Shifts
  are slices: they vectorise, and so does their derivative, where gathers by lists of pairs do not.

  Attributes:
    particles: n, at least 2.
    dimensions: D.
    species: Kind of every particle, n numbers of 0, 1, ..., S - 1; None where all are alike.
    box: Lengths L, [D], of a periodic box: a particle meets the nearest image of another. None
      without a box.
  """

  particles: int
  dimensions: int
  species: tuple[int, ...] | None = None
  box: tuple[float, ...] | None = None

  def __post_init__(self) -> None:
    """Checks the sizes, kinds and lengths.

    Raises:
      ValueError: A size is not whole, or too small; a kind is missing, or a length not positive.
    """
    if not is_whole(self.particles, 2) or not is_whole(self.dimensions):
      raise ValueError(
        '`particles` must be at least 2 and `dimensions` at least 1, both whole, got '
        f'{self.particles!r} and {self.dimensions!r}.'
      )
    object.__setattr__(self, 'particles', int(self.particles))  # 4.0 is whole, and no length.
    object.__setattr__(self, 'dimensions', int(self.dimensions))
    kinds = self.species
    if kinds is not None and (
      len(kinds) != self.particles or sorted(set(kinds)) != list(range(len(set(kinds))))
    ):
      raise ValueError(
        f'`species` must hold a kind 0, 1, ... for each of {self.particles} particles, none left '
        f'out, got {kinds!r}. For example (0, 0, 1): two alike and a third.'
      )
    box = self.box
    if box is not None and (
      len(box) != self.dimensions or not all(is_finite(side) and side > 0 for side in box)
    ):
      raise ValueError(
        f'`box` must hold {self.dimensions} positive lengths, got {box!r}: one for every dimension.'
      )

  @classmethod
  def of(
    cls,
    particles: int,
    dimensions: int,
    species: Sequence[int] | None,
    box: Sequence[float] | None,
  ) -> Pairing:
    """Returns the pairing of kinds and lengths in whatever sequences, arrays included.

    Raises:
      ValueError: As the constructor, or `species` or `box` is no sequence of numbers.
    """
    kinds = None if species is None else _numbers('species', species, operator.index)
    sides = None if box is None else _numbers('box', box, float)
    return cls(particles, dimensions, kinds, sides)

  @property
  def num_pair_kinds(self) -> int:
    """P, the number of kinds of pairs that there are, counted without a table of pairs."""
    counts = np.bincount(self.species or (0, 0))
    return len(counts) * (len(counts) - 1) // 2 + int(np.sum(counts > 1))

  @property
  def pair_kinds(self) -> np.ndarray:
    """Which pairs are of which kind, [P, K, n] of 0 and 1: kinds of pairs that there are, P."""
    kinds = np.array(self.species or (0,) * self.particles)
    partners = np.stack([np.roll(kinds, -k) for k in range(1, self.particles // 2 + 1)])
    pairs = np.stack([np.minimum(kinds, partners), np.maximum(kinds, partners)], axis=-1)
    present = np.unique(pairs.reshape(-1, 2), axis=0)
    return np.all(pairs == present[:, np.newaxis, np.newaxis], axis=-1)

  @property
  def cutoff(self) -> float | None:
    """Half the shortest side, up to which a particle meets one image of another; None: no box."""
    return None if self.box is None else 0.5 * min(self.box)

  @property
  def event_size(self) -> int:
    """N = n D."""
    return self.particles * self.dimensions

  @property
  def weights(self) -> np.ndarray:
    """How much the pairs of every shift count, [K, 1]."""
    shifts = np.arange(1, self.particles // 2 + 1)
    return np.where(2 * shifts == self.particles, 0.5, 1.0)[:, np.newaxis]

  def positions(self, x: tf.Tensor) -> tf.Tensor:
    """x [..., N] as positions [..., n, D]."""
    return tf.reshape(x, tf.concat([tf.shape(x)[:-1], [self.particles, self.dimensions]], axis=0))

  def flattened(self, positions: tf.Tensor) -> tf.Tensor:
    """Positions [..., n, D] as events [..., N]."""
    return tf.reshape(positions, tf.concat([tf.shape(positions)[:-2], [self.event_size]], axis=0))

  def wrapped(self, x: np.ndarray) -> np.ndarray:
    """Events [..., N] with every particle in [0, L] of the box; as they are without one."""
    if self.box is None:
      return x
    return np.mod(x, np.tile(self.box, self.particles).astype(np.result_type(x, np.float32)))

  def columns(self, x: tf.Tensor) -> tf.Tensor:
    """Events x [..., N] as coordinates [D, n, B], B events in all.

    The batch comes last: sums over particles, shells and units are then sums of vectors, where
    those along a short last axis are of numbers, one at a time.
    """
    return tf.transpose(tf.reshape(x, [-1, self.particles, self.dimensions]), [2, 1, 0])

  def events(self, columns: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    """Coordinates [D, n, B] as events of the shape [..., N]."""
    return tf.reshape(tf.transpose(columns, [2, 1, 0]), shape)

  def differences(self, x: tf.Tensor) -> tf.Tensor:
    """x_i - x_(i+k) of events [..., N], to the nearest image in a box, shape [D, K, n, B]."""
    differences = self._with_partners(self.columns(x), tf.subtract)
    if self.box is None:
      return differences
    sides = tf.reshape(tf.constant(self.box, differences.dtype), [-1, 1, 1, 1])
    return differences - sides * tf.round(differences / sides)

  def by_kind(self, values: tf.Tensor) -> tf.Tensor:
    """Functions of distance [M, K, n, B] for every kind of pair by itself, [P M, K, n, B].

    Each is zero at the pairs of other kinds.
    """
    if self.species is None:
      return values
    masks = tf.constant(self.pair_kinds[:, np.newaxis, ..., np.newaxis], values.dtype)
    return tf.reshape(masks * values, tf.concat([[-1], tf.shape(values)[1:]], axis=0))

  def by_particle(self, values: tf.Tensor) -> tf.Tensor:
    """Values [S, H] of every kind, for every particle, [H, n, 1]; [1, H] serve all, [H, 1, 1]."""
    if self.species is not None:
      values = tf.gather(values, self.species)
    return tf.transpose(values)[..., tf.newaxis]

  def squared_distances(self, x: tf.Tensor) -> tf.Tensor:
    """|x_i - x_(i+k)|^2 of events [..., N], shape [K, n, B]."""
    return tf.reduce_sum(tf.square(self.differences(x)), axis=0)

  def over_pairs(self, values: tf.Tensor) -> tf.Tensor:
    """The sum over all pairs of values [..., K, n, B], shape [..., B]."""
    weights = tf.constant(self.weights[..., np.newaxis], values.dtype)
    return tf.reduce_sum(weights * values, axis=[-3, -2])

  def over_neighbours(self, values: tf.Tensor, sign: float = 1.0) -> tf.Tensor:
    """For every particle i the sum over all others j of a function of the pair (i, j).

    Args:
      values: The function at (i, i + k), shape [C, K, n, B].
      sign: 1 for a function with f(j, i) = f(i, j); -1 for one with f(j, i) = -f(i, j), of the
        difference of positions say.

    Returns:
      Shape [C, n, B].
    """
    weighted = tf.constant(self.weights[..., np.newaxis], values.dtype) * values
    total = tf.reduce_sum(weighted, axis=1)
    for k, part in enumerate(tf.unstack(weighted, axis=1), start=1):
      total += sign * _rolled(part, k)
    return total

  def of_both(self, values: tf.Tensor) -> tf.Tensor:
    """v_i + v_(i+k) of values of the particles [C, n, B], shape [C, K, n, B]."""
    return self._with_partners(values, tf.add)

  def partners(self, values: tf.Tensor) -> tf.Tensor:
    """v_(i+k) of values of the particles [C, n, B], shape [C, K, n, B]."""
    return self._with_partners(values, lambda own, partner: partner)

  def _with_partners(
    self, values: tf.Tensor, function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
  ) -> tf.Tensor:
    """f(v_i, v_(i+k)) of values [C, n, B], shape [C, K, n, B]."""
    shifts = range(1, self.particles // 2 + 1)
    return tf.stack([function(values, _rolled(values, -k)) for k in shifts], axis=1)


def _numbers(name: str, values: Sequence[Any], number: Callable[[Any], Any]) -> tuple[Any, ...]:
  """The numbers of a sequence as a tuple; raises ValueError, by its name, if it holds none."""
  remedies = {
    'species': 'a kind 0, 1, ... of every particle, (0, 0, 1) say',
    'box': 'a length for every dimension, (4.0, 4.0, 4.0) say',
  }
  try:
    if isinstance(values, str) or any(isinstance(value, bool | np.bool_) for value in values):
      raise TypeError
    return tuple(map(number, values))
  except (TypeError, ValueError):
    raise ValueError(f'`{name}` must be {remedies[name]}, got {values!r}.') from None


def _rolled(values: tf.Tensor, shift: int) -> tf.Tensor:
  """Values [C, n, B] shifted along n."""
  first, last = tf.split(values, [-shift % values.shape[1], shift % values.shape[1]], axis=1)
  return tf.concat([last, first], axis=1)
