"""Importance weights: from samples of a model to unbiased statements about the target."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class ImportanceEstimate:
  """Estimates of Z and of the model p by n log weights ln w = -E(x) - ln p(x), x ~ p.

  Attributes:
    negative_log_partition: -ln((1/n) sum w): consistent for -ln Z, biased up by about half
      the squared standard error.
    standard_error: Of the former, by the delta method; honest only where the ESS is not tiny.
    effective_sample_size: (sum w)^2 / sum w^2 as a fraction of n, in (0, 1].
    num_samples: n.
    largest_share: max w / sum w: near 1 where a single sample decides.
  """

  negative_log_partition: float
  standard_error: float
  effective_sample_size: float
  num_samples: int
  largest_share: float

  @property
  def bias(self) -> float:
    """Bias of `negative_log_partition`, upwards, to leading order: half the squared error."""
    return self.standard_error**2 / 2.0

  def doubts(self) -> str:
    """Why not to trust it, in one line; empty if nothing speaks against it.

    The error is estimated from the same weights: fewer than a hundred effective samples, or one
    with a tenth of all weight, tell of a tail that has hardly been seen.
    """
    effective = self.effective_sample_size * self.num_samples
    if effective >= 100 and self.largest_share <= 0.1:
      return ''
    return (
      f'{effective:.3g} effective samples, the largest with {100 * self.largest_share:.2g} % of '
      'all weight: do not trust reweighted values and errors. Draw more samples, or train longer.'
    )


def estimate(log_weights: np.ndarray) -> ImportanceEstimate:
  """Z = E_p[w]: the mean weight, its error, and the effective sample size.

  Args:
    log_weights: ln w of independent samples, shape [n], at least two.

  Returns:
    The estimates, computed in float64.

  Raises:
    ValueError: Fewer than two weights, or one of them is not finite.
  """
  log_weights = np.asarray(log_weights, np.float64)
  n = log_weights.size
  if n < 2 or not np.all(np.isfinite(log_weights)):
    raise ValueError(
      f'`log_weights` must hold at least two finite values, got {n}, of which '
      f'{n - np.count_nonzero(np.isfinite(log_weights))} are not finite.'
    )
  peak = log_weights.max()
  weights = np.exp(log_weights - peak)
  mean = weights.mean()
  return ImportanceEstimate(
    negative_log_partition=float(-(peak + np.log(mean))),
    standard_error=float(weights.std(ddof=1) / mean / np.sqrt(n)),
    effective_sample_size=float(mean**2 / np.mean(weights**2)),
    num_samples=n,
    largest_share=float(weights.max() / (n * mean)),
  )


def two_level(coarse: np.ndarray, fine: np.ndarray) -> tuple[ImportanceEstimate, float]:
  """-ln Z_f = -ln Z_c + (ln Z_c - ln Z_f): all samples cheaply, and the change on a few.

  Two weights of one sample are so alike that few tell their difference (Giles 2008, multilevel
  Monte Carlo). Where all samples have both, it is `estimate(fine)`.

  Args:
    coarse: ln w of all samples in large steps, shape [n].
    fine: ln w of the first m of them in small steps, shape [m], 2 <= m <= n.

  Returns:
    The estimate, whose effective sample size is that of `coarse` unless m = n; and the change from
    coarse to fine weights of the m samples.

  Raises:
    ValueError: Fewer than two weights, more fine ones than coarse ones, or one is not finite.
  """
  if len(fine) > len(coarse):
    raise ValueError(f'`fine` must hold at most the {len(coarse)} of `coarse`, got {len(fine)}.')
  same = coarse[: len(fine)]
  few, rough = estimate(fine), estimate(same)
  change = few.negative_log_partition - rough.negative_log_partition
  if len(fine) == len(coarse):
    return few, change
  whole = estimate(coarse)
  relative = [np.exp(w + e.negative_log_partition) for w, e in ((fine, few), (same, rough))]
  spread = np.std(relative[0] - relative[1], ddof=1)
  both = dataclasses.replace(
    whole,
    negative_log_partition=whole.negative_log_partition + change,
    standard_error=float(np.hypot(whole.standard_error, spread / np.sqrt(len(fine)))),
  )
  return both, change
