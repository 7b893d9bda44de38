"""The time interval of a flow and its division into steps."""

from __future__ import annotations

import dataclasses
import numbers
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ma_keras import seeds
from ma_keras.arguments import is_whole

MOST_STEPS = 1_000_000  # More would take hours a point.


class Grid(NamedTuple):
  """Beginnings and ends of the steps, earliest first.

  Attributes:
    start: Times, shape [d].
    stop: Times, shape [d]; those of `start`, one step on.
    length: Step sizes h_k > 0, shape [d].
  """

  start: tf.Tensor
  stop: tf.Tensor
  length: tf.Tensor


class EqualSteps(NamedTuple):
  """d steps of length epsilon from time 0 on; tensors, where one graph is to serve any number.

  Attributes:
    num_steps: d, an integer or int32 [].
    step_size: epsilon, a number or float64 [].
  """

  num_steps: int | tf.Tensor
  step_size: float | tf.Tensor

  def grid(self, dtype: tf.DType) -> Grid:
    """The steps, as tensors of that dtype."""
    h = tf.cast(tf.convert_to_tensor(self.step_size, dtype_hint=tf.float64), dtype)
    times = tf.range(self.num_steps + 1, dtype=dtype) * h
    return Grid(times[:-1], times[1:], tf.fill([self.num_steps], h))


def check_steps(num_steps: int) -> None:
  """Raises ValueError unless it is a positive integer, and not beyond all bounds."""
  if not is_whole(num_steps):
    raise ValueError(
      f'`num_steps` must be a positive integer, got {num_steps}. '
      'The paper uses 50 for Ising and 100 for MNIST.'
    )
  if num_steps > MOST_STEPS:
    raise ValueError(f'`num_steps` must be at most {MOST_STEPS:,}, got {num_steps}.')


@dataclasses.dataclass(frozen=True)
class Horizon:
  """The time interval [0, T] in d steps: T = num_steps * step_size (Appendix C).

  With `jitter`, each boundary between two steps is moved by a random part of a step,
  t_k = (k + jitter (u_k - 1/2)) epsilon with u_k ~ Uniform(0, 1): steps of random size, which an
  optimiser finds harder to cheat than equal ones.

  Attributes:
    num_steps: d, at least 1. The paper uses 100 for MNIST and 50 for Ising.
    step_size: epsilon, positive. The paper uses 0.1.
    jitter: In [0, 1); 0 makes all steps equal.
    seed: Non-negative int or int32 [2], which the u_k are a function of.
  """

  num_steps: int
  step_size: float
  jitter: float = 0.0
  seed: int | tf.Tensor = 0

  def __post_init__(self) -> None:
    """Checks the arguments.

    Raises:
      ValueError: `num_steps` is not a positive integer, `step_size` not positive and finite, or
        `jitter` not in [0, 1).
    """
    for name in ('num_steps', 'step_size', 'jitter'):
      if not isinstance(getattr(self, name), numbers.Real):
        raise ValueError(f'`{name}` must be a number, got {getattr(self, name)!r}.')
    check_steps(self.num_steps)
    if not (0 < self.step_size < np.inf):
      raise ValueError(
        f'`step_size` must be positive and finite, got {self.step_size}. The paper uses 0.1; '
        'to flow backwards use the inverse, not a negative step.'
      )
    if not (0 <= self.jitter < 1):
      raise ValueError(
        f'`jitter` must be in [0, 1), got {self.jitter}: it moves the boundaries between steps by '
        'up to half of that part of a step. 0 makes all steps equal.'
      )
    object.__setattr__(self, 'num_steps', int(self.num_steps))  # 20.0 is 20.

  @property
  def time(self) -> float:
    """T."""
    return self.num_steps * self.step_size

  def refined(self, factor: int = 2) -> Horizon:
    """Returns the horizon of the same T in `factor` times as many steps.

    Raises:
      ValueError: `factor` is not a positive integer.
    """
    if not is_whole(factor):
      raise ValueError(f'`factor` must be a positive integer, got {factor}. 2 halves the steps.')
    finer = (self.num_steps * factor, self.step_size / factor)
    return dataclasses.replace(self, num_steps=finer[0], step_size=finer[1])

  def grid(self, dtype: tf.DType) -> Grid:
    """The steps, as tensors of that dtype."""
    if not self.jitter:
      return EqualSteps(self.num_steps, self.step_size).grid(dtype)
    boundaries = tf.range(self.num_steps + 1, dtype=dtype)
    times = (boundaries + self._shifts(dtype)) * tf.constant(self.step_size, dtype)
    return Grid(times[:-1], times[1:], times[1:] - times[:-1])

  def _shifts(self, dtype: tf.DType) -> tf.Tensor:
    """jitter (u_k - 1/2) for every boundary, [d + 1]; 0 and T stay where they are."""
    resolution = 1 << 20
    integers = seeds.integers([self.num_steps - 1], seeds.stateless(self.seed, 'grid'), resolution)
    uniform = (tf.cast(integers, dtype) + 0.5) / resolution
    return tf.pad(self.jitter * (uniform - 0.5), [[1, 1]])
