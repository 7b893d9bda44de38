"""The free energy of a trained flow, with its statistical and its integration error."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from ma_keras import objectives, samplers, seeds
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.distributions import standard_normal_flow
from ma_keras.targets.target import Target


@dataclasses.dataclass(frozen=True)
class FreeEnergy:
  """F = E[ln p + E] >= -ln Z per site, and how far to trust it. Eq. (7).

  Attributes:
    num_sites: N.
    num_samples: Independent samples of the model.
    num_steps: d of the flow that was measured.
    free_energy_per_site: F/N at d steps.
    statistical_error: Its standard error over independent samples.
    integration_error: |F(d) - F(2 d)|/N on the same latents.
    exact_per_site: -ln Z/N, or None where it is unknown.
    gap_per_site: F/N - exact.
    gap_percent: The gap as a percentage of |exact|.
    total_kl: N times the gap, KL(p || exp(-E)/Z) in nats; averaged over draws where the
      potential is random, and then an upper bound for the mixture of all draws.
    reweighted_per_site: Importance-weighted -ln Z/N, at 2 d steps.
    reweighted_error: Its standard error; not to be trusted where the ESS is tiny.
    reweighted_integration_error: Its change between d and 2 d steps, on the same latents.
    reweighted_bias: Of the estimate, upwards, to leading order.
    effective_sample_size: As a fraction of `num_samples`.
    reweighting_doubts: Why the weights are not to be trusted; empty if nothing speaks against.
  """

  num_sites: int
  num_samples: int
  num_steps: int
  free_energy_per_site: float
  statistical_error: float
  integration_error: float
  exact_per_site: float | None
  gap_per_site: float | None
  gap_percent: float | None
  total_kl: float | None
  reweighted_per_site: float
  reweighted_error: float
  reweighted_integration_error: float
  reweighted_bias: float
  effective_sample_size: float
  reweighting_doubts: str

  def doubts(self, sigmas: float = 5.0) -> str:
    """What is wrong with this result, in one line; empty if nothing is.

    A bound below the exact value by more than `sigmas` errors, or an integration error that
    dominates the statistical one.
    """
    error = sigmas * (self.statistical_error + self.integration_error)
    if self.gap_per_site is not None and self.gap_per_site < -error:
      return (
        'F lies below the exact value, which no flow can: the integrator was cheated. Train anew '
        'in another --run_dir with more, smaller steps (--num_steps up, --step_size down by the '
        'same factor), or with --stiffness_weight=1.'
      )
    if self.integration_error > max(1e-4, self.statistical_error):
      return (
        'The integration error dominates: train anew in another --run_dir with more, smaller steps '
        '(--num_steps up, --step_size down by the same factor).'
      )
    return ''

  def __str__(self) -> str:
    """The result in one line."""
    line = (
      f'F/N = {self.free_energy_per_site:.6f} +- {self.statistical_error:.1g} (statistical) '
      f'+- {self.integration_error:.1g} (integration)'
    )
    if self.exact_per_site is not None:
      line += (
        f'; exact {self.exact_per_site:.6f}; gap {self.gap_per_site:.6f} per site '
        f'({self.gap_percent:.3f} %); KL {self.total_kl:.3f} nats'
      )
    return line + (
      f'; ESS {100 * self.effective_sample_size:.3g} % of {self.num_samples}; '
      f'reweighted -lnZ/N = '
      f'{self.reweighted_per_site:.6f} +- {self.reweighted_error:.1g} (statistical) '
      f'+- {self.reweighted_integration_error:.1g} (integration)'
    )


def measure(
  bijector: MongeAmpereBijector,
  target: Target,
  num_samples: int,
  batch_size: int,
  seed: int,
  exact_per_site: float | None = None,
) -> FreeEnergy:
  """Estimates E[ln p + E] on fresh samples, at d and at 2 d steps on the same latents.

  The potential's random elements are drawn for every sample, as in training: each sample is
  drawn from, and weighted against, the proper flow that its draws define.

  Args:
    bijector: The flow.
    target: Energy and event size.
    num_samples: At least two; rounded up to whole batches.
    batch_size: Samples flowed at once.
    seed: Non-negative integer.
    exact_per_site: -ln Z/N where it is known.

  Returns:
    The free energy with its errors.
  """
  batches = -(-num_samples // batch_size)
  evaluate = _evaluator(bijector, target, batch_size)
  pairs = [evaluate(key) for key in seeds.split(seed, batches, salt='measure')]
  coarse, fine = (np.concatenate([p[i].numpy() for p in pairs]) for i in (0, 1))
  return summarise(coarse, fine, target.event_size, bijector.horizon.num_steps, exact_per_site)


def _evaluator(
  bijector: MongeAmpereBijector, target: Target, batch_size: int
) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
  """seed -> ln p + E of one batch at d and at 2 d steps, float64 [batch_size] each."""

  @tf.function(autograph=False)
  def evaluate(seed: tf.Tensor) -> tuple[tf.Tensor, ...]:
    samples = seeds.PerSample(seed, tf.range(batch_size), batch_size)
    latent_seed, flow_seed = seeds.split(samples, 2, salt='evaluate')
    latents = seeds.normal([target.event_size], latent_seed, bijector.dtype)
    coarse = bijector.with_seed(flow_seed)
    return tuple(
      tf.cast(objectives.reverse_kl(standard_normal_flow(b), target.energy, latents), tf.float64)
      for b in (coarse, coarse.refined())
    )

  return evaluate


def summarise(
  coarse: np.ndarray,
  fine: np.ndarray,
  num_sites: int,
  num_steps: int,
  exact_per_site: float | None = None,
) -> FreeEnergy:
  """Turns per-sample values of ln p + E into the estimate with its errors.

  Args:
    coarse: ln p + E at d steps, one for each independent sample, shape [n].
    fine: The same latents at 2 d steps, shape [n].
    num_sites: N.
    num_steps: d.
    exact_per_site: -ln Z/N where it is known.

  Returns:
    The free energy with its errors.
  """
  mean = float(np.mean(coarse)) / num_sites
  weighted, rough = samplers.estimate(-fine), samplers.estimate(-coarse)
  change = abs(weighted.negative_log_partition - rough.negative_log_partition)
  gap = None if exact_per_site is None else mean - exact_per_site
  return FreeEnergy(
    num_sites=num_sites,
    num_samples=coarse.size,
    num_steps=num_steps,
    free_energy_per_site=mean,
    statistical_error=float(np.std(coarse, ddof=1) / np.sqrt(coarse.size)) / num_sites,
    integration_error=abs(float(np.mean(coarse - fine))) / num_sites,
    exact_per_site=exact_per_site,
    gap_per_site=gap,
    gap_percent=None if gap is None else 100 * gap / abs(exact_per_site or np.nan),
    total_kl=None if gap is None else gap * num_sites,
    reweighted_per_site=weighted.negative_log_partition / num_sites,
    reweighted_error=weighted.standard_error / num_sites,
    reweighted_integration_error=change / num_sites,
    reweighted_bias=weighted.bias / num_sites,
    effective_sample_size=weighted.effective_sample_size,
    reweighting_doubts=weighted.doubts(),
  )
