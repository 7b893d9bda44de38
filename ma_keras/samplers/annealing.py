"""ln Z by two roads from a density that is known to exp(-E): weights on the way, or slopes.

Both follow E_u = (1 - u^p) E_0 + u^p E, E_0 = -ln p_0, u from 0 to 1, so that ln Z_0 = 0. With the
power p = 4 the slope d ln Z/du stays finite at u = 0 for cores r^-12 in three dimensions, where
ln Z as a function of u^p goes with its fourth root.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import scipy.special
import tensorflow as tf

from ma_keras import seeds
from ma_keras.arguments import is_whole
from ma_keras.samplers.ceiling import limited
from ma_keras.samplers.importance import ImportanceEstimate, estimate
from ma_keras.samplers.markov import Energy
from ma_keras.samplers.trajectories import RandomTrajectories, TrajectoryResults, steering

PILOT = 64  # Samples that find step sizes.
ACCEPTANCE = 0.8
LARGEST_SHARE = 0.01  # Of all weight, that may lie above the ceiling.


@dataclasses.dataclass(frozen=True)
class Path:
  """E_u = (1 - u^p) E_0 + u^p E, from a normalised density to the target.

  Attributes:
    energy: E, [..., N] -> [...].
    base: p_0, a `tfd.Distribution` with events [N]; E_0 = -ln p_0.
    power: p.
    ceiling: Energies above this count by their logarithm (`ceiling.limited`): chains at small u
      neither enter nor leave hard cores otherwise, whose energies make the slopes there. What is
      above it at u = 1 must have next to no weight. None for no ceiling: take it for dozens of
      particles, several pairs of which clash at first, so that the logarithm of their sum leaves
      next to no force on each.
  """

  energy: Energy
  base: Any
  power: float = 4.0
  ceiling: float | None = 100.0

  def share(self, u: Any) -> Any:
    """u^p, how much of the target is in E_u."""
    return u**self.power

  def rise(self, x: tf.Tensor) -> tf.Tensor:
    """E - E_0, [...]; finite where particles meet, too, so that weights are zero and not NaN."""
    return _finite(limited(self.energy(x), self.ceiling)) + self.base.log_prob(x)

  def excess(self, x: tf.Tensor) -> tf.Tensor:
    """E less the energy that counts on the path, [...]; zero below the ceiling."""
    energy = self.energy(x)
    return _finite(energy) - _finite(limited(energy, self.ceiling))

  def check_ceiling(self, x: tf.Tensor, log_weights: np.ndarray | None = None) -> None:
    """Raises ValueError if samples of the target [..., N] of any weight have energies above it.

    Above the ceiling exp(-E) is no longer what chains see. A sample that is stuck there weighs
    nothing, and does no harm; the same is said of infinite energies where there is no ceiling. An
    energy that is NaN, there or on the way, is an error whatever its weight.
    """
    energies = _finite(self.energy(x)).numpy().astype(np.float64).reshape(-1)
    log_weights = np.zeros_like(energies) if log_weights is None else log_weights.reshape(-1)
    undefined = np.isnan(energies) | np.isnan(log_weights)
    if undefined.any():
      raise ValueError(
        f'Samples of the target have energies up to nan: `energy` is not a number for '
        f'{np.sum(undefined)} of {len(energies)} samples, there or on the way. Let it be infinite '
        'where there is no mass.'
      )
    weights = scipy.special.softmax(log_weights)
    ceiling = _largest(x.dtype) / 2.0 if self.ceiling is None else self.ceiling
    above = energies > ceiling
    if np.sum(weights[above]) > LARGEST_SHARE:
      raise ValueError(
        f'Samples of the target have energies up to {np.max(energies[above]):.4g}, above '
        f'`ceiling` {ceiling:g}: take Path(energy, base, ceiling=c) with a higher c, or None, and '
        'a base that meets the target.'
      )

  def at(self, share: Any) -> Energy:
    """E_u for a share u^p, [] or [..., 1] beside chains [..., C]."""
    return lambda x: share * self.rise(x) - self.base.log_prob(x)


def _largest(dtype: tf.DType) -> float:
  """The root of the largest number, which stands for infinite energies."""
  return float(np.sqrt(np.finfo(dtype.as_numpy_dtype).max))


def _finite(energies: tf.Tensor) -> tf.Tensor:
  """Energies, infinite ones of clashes no larger than the largest that counts."""
  return tf.minimum(energies, _largest(energies.dtype))


@dataclasses.dataclass(frozen=True)
class Annealed:
  """Samples of exp(-E)/Z with weights, independent of one another.

  Attributes:
    estimate: -ln Z, its error, the effective sample size, and doubts.
    samples: [n, N].
    log_weights: Float64 [n].
  """

  estimate: ImportanceEstimate
  samples: np.ndarray
  log_weights: np.ndarray

  def resampled(self, number: int, seed: int = 0) -> np.ndarray:
    """Samples drawn by their weights, with replacement, [number, N]: where chains may begin."""
    return by_weight(self.samples, self.log_weights, number, seed)


def by_weight(samples: np.ndarray, log_weights: np.ndarray, number: int, seed: int) -> np.ndarray:
  """Samples [n, N] drawn with replacement by their log weights [n], [number, N]."""
  weights = np.exp(log_weights - log_weights.max())
  rng = np.random.default_rng(seed)
  return samples[rng.choice(len(weights), number, p=weights / weights.sum())]


def annealed_importance(
  path: Path,
  num_samples: int,
  num_temperatures: int = 1000,
  num_leapfrog_steps: int = 10,
  seed: Any = 0,
) -> Annealed:
  """Z = E[exp(-sum_k (E_{k+1} - E_k)(x_k))], x_k moved by one trajectory at E_k (Neal 2001).

  Samples are independent, and their mean weight has no bias, however short the trajectories are.
  Energies above the ceiling of the path count in full at the end. Step sizes are those of other
  samples, which find them on the way beforehand.

  Args:
    path: From p_0 to exp(-E).
    num_samples: Independent samples of p_0, at least two.
    num_temperatures: K; u_k = k/K. The variance of ln w falls as 1/K.
    num_leapfrog_steps: Of the trajectory at each.
    seed: Integer, or a seed of TFP.

  Returns:
    The samples and the estimate, whose doubts tell if K is too small.

  Raises:
    ValueError: A number is out of range, or more than a hundredth of the weight lies above the
      ceiling of the path.
  """
  positive = is_whole(num_temperatures) and is_whole(num_leapfrog_steps)
  if not is_whole(num_samples, 2) or not positive:
    raise ValueError(
      '`num_samples` must be at least 2, `num_temperatures` and `num_leapfrog_steps` positive, got '
      f'{num_samples!r}, {num_temperatures!r} and {num_leapfrog_steps!r}. 500, 1000 and 10, say.'
    )
  num_temperatures, num_leapfrog_steps = int(num_temperatures), int(num_leapfrog_steps)
  key = seeds.stateless(seed, salt='annealed_importance')
  pilot, first, second = seeds.split(key, 3, salt='parts')
  _, sizes = explore(path, PILOT, num_temperatures, num_leapfrog_steps, pilot)
  start = path.base.sample(num_samples, seed=first)
  x, log_weights = _anneal(path, start, sizes, num_leapfrog_steps, second)
  log_weights = (log_weights - tf.cast(path.excess(x), tf.float64)).numpy()
  path.check_ceiling(x, log_weights)
  return Annealed(estimate(log_weights), x.numpy(), log_weights)


def explore(
  path: Path, num_samples: int, num_temperatures: int, leapfrogs: int, seed: Any
) -> tuple[tf.Tensor, tf.Tensor]:
  """Samples after every temperature, [K, n, N], and step sizes that follow the acceptance, [K].

  The weights of every temperature are used up at once: what hard cores trap is not taken along.
  """
  first, second = seeds.split(seeds.stateless(seed, salt='explore'), 2, salt='parts')
  start = path.base.sample(num_samples, seed=first)
  shares = shares_of(path, num_temperatures, start.dtype)

  def move(state: tuple[tf.Tensor, tf.Tensor], k: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    x, size = state
    key, draw = seeds.split(seeds.fold_in(second, k), 2, salt='move')
    x = resampled_rows(x, (shares[k] - shares[k + 1]) * path.rise(x), draw)
    x, results = trajectory(path.at(shares[k + 1]), x, size, leapfrogs, key)
    acceptance = tf.reduce_mean(tf.exp(steering(results, ACCEPTANCE)))
    return x, size * tf.exp(0.2 * (acceptance - ACCEPTANCE))

  @tf.function(autograph=False, jit_compile=True)
  def loop(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    size = tf.constant(0.1, start.dtype)
    return tf.scan(move, tf.range(num_temperatures), (start, size))

  return loop(start)


def resampled_rows(x: tf.Tensor, log_weights: tf.Tensor, seed: Any) -> tf.Tensor:
  """Rows of x [..., n, N], as often as their weights [..., n] say: systematic resampling."""
  number = x.shape[-2]
  shift = seeds.uniform([*log_weights.shape[:-1], 1], seed, x.dtype)
  marks = (tf.range(number, dtype=x.dtype) + shift) / number
  rows = tf.searchsorted(tf.cumsum(tf.nn.softmax(log_weights), axis=-1), marks)
  return tf.gather(x, tf.minimum(rows, number - 1), batch_dims=log_weights.shape.rank - 1)


def _anneal(
  path: Path, start: tf.Tensor, sizes: tf.Tensor, leapfrogs: int, seed: Any
) -> tuple[tf.Tensor, tf.Tensor]:
  """Samples [n, N] after the last trajectory, and log weights, float64 [n]."""
  number = sizes.shape[0]
  shares = shares_of(path, number, start.dtype)

  def move(k: tf.Tensor, x: tf.Tensor, log_weights: tf.Tensor) -> tuple[tf.Tensor, ...]:
    log_weights -= tf.cast((shares[k + 1] - shares[k]) * path.rise(x), tf.float64)
    energy = path.at(shares[k + 1])
    x, _ = trajectory(energy, x, sizes[k], leapfrogs, seeds.fold_in(seed, k))
    return k + 1, x, log_weights

  @tf.function(autograph=False, jit_compile=True)
  def loop(start: tf.Tensor) -> tuple[tf.Tensor, ...]:
    state = (tf.constant(0), start, tf.zeros(start.shape[:1], tf.float64))
    return tf.while_loop(lambda *_: True, move, state, maximum_iterations=number)

  _, x, log_weights = loop(start)
  return x, log_weights


def trajectory(
  energy: Energy, x: tf.Tensor, step_size: tf.Tensor, leapfrogs: int, seed: Any
) -> tuple[tf.Tensor, TrajectoryResults]:
  """Samples after one trajectory of Hamiltonian Monte Carlo, and its record."""
  # Weights make up for what no step comes to: full steps relax most.
  kernel = RandomTrajectories(lambda x: -energy(x), step_size, leapfrogs, smallest=1.0)
  return kernel.one_step(x, kernel.bootstrap_results(x), seed=seed)


def shares_of(path: Path, number: int, dtype: tf.DType) -> tf.Tensor:
  """u_k^p, k = 0..K, [K + 1]."""
  return tf.constant(path.share(np.arange(number + 1) / number), dtype)
