"""Reference chains of an energy by Hamiltonian Monte Carlo, with what tells whether to trust them.

Many chains side by side, in one compiled loop of `tfp.mcmc`; the step size is found while they
burn in (Hoffman & Gelman 2014, dual averaging), and then stays.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras import seeds
from ma_keras.arguments import is_whole
from ma_keras.samplers.markov import Energy, integrated_autocorrelation_time
from ma_keras.samplers.reweighting import Expectation
from ma_keras.samplers.trajectories import RandomTrajectories, steering

MIXED = 1.05  # Split R-hat above which chains have not met: Vehtari et al. 2021, arXiv:1903.08008.
FEW = 100  # Effective samples below which an error is hardly known.


@dataclasses.dataclass(frozen=True)
class Schedule:
  """Lengths and sizes of Hamiltonian chains.

  Attributes:
    num_samples: S, samples that are kept of every chain.
    burn_in: Trajectories before the first of them; the step size is found in four fifths of them.
    thinning: Trajectories from one sample to the next.
    num_leapfrog_steps: Of a trajectory, on average.
    step_size: Where the search begins.
    target_acceptance: Mean acceptance probability that the step size is chosen for; half of all
      trajectories take smaller steps, and are accepted more often.
  """

  num_samples: int
  burn_in: int = 500
  thinning: int = 1
  num_leapfrog_steps: int = 10
  step_size: float = 0.05
  target_acceptance: float = 0.8

  def __post_init__(self) -> None:
    """Checks the numbers.

    Raises:
      ValueError: One is out of range.
    """
    for name, least in (('num_samples', 4), ('burn_in', 1), ('thinning', 1)):
      value = getattr(self, name)
      if not is_whole(value, least):
        raise ValueError(f'`{name}` must be at least {least}, and whole, got {value!r}.')
    if not is_whole(self.num_leapfrog_steps) or not self.step_size > 0:
      raise ValueError(
        '`num_leapfrog_steps` and `step_size` must be positive, got '
        f'{self.num_leapfrog_steps!r} and {self.step_size!r}. 10 and 0.05, say.'
      )
    if not 0 < self.target_acceptance < 1:
      raise ValueError(
        f'`target_acceptance` must lie in (0, 1), got {self.target_acceptance!r}. 0.8, say.'
      )


@dataclasses.dataclass(frozen=True)
class Chains:
  """Samples x ~ exp(-E(x))/Z along independent chains.

  Attributes:
    samples: [S, C, N].
    energies: E of each, float64 [S, C].
    acceptance: Mean acceptance probability.
    step_size: Of the leapfrog, as it was found.
  """

  samples: np.ndarray
  energies: np.ndarray
  acceptance: float
  step_size: float

  @property
  def autocorrelation_time(self) -> float:
    """tau of the energy, in samples."""
    return integrated_autocorrelation_time(self.energies)

  @property
  def effective_samples(self) -> float:
    """Independent samples that all chains together are worth for <E>."""
    return effective_samples(self.energies)

  @property
  def split_r_hat(self) -> float:
    """R-hat of the energy over halves of chains; 1 where all have seen the same."""
    return split_r_hat(self.energies)

  def mean(self, values: Any = None) -> Expectation:
    """Mean of an observable [S, C] and its standard error; of the energy by default."""
    return mean_over_chains(self.energies if values is None else values)

  def doubts(self, values: Any = None, name: str = 'the energy') -> str:
    """Says in one line why not to trust the chains' mean of an observable; empty if nothing does.

    Args:
      values: The observable along the chains, [S, C]; the energy by default. What changes slowly,
        a magnetisation say, may not have mixed where the energy has long done so.
      name: What the text calls it.

    Raises:
      ValueError: `values` are not [S, C].
    """
    values = np.asarray(self.energies if values is None else values, np.float64)
    if values.shape != self.energies.shape:
      raise ValueError(
        f'`values` must be one for each sample, {list(self.energies.shape)}, got '
        f'{list(values.shape)}.'
      )
    r_hat = split_r_hat(values)
    if not r_hat <= MIXED:
      return (
        f'Split R-hat of {name} is {r_hat:.3g}, above {MIXED}: the chains have not seen the '
        'same. Take a longer burn-in, more thinning, or start them elsewhere.'
      )
    effective = effective_samples(values)
    if not effective >= FEW:
      return (
        f'{effective:.3g} effective samples of {values.size} of {name}: take more thinning, or '
        'more chains.'
      )
    return ''


def hamiltonian_chains(energy: Energy, start: Any, schedule: Schedule, seed: Any = 0) -> Chains:
  """Runs C chains of Hamiltonian Monte Carlo side by side.

  Args:
    energy: E, [..., N] -> [...], in units of kT; differentiable. Of particles:
      `targets.MeanFreeCoordinates(target).energy`, where no centre of mass drifts away.
    start: Where the chains begin, [C, N], at least two: `annealed_importance(...).resampled(C)`,
      say. Points of far too high energy stay where they are, at any step size that suits the rest.
    schedule: Lengths and sizes.
    seed: Integer, or a seed of TFP.

  Returns:
    The chains after burning in.

  Raises:
    ValueError: There are fewer than two chains, or a start has no finite energy.
  """
  start = tf.convert_to_tensor(start)
  if start.shape.rank != 2 or start.shape[0] < 2:
    raise ValueError(
      f'`start` must have shape [chains, N], two chains at least, got {start.shape}.'
    )
  finite = np.isfinite(energy(start).numpy())
  if not np.all(finite):
    raise ValueError(
      f'`start` must have finite energies; {np.count_nonzero(~finite)} of {finite.size} have none.'
    )
  record = run(energy, start, schedule, seed, lambda x: x)
  return Chains(
    samples=record.values.numpy(),
    energies=record.energies.numpy().astype(np.float64),
    acceptance=float(np.mean(record.acceptance)),
    step_size=float(np.squeeze(record.step_size)),
  )


class Record(NamedTuple):
  """Tensors of a run of chains, C for every energy [...].

  Attributes:
    values: What was observed of every sample, [S, ..., C, ...].
    energies: E, [S, ..., C].
    acceptance: Acceptance probabilities, [S, ..., C].
    step_size: [..., 1, 1].
  """

  values: tf.Tensor
  energies: tf.Tensor
  acceptance: tf.Tensor
  step_size: tf.Tensor


def run(
  energy: Energy,
  start: tf.Tensor,
  schedule: Schedule,
  seed: Any,
  observe: Callable[[tf.Tensor], tf.Tensor],
  step_size: Any = None,
) -> Record:
  """Runs chains [..., C, N], C for every energy [...], with a step size for every energy.

  Args:
    energy: [..., C, N] -> [..., C].
    start: Where the chains begin, [..., C, N].
    schedule: Lengths and sizes.
    seed: Integer, or a seed of TFP.
    observe: [..., C, N] -> what is recorded.
    step_size: Where the search begins, [..., 1, 1]; as the schedule says by default.

  Returns:
    The record of the samples after burning in.
  """
  size = schedule.step_size if step_size is None else step_size
  sizes = tf.broadcast_to(tf.cast(size, start.dtype), [*start.shape[:-2], 1, 1])
  kernel = tfp.mcmc.DualAveragingStepSizeAdaptation(
    RandomTrajectories(lambda x: -energy(x), sizes, schedule.num_leapfrog_steps),
    num_adaptation_steps=max(1, (4 * schedule.burn_in) // 5),
    target_accept_prob=tf.cast(schedule.target_acceptance, start.dtype),
    log_accept_prob_getter_fn=lambda results: steering(results, schedule.target_acceptance),
  )

  def record(x: tf.Tensor, results: Any) -> Record:
    trajectory = results.inner_results
    energies = -trajectory.inner_results.accepted_results.target_log_prob
    return Record(observe(x), energies, trajectory.acceptance(), results.new_step_size)

  @tf.function(autograph=False, jit_compile=True)
  def chains(key: tf.Tensor) -> Record:
    return tfp.mcmc.sample_chain(
      schedule.num_samples,
      start,
      kernel=kernel,
      num_burnin_steps=schedule.burn_in,
      num_steps_between_results=schedule.thinning - 1,
      trace_fn=record,
      seed=key,
    ).trace

  whole = chains(seeds.stateless(seed, salt='hamiltonian_chains'))
  return whole._replace(step_size=whole.step_size[-1])


def split_r_hat(values: Any) -> float:
  """R-hat of an observable [S, C] over halves of chains: sqrt(total/mean variance), of ranks.

  Normal scores of ranks stand for the values, so that heavy tails do no harm (Vehtari et al. 2021).
  1 where every half of every chain has the same distribution, above 1.05 where they have not met.
  """
  values = np.asarray(values, np.float64)
  ranks = scipy.stats.rankdata(values).reshape(values.shape)
  scores = scipy.stats.norm.ppf((ranks - 0.375) / (values.size + 0.25))
  return float(tfp.mcmc.potential_scale_reduction(tf.constant(scores), split_chains=True))


def effective_samples(values: Any) -> float:
  """S C/tau: independent samples that those of an observable [S, C] are worth for its mean."""
  return float(np.size(values) / max(integrated_autocorrelation_time(values), 1.0))


def mean_over_chains(values: Any) -> Expectation:
  """Mean of [S, C] and its standard error, by the spread of the C means, which are independent."""
  means = np.mean(np.asarray(values, np.float64), axis=0)
  return Expectation(float(means.mean()), float(means.std(ddof=1) / np.sqrt(len(means))))
