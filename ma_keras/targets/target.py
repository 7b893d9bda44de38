"""Targets exp(-E(x)) / Z, known up to Z, and the checks that all of them share."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
import tensorflow as tf

from ma_keras.targets.observables import Observables


@runtime_checkable
class Target(Protocol):
  """p(x) = exp(-E(x)) / Z with a known energy E and, in general, an unknown Z (paper, Eq. 7).

  Attributes:
    event_size: Number of coordinates N.
    dtype: Floating dtype of x and of E.
  """

  event_size: int
  dtype: tf.DType

  def energy(self, x: Any) -> tf.Tensor:
    """E(x), dimensionless (in units of kT): [..., N] -> [...]."""
    ...


@runtime_checkable
class SolvedTarget(Target, Protocol):
  """A target whose ln Z = ln integral exp(-E(x)) dx is known."""

  def exact_log_partition(self) -> float:
    """The natural logarithm ln Z, computed in float64."""
    ...


@runtime_checkable
class ObservedTarget(Target, Protocol):
  """A target that says what is measured of it; of others the fields x themselves are."""

  def configurations(self, x: Any, seed: Any) -> tf.Tensor:
    """Configurations of fields x [..., N] that the observables are of, [..., N]."""
    ...

  def observables(self) -> Observables:
    """Expectations of configurations."""
    ...


@runtime_checkable
class SubspaceTarget(Target, Protocol):
  """A target whose exp(-E) has a finite integral over a subspace of R^N alone."""

  def check_samples(self, x: Any, remedy: str) -> None:
    """Raises ValueError, which ends with the remedy, if samples [n, N] lie beyond the subspace."""
    ...


@runtime_checkable
class SampledTarget(Target, Protocol):
  """A target from which independent samples x ~ exp(-E(x)) / Z can be drawn."""

  def sample(self, n: int, seed: Any) -> tf.Tensor:
    """Returns n independent samples, shape [n, N], the same for the same seed."""
    ...


def floating_dtype(dtype: Any) -> tf.DType:
  """Returns `dtype` as a tf.DType.

  Raises:
    ValueError: If it is not a floating dtype.
  """
  dtype = tf.as_dtype(dtype)
  if not dtype.is_floating:
    raise ValueError(f'`dtype` must be floating, got {dtype.name}. Use tf.float32 or tf.float64.')
  return dtype


def as_event(x: Any, target: Target, name: str = 'x') -> tf.Tensor:
  """Returns x as a tensor [..., N] of the target's dtype.

  Args:
    x: Tensor, NumPy array or nested list, shape [..., N].
    target: Whose `event_size` N and `dtype` x must have.
    name: What the errors call x.

  Raises:
    TypeError: If x is a tensor of another dtype, or complex.
    ValueError: If the last dimension of x is known and is not N.
  """
  if tf.is_tensor(x) and x.dtype != target.dtype:
    raise TypeError(
      f'`{name}` must have dtype {target.dtype.name}, got {x.dtype.name}. '
      f'Cast it, or build the target with dtype=tf.{x.dtype.name}.'
    )
  if isinstance(x, np.ndarray) and np.iscomplexobj(x):  # TensorFlow would take the real part.
    raise TypeError(f'`{name}` must be real, got {x.dtype}: pass real and imaginary part apart.')
  x = tf.convert_to_tensor(x, target.dtype)
  rank = x.shape.rank
  if rank == 0 or (rank is not None and x.shape[-1] not in (None, target.event_size)):
    raise ValueError(
      f'`{name}` must have event size {target.event_size} in its last dimension, got shape '
      f'{x.shape}. Flatten each configuration into one row of {target.event_size} numbers.'
    )
  return x
