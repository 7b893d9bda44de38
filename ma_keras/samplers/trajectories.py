"""Hamiltonian Monte Carlo with trajectories of random length."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras import seeds


def random_length(mean: int, seed: Any) -> tf.Tensor:
  """A number of leapfrog steps, uniform on 1, ..., 2 mean - 1, int32 []."""
  return 1 + tf.cast(seeds.integers([], seed, 2 * mean - 1), tf.int32)


class RandomTrajectories(tfp.mcmc.TransitionKernel):
  """Hamiltonian Monte Carlo whose every step draws its number of leapfrog steps.

  Trajectories of one length do not forget a harmonic direction whose half period they are (Neal
  2011, arXiv:1206.1901, section 3.2). All chains have the same length at a time.

  Attributes:
    kernel: The `tfp.mcmc.HamiltonianMonteCarlo`.
    mean: Leapfrog steps on average.
  """

  def __init__(self, log_prob: Any, step_size: Any, mean: int) -> None:
    """Takes the log density, [..., N] -> [...], the step size and the mean length."""
    self.kernel = tfp.mcmc.HamiltonianMonteCarlo(
      log_prob, step_size, mean, store_parameters_in_results=True
    )
    self.mean = mean

  @property
  def is_calibrated(self) -> bool:
    """Metropolis' rule is in the kernel."""
    return True

  def bootstrap_results(self, init_state: tf.Tensor) -> Any:
    """See `tfp.mcmc.TransitionKernel`."""
    return self.kernel.bootstrap_results(init_state)

  def one_step(
    self, current_state: tf.Tensor, previous_kernel_results: Any, seed: Any = None
  ) -> Any:
    """One trajectory of every chain."""
    first, second = seeds.split(seed, 2, salt='random_trajectories')
    accepted = previous_kernel_results.accepted_results
    accepted = accepted._replace(num_leapfrog_steps=random_length(self.mean, first))
    results = previous_kernel_results._replace(accepted_results=accepted)
    return self.kernel.one_step(current_state, results, seed=second)
