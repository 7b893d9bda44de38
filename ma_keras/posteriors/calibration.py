"""Simulation-based calibration: ranks of true parameters among draws of a posterior."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.stats
import tensorflow as tf

from ma_keras import seeds
from ma_keras.arguments import is_whole

FEWEST_PER_BIN = 5  # Below, the statistic is not distributed as chi-square.


class Calibration(NamedTuple):
  """Ranks, which are uniform on 0..L where the posterior is right on average over simulations.

  Attributes:
    ranks: How many of the L draws are below the true parameter, int [n, N].
    num_draws: L.
  """

  ranks: np.ndarray
  num_draws: int

  def histogram(self, bins: int = 20) -> np.ndarray:
    """Counts of the ranks in equal bins, int [bins, N].

    Args:
      bins: A divisor of L + 1, so that bins are equal.

    Raises:
      ValueError: It is none.
    """
    if not is_whole(bins) or bins < 2 or (self.num_draws + 1) % bins:
      raise ValueError(
        f'`bins` must divide the {self.num_draws + 1} ranks of {self.num_draws} draws, got {bins}: '
        'draw 99 or 199 for 20 bins.'
      )
    width = (self.num_draws + 1) // bins
    return np.stack([np.bincount(column // width, minlength=bins) for column in self.ranks.T], -1)

  def p_values(self, bins: int = 20) -> np.ndarray:
    """Probability of a chi-square as large, of every parameter, if its ranks are uniform, [N].

    Args:
      bins: As in `histogram`.

    Raises:
      ValueError: There are fewer than five simulations a bin.
    """
    if len(self.ranks) < FEWEST_PER_BIN * bins:
      raise ValueError(
        f'{len(self.ranks)} simulations are too few for `bins` {bins}: simulate '
        f'{FEWEST_PER_BIN * bins}, or take fewer bins.'
      )
    return scipy.stats.chisquare(self.histogram(bins), axis=0).pvalue

  def passes(self, level: float = 0.01, bins: int = 20) -> bool:
    """Tells if no parameter's ranks are less uniform than chance has it once in 1 / level.

    Args:
      level: Probability that a right posterior fails, over all N parameters (Bonferroni).
      bins: As in `histogram`.
    """
    p_values = self.p_values(bins)
    return bool(np.min(p_values) >= level / len(p_values))


def calibrate(
  flow: Any,
  parameters: Any,
  observed: Any,
  num_draws: int = 199,
  seed: int = 0,
  batch_size: int = 100,
) -> Calibration:
  """Ranks of parameters among draws of p(parameters | observed).

  The pairs must be new ones, of the prior and the simulator, and not those of the training (Talts
  et al. 2018, arXiv:1804.06788).

  Args:
    flow: `ConditionalFlow` of parameters [N] under what was observed [O].
    parameters: Draws of the prior, [n, N].
    observed: A simulation under each, [n, O].
    num_draws: L.
    seed: Non-negative integer.
    batch_size: Simulations at once, L draws each.

  Returns:
    The ranks.

  Raises:
    ValueError: Parameters and observations are not as many, or a number is out of range.
  """
  parameters, observed = np.asarray(parameters), np.asarray(observed)
  if len(parameters) != len(observed):
    raise ValueError(
      f'`parameters` and `observed` must be as many, got {len(parameters)} and {len(observed)}.'
    )
  if not is_whole(num_draws) or not is_whole(batch_size):
    raise ValueError(
      f'`num_draws` and `batch_size` must be positive and whole, got {num_draws!r} and '
      f'{batch_size!r}: 99 or 199 draws have 20 bins.'
    )
  key = seeds.stateless(seed, salt='calibration')
  ranks = []
  for first in range(0, len(parameters), batch_size):
    truth = parameters[first : first + batch_size]
    context = tf.constant(observed[first : first + batch_size], flow.dtype)
    shape = [num_draws, len(truth)]
    draws = flow.sample(shape, seed=seeds.fold_in(key, first), context=context)
    ranks.append(np.sum(np.asarray(draws) < truth, axis=0))
  return Calibration(np.concatenate(ranks), num_draws)
