"""The likelihood of a trained flow, with its statistical and its integration error."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras import data, objectives
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.distributions import standard_normal_flow

MOST_HALVINGS = 6


@dataclasses.dataclass(frozen=True)
class Likelihood:
  """-E[ln p(y, T)] on held-out points, and how far to trust it. Eq. (6).

  Attributes:
    num_points: Points.
    draws: Draws of dequantisation noise per point.
    num_steps: d of the flow that was measured in the end.
    nll: Mean negative log likelihood, nats in the space of y, at d steps.
    point_error: Its standard error over points.
    noise_error: Its standard error over dequantisation noise; 0 where there is none.
    integration_error: |nll(d) - nll(d/2)| on the same points and noise.
    trained_steps: Steps of the flow as it came: those of training, unless they were chosen anew.
    nll_at_trained_steps: The mean at those.
    bits_per_dimension: In pixel space, by the MAF paper's formula; None for real data.
  """

  num_points: int
  draws: int
  num_steps: int
  nll: float
  point_error: float
  noise_error: float
  integration_error: float
  trained_steps: int
  nll_at_trained_steps: float
  bits_per_dimension: float | None

  def doubts(self, tolerance: float = 0.1) -> str:
    """What is wrong with this result, in one line; empty if nothing is."""
    if not np.isfinite(self.nll):
      return 'The likelihood is not finite: train with smaller steps or a lower --learning_rate.'
    if self.integration_error > tolerance:
      return (
        f'The integration error is {self.integration_error:.2g} nats even at {self.num_steps} '
        'steps: train anew in another --run_dir with a larger --stiffness_weight or more steps.'
      )
    return ''

  def __str__(self) -> str:
    """The result in one line."""
    line = (
      f'NLL = {self.nll:.2f} +- {self.point_error:.2g} (points) +- {self.noise_error:.1g} (noise) '
      f'+- {self.integration_error:.1g} (integration, {self.num_steps} steps) nats'
    )
    if self.bits_per_dimension is not None:
      line += f'; {self.bits_per_dimension:.4f} bits per dimension'
    return line + f'; {self.nll_at_trained_steps:.2f} at {self.trained_steps} steps'


def measure_likelihood(
  bijector: MongeAmpereBijector,
  preprocessing: Any,
  points: np.ndarray,
  levels: int | None = None,
  batch_size: int = 100,
  seed: int = 0,
  draws: int = 1,
  tolerance: float = 0.1,
  least_steps: int = 0,
) -> Likelihood:
  """-E[ln p] at d, 2 d, 4 d, ... steps on the same points and noise, until halving changes nothing.

  Args:
    bijector: The flow.
    preprocessing: TFP bijector y -> x.
    points: Held-out data x, shape [n, N]; integers are dequantised.
    levels: How many values a quantised coordinate takes; None for real data.
    batch_size: Points flowed at once.
    seed: Of the dequantisation noise, non-negative.
    draws: Draws of noise per point; two or more tell how much it matters.
    tolerance: Steps are halved until the mean changes by less, in nats,
    least_steps: and until there are so many.

  Returns:
    The likelihood with its errors.
  """
  noisy = [data.dequantised(points, seed, k) for k in range(draws if levels else 1)]
  inverse = tf.function(preprocessing.inverse, autograph=False, reduce_retracing=True)
  sets = [np.concatenate([inverse(part).numpy() for part in _parts(x, batch_size)]) for x in noisy]

  def at(flow: MongeAmpereBijector) -> np.ndarray:
    score = _scorer(flow)
    return np.stack(
      [np.concatenate([score(part).numpy() for part in _parts(y, batch_size)]) for y in sets]
    )

  equal = bijector.with_seed(seed).copy(jitter=0.0)
  first = coarse = at(equal)
  for _ in range(MOST_HALVINGS):
    equal = equal.refined()
    fine = at(equal)
    change = abs(float(np.mean(fine - coarse)))
    if not change > tolerance and equal.horizon.num_steps >= least_steps:  # NaN ends it, too.
      break
    coarse = fine
  bits = None
  if levels:
    ys = tf.constant(np.concatenate(sets))
    bits = float(tf.reduce_mean(data.bits_per_dimension(fine.reshape(-1), ys, levels)))
  return Likelihood(
    num_points=len(points),
    draws=len(sets),
    num_steps=equal.horizon.num_steps,
    nll=float(np.mean(fine)),
    point_error=float(np.std(np.mean(fine, axis=0), ddof=1) / np.sqrt(len(points))),
    noise_error=_noise_error(fine),
    integration_error=change,
    trained_steps=bijector.horizon.num_steps,
    nll_at_trained_steps=float(np.mean(first)),
    bits_per_dimension=bits,
  )


def _noise_error(nll: np.ndarray) -> float:
  """Standard error of the mean over draws of noise, of values [draws, n]; 0 of a single draw."""
  if len(nll) < 2:
    return 0.0
  return float(np.sqrt(np.mean(np.var(nll, axis=0, ddof=1)) / nll.size))


def _scorer(bijector: MongeAmpereBijector) -> Callable[[np.ndarray], tf.Tensor]:
  flow = standard_normal_flow(bijector)

  @tf.function(autograph=False, reduce_retracing=True)
  def score(y: tf.Tensor) -> tf.Tensor:
    return tf.cast(objectives.negative_log_likelihood(flow, y), tf.float64)

  return score


def _parts(points: np.ndarray, batch_size: int) -> list[np.ndarray]:
  return [points[i : i + batch_size] for i in range(0, len(points), batch_size)]
