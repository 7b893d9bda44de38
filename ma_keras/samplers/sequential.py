"""ln Z by populations that are annealed and resampled on the way: sequential Monte Carlo."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import scipy.special
import tensorflow as tf

from ma_keras import seeds
from ma_keras.arguments import is_whole
from ma_keras.samplers.annealing import (
  Path,
  by_weight,
  explore,
  resampled_rows,
  shares_of,
  trajectory,
)

LARGEST_SPREAD = 0.5  # Nats, standard deviation of the ln Z of populations.


@dataclasses.dataclass(frozen=True)
class Populations:
  """Samples of exp(-E)/Z in populations that are independent of one another.

  Attributes:
    log_partitions: ln of the unbiased estimates of Z, float64 [M].
    samples: [M P, N], population by population.
    log_weights: Float64 [M P].
  """

  log_partitions: np.ndarray
  samples: np.ndarray
  log_weights: np.ndarray

  @property
  def log_partition(self) -> float:
    """ln Z, of the mean over populations."""
    return float(scipy.special.logsumexp(self.log_partitions) - np.log(len(self.log_partitions)))

  @property
  def standard_error(self) -> float:
    """Standard error of ln Z by the spread of populations and the delta method."""
    relative = np.exp(self.log_partitions - self.log_partition)
    return float(np.std(relative, ddof=1) / np.sqrt(len(relative)))

  def doubts(self) -> str:
    """Why not to trust ln Z, in one line; empty if nothing speaks against it."""
    spread = float(np.std(self.log_partitions, ddof=1))
    if spread <= LARGEST_SPREAD:
      return ''
    return (
      f'ln Z of {len(self.log_partitions)} populations differ by {spread:.2g} nats (standard '
      f'deviation): above {LARGEST_SPREAD} the largest rule their mean. Take more '
      'temperatures, or larger populations.'
    )

  def resampled(self, number: int, seed: int = 0) -> np.ndarray:
    """Samples drawn by their weights, with replacement, [number, N]: where chains may begin."""
    return by_weight(self.samples, self.log_weights, number, seed)


def sequential_monte_carlo(
  path: Path,
  num_samples: int = 64,
  num_populations: int = 8,
  num_temperatures: int = 1000,
  num_leapfrog_steps: int = 10,
  seed: Any = 0,
) -> Populations:
  """Z = E[prod_k mean_i exp(-(E_{k+1} - E_k)(x_ik))], resampled and moved at every k.

  As `annealed_importance`, but that samples of a population i = 1..P replace one another by their
  weights (Del Moral, Doucet & Jasra 2006). What has fallen behind, two particles in one another's
  hard cores say, dies out instead of taking the weight with it, so that ln Z of hundreds of degrees
  of freedom has an error. The product has the mean Z over populations of any size; its error is the
  spread of populations, which are independent.

  Args:
    path: From p_0 to exp(-E).
    num_samples: P, samples of a population, at least two.
    num_populations: M, at least four, so that their spread says something.
    num_temperatures: K; u_k = k/K.
    num_leapfrog_steps: Of the trajectory at each.
    seed: Integer, or a seed of TFP.

  Returns:
    The populations, their samples weighted as the populations are.

  Raises:
    ValueError: A number is out of range, or more than a hundredth of the weight lies above the
      ceiling of the path.
  """
  positive = is_whole(num_temperatures) and is_whole(num_leapfrog_steps)
  if not is_whole(num_samples, 2) or not is_whole(num_populations, 4) or not positive:
    raise ValueError(
      '`num_samples` must be at least 2, `num_populations` at least 4, `num_temperatures` and '
      f'`num_leapfrog_steps` positive, got {num_samples!r}, {num_populations!r}, '
      f'{num_temperatures!r} and {num_leapfrog_steps!r}. 64, 8, 1000 and 10, say.'
    )
  num_samples, num_populations = int(num_samples), int(num_populations)
  num_temperatures, num_leapfrog_steps = int(num_temperatures), int(num_leapfrog_steps)
  key = seeds.stateless(seed, salt='sequential_monte_carlo')
  pilot, first, second = seeds.split(key, 3, salt='parts')
  _, sizes = explore(path, num_samples, num_temperatures, num_leapfrog_steps, pilot)
  start = path.base.sample([num_populations, num_samples], seed=first)
  x, log_z = _anneal(path, start, sizes, num_leapfrog_steps, second)
  log_weights = log_z.numpy()[:, np.newaxis] - path.excess(x).numpy().astype(np.float64)
  path.check_ceiling(x, log_weights)
  return Populations(
    log_partitions=scipy.special.logsumexp(log_weights, axis=-1) - np.log(num_samples),
    samples=x.numpy().reshape(-1, x.shape[-1]),
    log_weights=log_weights.reshape(-1),
  )


def _anneal(
  path: Path, start: tf.Tensor, sizes: tf.Tensor, leapfrogs: int, seed: Any
) -> tuple[tf.Tensor, tf.Tensor]:
  """Samples [M, P, N] after the last trajectory, and ln Z of every population, float64 [M]."""
  number, samples = sizes.shape[0], start.shape[1]
  shares = shares_of(path, number, start.dtype)

  def move(k: tf.Tensor, x: tf.Tensor, log_z: tf.Tensor) -> tuple[tf.Tensor, ...]:
    log_weights = (shares[k] - shares[k + 1]) * path.rise(x)
    means = tf.reduce_logsumexp(tf.cast(log_weights, tf.float64), axis=-1) - np.log(samples)
    draw, key = seeds.split(seeds.fold_in(seed, k), 2, salt='move')
    x = resampled_rows(x, log_weights, draw)
    x, _ = trajectory(path.at(shares[k + 1]), x, sizes[k], leapfrogs, key)
    return k + 1, x, log_z + means

  @tf.function(autograph=False, jit_compile=True)
  def loop(start: tf.Tensor) -> tuple[tf.Tensor, ...]:
    state = (tf.constant(0), start, tf.zeros(start.shape[:1], tf.float64))
    return tf.while_loop(lambda *_: True, move, state, maximum_iterations=number)

  _, x, log_z = loop(start)
  return x, log_z
