"""Hutchinson's stochastic Laplacian: one Hessian-vector product instead of N."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from ma_keras import seeds
from ma_keras.potentials import autodiff

if TYPE_CHECKING:
  from ma_keras.potentials.base import Potential

PROBES = ('rademacher', 'gaussian')


@dataclasses.dataclass(frozen=True)
class Hutchinson:
  """laplacian phi = E[v . (Hessian phi) v] for probes v with E[v v'] = I (Hutchinson 1990).

  Use it through `potential.with_laplacian(Hutchinson(seed=0))`. The estimate is unbiased for
  the Laplacian and hence for the log density, not for the density.

  The probe is a function of the seed and of the batch shape alone, not of time or position: all
  steps of a solve see the same v, so forward, inverse and log_prob agree. Every sample of a
  batch has a probe of its own, so one point scored in two different batches gets two estimates
  (with a `seeds.PerSample` seed, one estimate per sample number).
  XLA draws the same Rademacher probes as eager code, but other Gaussian ones.

  Attributes:
    seed: Seed of the probes: a non-negative integer, an int32 [2] tensor, or one per sample.
    probe: 'rademacher' (v_i = +-1, the smallest variance) or 'gaussian'.
    num_probes: How many probes are averaged; the error falls as num_probes^-1/2.
  """

  seed: seeds.Seed
  probe: str = 'rademacher'
  num_probes: int = 1

  def __post_init__(self) -> None:
    """Checks the arguments.

    Raises:
      ValueError: Unknown probe, fewer than one of them, or no seed.
    """
    if self.probe not in PROBES:
      raise ValueError(f'`probe` must be one of {list(PROBES)}, got {self.probe!r}.')
    seeds.stateless(self.seed, salt='hutchinson')  # Raises where it is no seed.
    if self.num_probes < 1:
      raise ValueError(f'`num_probes` must be positive, got {self.num_probes}. One is usual.')

  def __call__(
    self, potential: Potential, t: tf.Tensor, x: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """(grad phi [..., N], estimate of laplacian phi [...]) at time t [] and points x [..., N]."""
    estimates = []
    for seed in seeds.split(self.seed, self.num_probes, salt='hutchinson'):
      v = self._draw(seed, x)
      velocity, product = autodiff.with_derivative(potential.gradient, t, x, v)
      estimates.append(tf.reduce_sum(v * product, axis=-1))
    return velocity, tf.add_n(estimates) / self.num_probes

  def config(self) -> dict[str, Any]:
    """The arguments as plain values: see `Potential.config`."""
    return {**vars(self), 'seed': seeds.plain(self.seed)}

  def with_seed(self, seed: seeds.Seed) -> Hutchinson:
    """Returns the estimator with other probes."""
    return dataclasses.replace(self, seed=seed)

  def for_rows(self, rows: tf.Tensor, batch_size: int | tf.Tensor) -> Hutchinson:
    """The probes that these rows have in a batch [B, N], all of which are drawn at every stage."""
    return self.with_seed(seeds.for_rows(self.seed, rows, batch_size))

  def _draw(self, seed: seeds.Seed, x: tf.Tensor) -> tf.Tensor:
    shape = tf.shape(x)[1:] if isinstance(seed, seeds.PerSample) else tf.shape(x)
    if self.probe == 'gaussian':
      return seeds.normal(shape, seed, x.dtype)
    return tf.cast(2 * seeds.integers(shape, seed, 2) - 1, x.dtype)
