"""Hamiltonian Monte Carlo with trajectories of random length, in steps of random size."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras import seeds

SMALLEST = 1 / 30


def random_length(mean: int, seed: Any) -> tf.Tensor:
  """A number of leapfrog steps, uniform on 1, ..., 2 mean - 1, int32 []."""
  return 1 + tf.cast(seeds.integers([], seed, 2 * mean - 1), tf.int32)


def random_scale(seed: Any, dtype: tf.DType, smallest: float = SMALLEST) -> tf.Tensor:
  """Factor of the step size, []: 1 in half of all cases, else log-uniform on (smallest, 1)."""
  uniform = seeds.uniform([], seed, dtype)
  return tf.exp(tf.cast(math.log(smallest), dtype) * tf.nn.relu(2.0 * uniform - 1.0))


class TrajectoryResults(NamedTuple):
  """Record of a trajectory.

  Attributes:
    inner_results: What Hamiltonian Monte Carlo makes of it.
    scale: Factor of the step size that it was taken with, [].
  """

  inner_results: Any
  scale: tf.Tensor

  def acceptance(self) -> tf.Tensor:
    """Acceptance probabilities, [...]."""
    return tf.exp(tf.minimum(self.inner_results.log_accept_ratio, 0.0))


class RandomTrajectories(tfp.mcmc.TransitionKernel):
  """Hamiltonian Monte Carlo whose every step draws number and size of its leapfrog steps.

  Trajectories of one length do not forget a harmonic direction whose half period they are, and
  steps of one size neither enter nor leave the steep slopes of a hard core, which are then missing
  without a sign in what was seen (Neal 2011, arXiv:1206.1901, sections 3.2 and 4.2). All chains
  have the same length and scale at a time.

  Attributes:
    kernel: The `tfp.mcmc.HamiltonianMonteCarlo`.
    mean: Leapfrog steps on average.
    smallest: Of the scales.
  """

  def __init__(self, log_prob: Any, step_size: Any, mean: int, smallest: float = SMALLEST) -> None:
    """Takes the log density, [..., N] -> [...], step size, mean length and smallest scale."""
    self.kernel = tfp.mcmc.HamiltonianMonteCarlo(
      log_prob, step_size, mean, store_parameters_in_results=True
    )
    self.mean, self.smallest = mean, smallest

  @property
  def is_calibrated(self) -> bool:
    """Metropolis' rule is in the kernel."""
    return True

  def bootstrap_results(self, init_state: tf.Tensor) -> TrajectoryResults:
    """See `tfp.mcmc.TransitionKernel`."""
    return TrajectoryResults(
      self.kernel.bootstrap_results(init_state), tf.ones([], init_state.dtype)
    )

  def one_step(
    self, current_state: tf.Tensor, previous_kernel_results: TrajectoryResults, seed: Any = None
  ) -> tuple[tf.Tensor, TrajectoryResults]:
    """One trajectory of every chain."""
    first, second, third = seeds.split(seed, 3, salt='random_trajectories')
    results = previous_kernel_results.inner_results
    before = results.accepted_results
    size, scale = before.step_size, random_scale(second, before.step_size.dtype, self.smallest)
    trajectory = before._replace(
      num_leapfrog_steps=random_length(self.mean, first), step_size=size * scale
    )
    results = results._replace(accepted_results=trajectory)
    state, results = self.kernel.one_step(current_state, results, seed=third)
    after = results.accepted_results._replace(
      num_leapfrog_steps=before.num_leapfrog_steps, step_size=size
    )
    return state, TrajectoryResults(results._replace(accepted_results=after), scale)


def steering(results: TrajectoryResults, target: float) -> tf.Tensor:
  """Log acceptance probabilities for the search of a step size, [...]: full steps alone count.

  Args:
    results: Of a trajectory.
    target: Acceptance probability that the search wants: what smaller steps report.
  """
  ratio = tf.minimum(results.inner_results.log_accept_ratio, 0.0)
  return tf.where(results.scale < 1.0, tf.cast(math.log(target), ratio.dtype), ratio)
