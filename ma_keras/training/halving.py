"""Log densities in finer and finer steps, until they stand still."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras import bases, seeds
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.distributions import FlowChain, conditions, flow_from
from ma_keras.training.penalties import SMALLER_STEPS

MOST_HALVINGS = 6
QUANTILE = 0.95
TOLERANCE = 0.1  # Nats: log densities that change by less on halving stand still.

# What to do where log densities do not stand still.
REMEDY = f'train anew in another --run_dir {SMALLER_STEPS}.'


class Scorer:
  """ln p(y) of many points in any number of equal steps.

  The functions read the flow's variables anew at every call, so that one scorer serves all epochs
  of a training.
  """

  def __init__(
    self,
    bijector: MongeAmpereBijector | FlowChain,
    batch_size: int,
    jit_compile: bool = False,
    base: Any = None,
    conditional: Any = None,
  ) -> None:
    """Keeps the flow; nothing is traced yet.

    Args:
      bijector: The flow, or a chain of flows; random steps are left out.
      batch_size: Points flowed at once.
      jit_compile: Whether XLA compiles the flow.
      base: p(y, 0); None for Normal(0, I).
      conditional: `ConditionalFlow` whose encoder makes contexts; rows are [o, y] then, [n, O + N].
    """
    self._base = base
    self._conditional = conditional
    self._bijector = bijector.in_equal_steps()
    self._batch_size = batch_size
    self._jit_compile = jit_compile
    self._functions: dict[int, Callable[[np.ndarray], tf.Tensor]] = {}

  def __call__(self, points: np.ndarray, num_steps: int) -> np.ndarray:
    """ln p of points y [n, N] in so many steps, float64 [n]."""
    log_prob = self._function(num_steps)
    parts = range(0, len(points), self._batch_size)
    return np.concatenate([log_prob(points[k : k + self._batch_size]).numpy() for k in parts])

  def _function(self, num_steps: int) -> Callable[[np.ndarray], tf.Tensor]:
    if num_steps not in self._functions:
      flow = flow_from(self._base, self._bijector.in_steps(num_steps))

      def log_prob(rows: Any) -> tf.Tensor:
        y, options = self._parts(tf.convert_to_tensor(rows))
        return tf.cast(flow.log_prob(y, **options), tf.float64)

      # Eager calls of a flow share one trace for any number of steps; XLA wants one for each.
      self._functions[num_steps] = (
        tf.function(log_prob, autograph=False, reduce_retracing=True, jit_compile=True)
        if self._jit_compile
        else log_prob
      )
    return self._functions[num_steps]

  def _parts(self, rows: tf.Tensor) -> tuple[tf.Tensor, dict[str, Any]]:
    """Points, and the keyword arguments with their contexts."""
    if self._conditional is None:
      return rows, {}
    rows = tf.cast(rows, self._bijector.dtype)
    observed, y = tf.split(rows, [self._conditional.context_size, -1], axis=-1)
    encoder = self._conditional.encoder
    context = observed if encoder is None else encoder(observed)
    return y, {'bijector_kwargs': conditions.options(self._bijector, context)}


@dataclasses.dataclass(frozen=True)
class Halving:
  """Values of the same points in d0, 2 d0, 4 d0, ..., d/2 and d steps.

  Attributes:
    first_steps: d0.
    first: Values in d0 steps, shape [..., n].
    coarse: Values in d/2 steps, [..., n].
    num_steps: d.
    fine: Values in d steps, [..., n].
  """

  first_steps: int
  first: np.ndarray
  coarse: np.ndarray
  num_steps: int
  fine: np.ndarray

  @property
  def mean_change(self) -> float:
    """Mean over points of the change from d/2 to d steps."""
    return float(np.mean(self.fine - self.coarse))

  @property
  def root_mean_square_change(self) -> float:
    """Root mean square over points of the same change, never below the absolute mean."""
    return float(np.sqrt(np.mean(np.square(self.fine - self.coarse))))

  @property
  def quantile_change(self) -> float:
    """95 % of the points change by less."""
    return float(np.quantile(np.abs(self.fine - self.coarse), QUANTILE))

  def within(self, tolerance: float = TOLERANCE) -> bool:
    """Tells whether root mean square, hence mean, and quantile are within a tolerance."""
    return bool(max(self.root_mean_square_change, self.quantile_change) <= tolerance)

  def certified_steps(self, tolerance: float = TOLERANCE) -> int:
    """d/2 if so many steps are as good as d, within a tolerance; d, the best there is, if not."""
    return self.num_steps // 2 if self.within(tolerance) else self.num_steps

  def doubts(self, tolerance: float = TOLERANCE) -> str:
    """Says in one line that the values do not stand still; empty if they do."""
    changes = (abs(self.mean_change), self.root_mean_square_change, self.quantile_change)
    return moving(*changes, num_steps=self.num_steps, tolerance=tolerance)


def moving(
  mean: float,
  root_mean_square: float,
  quantile: float,
  num_steps: int,
  tolerance: float = TOLERANCE,
) -> str:
  """Says in one line that log densities do not stand still; empty if all three changes are small.

  Args:
    mean: Absolute mean of their change from half as many steps, nats.
    root_mean_square: Its root mean square, nats.
    quantile: Its 95 % quantile, nats.
    num_steps: The larger number of steps.
    tolerance: Largest change, nats.
  """
  if max(mean, root_mean_square, quantile) <= tolerance:
    return ''
  return (
    f'Halving the steps still changes log densities by {mean:.2g} nats on average, '
    f'{root_mean_square:.2g} root mean square and {quantile:.2g} in one of twenty points, even at '
    f'{num_steps} steps (tolerance {tolerance:g}): {REMEDY}'
  )


def halve(
  values: Callable[[int], np.ndarray],
  num_steps: int,
  settled: Callable[[Halving], bool],
  least_steps: int = 0,
  most_halvings: int = MOST_HALVINGS,
) -> Halving:
  """Doubles the number of steps until the values stand still, or are not finite.

  Args:
    values: Number of steps -> values of the same points, [..., n].
    num_steps: The number to begin with.
    settled: Tells whether they stand still.
    least_steps: Steps are doubled at least until there are so many.
    most_halvings: How often at most.

  Returns:
    Values at both ends; they may not stand still.
  """
  steps, first = num_steps, values(num_steps)
  coarse = first
  for _ in range(most_halvings):
    fine = values(2 * steps)
    halving = Halving(num_steps, first, coarse, 2 * steps, fine)
    over = settled(halving) or not np.all(np.isfinite(fine))
    if over and halving.num_steps >= least_steps:
      break
    steps, coarse = 2 * steps, fine
  return halving


def halve_on_samples(
  bijector: MongeAmpereBijector, num_samples: int, batch_size: int, seed: int, base: Any = None
) -> Halving:
  """ln p of samples of the flow itself, in its own steps and in finer ones.

  Args:
    bijector: The flow, with its random draws.
    num_samples: So many samples, drawn in the steps of the flow.
    batch_size: Samples flowed at once.
    seed: Non-negative integer that names the samples.
    base: p(x, 0); standard normal by default.

  Returns:
    Values [num_samples], halved until they are `Halving.within` 0.1 nats, or six times.
  """
  numbers = seeds.PerSample(seeds.stateless(seed, 'certify'), tf.range(num_samples), num_samples)
  latents = bases.latents(flow_from(base, bijector).distribution, numbers)
  parts = range(0, num_samples, batch_size)
  forward = tf.function(bijector.forward, autograph=False, reduce_retracing=True)
  points = np.concatenate([forward(latents[k : k + batch_size]).numpy() for k in parts])
  scorer = Scorer(bijector, batch_size, base=base)
  return halve(
    lambda num_steps: scorer(points, num_steps),
    bijector.horizon.num_steps,
    settled=lambda halving: halving.within(TOLERANCE),
  )
