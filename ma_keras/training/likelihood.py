"""The likelihood of a trained flow, with its statistical and its integration error."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras import data
from ma_keras.arguments import is_whole
from ma_keras.bijector import MongeAmpereBijector
from ma_keras.training.halving import REMEDY, Halving, Scorer, halve, moving

# A likelihood at the steps of training may differ from the refined one by so many standard errors.
SIGMAS = 2.0
WORSE = 1.01  # Times the bits of uniform values: a model of such values takes hardly more.


@dataclasses.dataclass(frozen=True)
class Likelihood:
  """-E[ln p(y, T)] on held-out points, and how far to trust it. Eq. (6).

  Attributes:
    num_points: Points.
    draws: Draws of dequantisation noise per point.
    num_steps: d of the flow that was measured in the end.
    nll: Mean negative log likelihood at d steps, nats in `space`.
    point_error: Its standard error over points.
    noise_error: Its standard error over dequantisation noise; 0 where there is none.
    integration_error: |nll(d) - nll(d/2)| on the same points and noise.
    root_mean_square_change: Of ln p of a point, between d/2 and d steps, nats.
    quantile_change: 95 % of the points change by less between d/2 and d steps, nats.
    certified_steps: d/2 where these three changes are within the tolerance: log densities in so
      many steps are as good as in twice as many. d where they are not, even there.
    trained_steps: Steps of the flow as it came: those of training, unless they were chosen anew.
    nll_at_trained_steps: The mean at those.
    bits_per_dimension: In pixel space, by the MAF paper's formula; None for real data.
    space: 'logit space', in which papers compare images, or 'data'.
    uniform_bits: Bits per dimension of uniform values, log2 of their levels; None for real data.
  """

  num_points: int
  draws: int
  num_steps: int
  nll: float
  point_error: float
  noise_error: float
  integration_error: float
  root_mean_square_change: float
  quantile_change: float
  certified_steps: int
  trained_steps: int
  nll_at_trained_steps: float
  bits_per_dimension: float | None
  space: str = 'data'
  uniform_bits: float | None = None

  def doubts(self, tolerance: float = 0.1) -> str:
    """Says in one line what is wrong with this result; empty if nothing is.

    A likelihood that is not finite, whose log densities still change by more than the tolerance
    when steps are halved, or that the steps of training make better or worse than it is by more
    than the tolerance and `SIGMAS` standard errors: training has cheated its integrator. Quantised
    data that cost more bits than uniform values, by a hundredth: the model knows nothing of them.
    """
    if not np.isfinite(self.nll):
      return 'The likelihood is not finite: train with smaller steps or a lower --learning_rate.'
    changes = (self.integration_error, self.root_mean_square_change, self.quantile_change)
    return (
      moving(*changes, num_steps=self.num_steps, tolerance=tolerance)
      or cheated(
        self.nll_at_trained_steps, self.trained_steps, self.nll, self.point_error, tolerance
      )
      or self._worse_than_uniform()
    )

  def _worse_than_uniform(self) -> str:
    if self.bits_per_dimension is None or self.uniform_bits is None:
      return ''
    if self.bits_per_dimension <= WORSE * self.uniform_bits:
      return ''
    return (
      f'The model takes {self.bits_per_dimension:.4g} bits per dimension, and uniform values take '
      f'{self.uniform_bits:.4g}: it knows nothing of these data. Train for more --epochs or at '
      'another --learning_rate, if they are those of its training.'
    )

  def __str__(self) -> str:
    """The result in one line."""
    line = (
      f'NLL = {self.nll:.2f} +- {self.point_error:.2g} (points) +- {self.noise_error:.1g} (noise) '
      f'+- {self.integration_error:.1g} (integration, {self.num_steps} steps) '
      f'nats {"of the data" if self.space == "data" else f"in {self.space}"}'
    )
    if self.bits_per_dimension is not None:
      line += f'; {self.bits_per_dimension:.4f} bits per dimension'
    return line + f'; {self.nll_at_trained_steps:.2f} at {self.trained_steps} steps'


def cheated(
  nll_at_trained_steps: float,
  trained_steps: int,
  nll: float,
  standard_error: float,
  tolerance: float = 0.1,
) -> str:
  """Says in one line that training exploited its integrator's error; empty if it did not.

  Args:
    nll_at_trained_steps: Mean negative log likelihood at the steps of training, nats.
    trained_steps: How many they are.
    nll: The same points' in refined steps, nats.
    standard_error: Standard error of `nll` over points, nats.
    tolerance: Difference that is put up with whatever the standard error, nats.
  """
  difference = abs(nll_at_trained_steps - nll)
  if difference <= max(tolerance, SIGMAS * standard_error):
    return ''
  errors = difference / standard_error if standard_error > 0 else np.inf
  return (
    f'In the {trained_steps} steps of training the NLL is {nll_at_trained_steps:.2f}, in refined '
    f'steps {nll:.2f}: {difference:.2g} nats, or {errors:.2g} standard errors, belong to the '
    f'integrator and not to the model: {REMEDY}'
  )


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
  base: Any = None,
  conditional: Any = None,
) -> Likelihood:
  """-E[ln p] at d, 2 d, 4 d, ... steps on the same points and noise, until halving changes nothing.

  Args:
    bijector: The flow.
    preprocessing: TFP bijector y -> x; None for y = x.
    points: Held-out data x, shape [n, N]; integers are dequantised. Of a conditional flow [o, x],
      [n, O + N].
    levels: How many values a quantised coordinate takes; None for real data.
    batch_size: Points flowed at once.
    seed: Of the dequantisation noise, non-negative.
    draws: Draws of noise per point; two or more tell how much it matters.
    tolerance: Steps are halved until ln p of the points changes by less, in nats: its mean, its
      root mean square, and 95 % of the points,
    least_steps: and until there are so many.
    base: p(y, 0); None for Normal(0, I).
    conditional: `ConditionalFlow` whose encoder makes contexts of o.

  Returns:
    The likelihood with its errors.

  Raises:
    ValueError: There are no points, or no draw or batch of them.
  """
  if not len(points) or not is_whole(draws) or not is_whole(batch_size):
    raise ValueError(
      f'`points` must hold one at least, and `draws` and `batch_size` be positive, got '
      f'{len(points)}, {draws!r} and {batch_size!r}.'
    )
  size = conditional.context_size if conditional else 0
  contexts, points = points[:, :size], points[:, size:]
  preprocessing = tfp.bijectors.Identity() if preprocessing is None else preprocessing
  cell_sizes = getattr(preprocessing, 'cell_sizes', None)
  rounded = cell_sizes is not None and bool(np.any(cell_sizes))
  events = [
    data.dequantised(points, seed, k, cell_sizes) for k in range(draws if levels or rounded else 1)
  ]
  dtype = bijector.dtype.as_numpy_dtype
  sets = [latent_rows(preprocessing, contexts, x, batch_size).astype(dtype) for x in events]
  shifts = 0.0 if levels else np.stack([log_dets(preprocessing, x, batch_size) for x in events])
  scorer = Scorer(bijector.with_seed(seed), batch_size, base=base, conditional=conditional)

  def negative_log_likelihoods(num_steps: int) -> np.ndarray:
    return -(np.stack([scorer(y, num_steps) for y in sets]) + shifts)

  halving = halve(
    negative_log_likelihoods,
    bijector.horizon.num_steps,
    settled=lambda halving: halving.within(tolerance),
    least_steps=least_steps,
  )
  bits = None
  if levels:
    ys = tf.constant(np.concatenate(sets)[:, size:])
    bits = float(tf.reduce_mean(data.bits_per_dimension(halving.fine.reshape(-1), ys, levels)))
  space = 'logit space' if levels else 'data'
  uniform_bits = math.log2(levels) if levels else None
  return dataclasses.replace(
    _likelihood(halving, tolerance), bits_per_dimension=bits, space=space, uniform_bits=uniform_bits
  )


def _likelihood(halving: Halving, tolerance: float) -> Likelihood:
  """The likelihood of values [draws, n] at several depths."""
  num_draws, num_points = halving.fine.shape
  return Likelihood(
    num_points=num_points,
    draws=num_draws,
    num_steps=halving.num_steps,
    nll=float(np.mean(halving.fine)),
    point_error=standard_error(halving.fine),
    noise_error=_noise_error(halving.fine),
    integration_error=abs(halving.mean_change),
    root_mean_square_change=halving.root_mean_square_change,
    quantile_change=halving.quantile_change,
    certified_steps=halving.certified_steps(tolerance),
    trained_steps=halving.first_steps,
    nll_at_trained_steps=float(np.mean(halving.first)),
    bits_per_dimension=None,
  )


def latent_rows(
  preprocessing: Any, contexts: np.ndarray, points: np.ndarray, batch_size: int
) -> np.ndarray:
  """Rows [o, y], y = preprocessing^-1(x), [n, O + N]; y alone where there are no contexts."""
  y = to_latent_space(preprocessing, points, batch_size)
  return np.concatenate([contexts, y], axis=-1) if contexts.shape[-1] else y


def to_latent_space(preprocessing: Any, points: np.ndarray, batch_size: int) -> np.ndarray:
  """y = preprocessing^-1(x), [n, N], a batch at a time."""
  inverse = tf.function(preprocessing.inverse, autograph=False, reduce_retracing=True)
  dtype = preprocessing.forward_dtype() or points.dtype
  parts = [points[k : k + batch_size] for k in range(0, len(points), batch_size)]
  return np.concatenate([inverse(tf.constant(part, dtype)).numpy() for part in parts])


def log_dets(preprocessing: Any, points: np.ndarray, batch_size: int) -> np.ndarray:
  """ln|det dy/dx| of rows [n, N], [n], a batch at a time."""

  def log_det(x: tf.Tensor) -> tf.Tensor:
    values = preprocessing.inverse_log_det_jacobian(x, event_ndims=1)
    return tf.broadcast_to(tf.cast(values, tf.float64), tf.shape(x)[:1])

  function = tf.function(log_det, autograph=False, reduce_retracing=True)
  dtype = preprocessing.forward_dtype() or tf.float64
  parts = [points[k : k + batch_size] for k in range(0, len(points), batch_size)]
  return np.concatenate([function(tf.constant(part, dtype)).numpy() for part in parts])


def standard_error(nll: np.ndarray) -> float:
  """Standard error over points of the mean of values [draws, n]; inf of a single point."""
  num_points = nll.shape[-1]
  if num_points < 2:
    return np.inf
  return float(np.std(np.mean(nll, axis=0), ddof=1) / np.sqrt(num_points))


def _noise_error(nll: np.ndarray) -> float:
  """Standard error of the mean over draws of noise, of values [draws, n]; 0 of a single draw."""
  if len(nll) < 2:
    return 0.0
  return float(np.sqrt(np.mean(np.var(nll, axis=0, ddof=1)) / nll.size))
