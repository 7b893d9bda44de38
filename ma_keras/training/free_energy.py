"""The free energy of a trained flow, with its statistical and its integration error."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ma_keras import samplers
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.targets.target import Target
from ma_keras.training.draws import Draws, draw
from ma_keras.training.penalties import SMALLER_STEPS


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
    reweighted_per_site: Importance-weighted -ln Z/N at 2 d steps; where few samples were flowed in
      so many, that of all samples at d steps, and the change of theirs (`samplers.two_level`).
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
    """Says in one line what is wrong with this result; empty if nothing is.

    A bound below the exact value by more than `sigmas` errors; or one that halving the steps of
    training changes by more than its statistical error, and by more than `tolerance` nats.
    """
    error = sigmas * (self.statistical_error + self.integration_error)
    if self.gap_per_site is not None and self.gap_per_site < -error:
      return (
        'F lies below the exact value, which no flow can: the integrator was cheated. Train anew '
        f'in another --run_dir {SMALLER_STEPS}.'
      )
    change, statistical = (
      self.num_sites * error for error in (self.integration_error, self.statistical_error)
    )
    if not change <= max(self.tolerance, statistical):
      errors = change / statistical if statistical > 0 else np.inf
      return (
        f'The integration error dominates: F is {change:.2g} nats, or {errors:.2g} standard '
        f'errors, away from F in halved steps (tolerance {self.tolerance:.2g}). Train anew in '
        f'another --run_dir {SMALLER_STEPS}.'
      )
    return ''

  @property
  def tolerance(self) -> float:
    """Change of F on halving the steps that is put up with, nats: 1e-4 a site, at most 0.1."""
    return min(1e-4 * self.num_sites, 0.1)

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
  base: Any = None,
) -> FreeEnergy:
  """Estimates E[ln p + E] on fresh samples, at d and at 2 d steps on the same latents.

  Where the potential is random, this is the mean over its draws.

  Args:
    bijector: The flow.
    target: Energy and event size.
    num_samples: At least two; rounded up to whole batches.
    batch_size: Samples flowed at once.
    seed: Non-negative integer.
    exact_per_site: -ln Z/N where it is known.
    base: p(x, 0), as the model was trained; standard normal by default.

  Returns:
    The free energy with its errors.
  """
  draws = draw(bijector, target, num_samples, batch_size, seed, base=base)
  return summarise(draws, exact_per_site)


def summarise(draws: Draws, exact_per_site: float | None = None) -> FreeEnergy:
  """Turns values of ln p + E into the estimate with its errors.

  Args:
    draws: Independent samples, at two depths.
    exact_per_site: -ln Z/N where it is known.

  Returns:
    The free energy with its errors.
  """
  coarse, fine = draws.coarse.free_energies, draws.fine.free_energies
  num_sites = draws.fine.values.shape[-1]
  mean = float(np.mean(coarse)) / num_sites
  weighted, change = samplers.two_level(-coarse, -fine)
  gap = None if exact_per_site is None else mean - exact_per_site
  return FreeEnergy(
    num_sites=num_sites,
    num_samples=coarse.size,
    num_steps=draws.num_steps,
    free_energy_per_site=mean,
    statistical_error=float(np.std(coarse, ddof=1) / np.sqrt(coarse.size)) / num_sites,
    integration_error=abs(float(np.mean(coarse[: fine.size] - fine))) / num_sites,
    exact_per_site=exact_per_site,
    gap_per_site=gap,
    gap_percent=None if gap is None else 100 * gap / abs(exact_per_site or np.nan),
    total_kl=None if gap is None else gap * num_sites,
    reweighted_per_site=weighted.negative_log_partition / num_sites,
    reweighted_error=weighted.standard_error / num_sites,
    reweighted_integration_error=abs(change) / num_sites,
    reweighted_bias=weighted.bias / num_sites,
    effective_sample_size=weighted.effective_sample_size,
    reweighting_doubts=weighted.doubts(),
  )
