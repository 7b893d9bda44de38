"""Markov chains that a flow makes short: exact whatever the flow, fast where it is good.

Kernels of `tfp.mcmc`, to be run by `tfp.mcmc.sample_chain`; chains along leading dimensions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

Energy = Callable[[tf.Tensor], tf.Tensor]


def latent_hmc(bijector: Any, energy: Energy, step_size: float, num_leapfrog_steps: int) -> Any:
  """Hamiltonian Monte Carlo in z, x = f(z): the density exp(-E(f(z))) |det df/dz|. Section 4.2.

  A good flow makes it nearly Normal(0, 1), whose every direction has the same period: with
  step_size * num_leapfrog_steps near pi/2 one trajectory forgets where it began.

  Args:
    bijector: f, latents to fields; differentiable, as `MongeAmpereBijector` is.
    energy: E, [..., N] -> [...], in units of kT.
    step_size: Of the leapfrog, positive.
    num_leapfrog_steps: Per trajectory, positive.

  Returns:
    A kernel on x.

  Raises:
    ValueError: A number is not positive.
  """
  if not step_size > 0 or num_leapfrog_steps < 1:
    raise ValueError(
      '`step_size` and `num_leapfrog_steps` must be positive, got '
      f'{step_size} and {num_leapfrog_steps}. 0.2 and 8, say.'
    )
  inner = tfp.mcmc.HamiltonianMonteCarlo(lambda x: -energy(x), step_size, num_leapfrog_steps)
  return tfp.mcmc.TransformedTransitionKernel(inner, bijector)


def independence_metropolis(distribution: Any, energy: Energy) -> Any:
  """Proposes samples x' of p, accepts with probability min(1, w(x')/w(x)), w = exp(-E)/p.

  Args:
    distribution: p, the flow; its `sample` must be a function of the seed.
    energy: E, [..., N] -> [...], in units of kT.

  Returns:
    A kernel on x.
  """
  return tfp.mcmc.MetropolisHastings(Independence(distribution, energy))


class IndependenceResults(NamedTuple):
  """Record of a point that Metropolis' rule needs.

  Attributes:
    target_log_prob: -E(x), shape [...].
    proposal_log_prob: ln p(x), shape [...].
    log_acceptance_correction: ln p of the point before, less that of this one, shape [...].
  """

  target_log_prob: tf.Tensor
  proposal_log_prob: tf.Tensor
  log_acceptance_correction: tf.Tensor


class Independence(tfp.mcmc.TransitionKernel):
  """Proposals that do not look where the chain is; uncalibrated.

  Attributes:
    distribution: Where they come from.
    energy: E.
  """

  def __init__(self, distribution: Any, energy: Energy) -> None:
    """See `independence_metropolis`."""
    self.distribution, self.energy = distribution, energy

  @property
  def is_calibrated(self) -> bool:
    """No: the chain of proposals alone has the distribution of the flow."""
    return False

  def bootstrap_results(self, init_state: tf.Tensor) -> IndependenceResults:
    """The energy and density of the first points, [..., N]."""
    log_prob = self.distribution.log_prob(init_state)
    return IndependenceResults(-self.energy(init_state), log_prob, tf.zeros_like(log_prob))

  def one_step(
    self, current_state: tf.Tensor, previous_kernel_results: IndependenceResults, seed: Any = None
  ) -> tuple[tf.Tensor, IndependenceResults]:
    """A fresh sample for every chain."""
    chains = tf.shape(current_state)[:-1]
    x, log_prob = self.distribution.experimental_sample_and_log_prob(chains, seed=seed)
    x = tf.ensure_shape(x, current_state.shape)
    correction = previous_kernel_results.proposal_log_prob - log_prob
    return x, IndependenceResults(-self.energy(x), log_prob, correction)


def integrated_autocorrelation_time(values: Any) -> float:
  """tau = 1 + 2 sum_t rho(t) in steps of the chain: n steps are worth n/tau independent ones.

  Args:
    values: An observable along chains, shape [steps, chains], at equilibrium.

  Returns:
    tau, from `tfp.mcmc.effective_sample_size` over all chains; NaN where one stands still.

  Raises:
    ValueError: There are fewer than two steps, or a value is not finite.
  """
  values = tf.convert_to_tensor(values)
  array = values.numpy()
  if len(array) < 2 or not np.all(np.isfinite(array)):
    bad = np.count_nonzero(~np.isfinite(array))
    raise ValueError(
      f'`values` must hold two steps at least, all finite, got shape {list(array.shape)}, of which '
      f'{bad} are not finite.'
    )
  effective = tfp.mcmc.effective_sample_size(values, filter_beyond_positive_pairs=True)
  return float(values.shape[0] / tf.reduce_mean(effective))
