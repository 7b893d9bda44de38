"""Sinkhorn divergence of two samples: a smooth distance of distributions without densities."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ma_keras.arguments import is_finite, is_whole

COOLING = 0.7  # Factor of the regularisation from one iteration to the next, down to epsilon.
PAIRS = ((0, 1), (0, 0), (1, 1))  # Sides of the three plans.
RELAXATION = 1.7  # Length of a step at epsilon, of that to the soft-min; 2 would not converge.


class Divergence(NamedTuple):
  """S(x, y), and how far its iterations came.

  Attributes:
    value: S, shape []; NaN where a plan misses its marginals by more than the tolerance.
    marginal_error: Largest sum_i |row sum_i - a_i| + sum_j |column sum_j - b_j| of the plans, [].
    iterations: Largest number of iterations, int32 [].
  """

  value: tf.Tensor
  marginal_error: tf.Tensor
  iterations: tf.Tensor


class _Dual(NamedTuple):
  """Potentials f [n] and g [m] of one problem, the error of its rows, and the iterations taken."""

  f: tf.Tensor
  g: tf.Tensor
  error: tf.Tensor
  iterations: tf.Tensor


def sinkhorn_divergence(
  x: tf.Tensor,
  y: tf.Tensor,
  epsilon: float,
  x_weights: tf.Tensor | None = None,
  y_weights: tf.Tensor | None = None,
  tolerance: float | None = None,
  max_iterations: int = 1000,
) -> Divergence:
  """S(x, y) = OT(x, y) - OT(x, x)/2 - OT(y, y)/2, entropic costs of squared distances.

      OT(x, y) = min_p sum_ij p_ij |x_i - y_j|^2 + epsilon KL(p || a b'),

  over plans p with marginals a and b. S is not negative, zero for equal clouds alone, W2^2 of them
  as epsilon falls to 0, and a distance of means as it grows (Feydy et al. 2019). Potentials come
  from Sinkhorn's iterations on logarithms, epsilon falling from the largest cost to its value.
  Derivatives are by x and y, at fixed potentials: those of the optimum (Danskin). It compiles with
  XLA; memory is that of n x m matrices.

  Clouds are samples: their divergence is not that of the distributions they are from, and exceeds
  it on average.

  Args:
    x: Points, [n, N].
    y: Points, [m, N].
    epsilon: Regularisation, a squared length: 0.01 to 0.1 of the mean |x_i - y_j|^2, say. Smaller
      ones are nearer to W2^2 and take more iterations, about 1/epsilon of them.
    x_weights: a up to a factor, not negative, [n]; equal ones by default.
    y_weights: b up to a factor, not negative, [m].
    tolerance: Largest `marginal_error`; 1e-3 by default, 1e-6 in float64.
    max_iterations: Most iterations of a plan.

  Returns:
    The divergence; NaN where the iterations did not converge.

  Raises:
    ValueError: A number is out of range, or the clouds are of different dimensions or dtypes.
  """
  x = tf.convert_to_tensor(x)
  y = tf.convert_to_tensor(y, x.dtype)
  if tolerance is None:
    tolerance = 1e-6 if x.dtype == tf.float64 else 1e-3
  _check(x, y, epsilon=epsilon, tolerance=tolerance)
  if not is_whole(max_iterations):
    raise ValueError(f'`max_iterations` must be positive and whole, got {max_iterations!r}.')
  centre = tf.stop_gradient(tf.reduce_mean(x, axis=0))  # Distances of far-off clouds would round.
  sides = [(x - centre, _log_weights(x, x_weights)), (y - centre, _log_weights(y, y_weights))]
  values, duals = zip(
    *(
      _cost(*sides[i], *sides[j], epsilon, tolerance, int(max_iterations), symmetric=i == j)
      for i, j in PAIRS
    )
  )
  error = tf.reduce_max([dual.error for dual in duals])
  value = values[0] - 0.5 * (values[1] + values[2])
  met = error <= tolerance
  return Divergence(
    tf.where(met, value, tf.constant(np.nan, x.dtype)),
    error,
    tf.reduce_max([dual.iterations for dual in duals]),
  )


def _cost(
  x: tf.Tensor,
  log_a: tf.Tensor,
  y: tf.Tensor,
  log_b: tf.Tensor,
  epsilon: float,
  tolerance: float,
  max_iterations: int,
  symmetric: bool,
) -> tuple[tf.Tensor, _Dual]:
  """The dual value sum a f + sum b g - epsilon sum_ij a b (exp((f + g - C)/epsilon) - 1), []."""
  cost = _squared_distances(x, y)
  width, largest = (tf.constant(number, cost.dtype) for number in (epsilon, tolerance))
  fixed, a, b = (tf.stop_gradient(part) for part in (cost, log_a, log_b))
  # Eager loops would run each operation by itself.
  solved = _compiled if tf.executing_eagerly() else _solved
  dual = solved(fixed, a, b, width, largest, max_iterations, symmetric)
  f, g = tf.stop_gradient(dual.f), tf.stop_gradient(dual.g)
  exponents = (f[:, tf.newaxis] + g - cost) / epsilon + log_a[:, tf.newaxis] + log_b
  mass = tf.reduce_sum(tf.exp(exponents))
  linear = _mean(log_a, f) + _mean(log_b, g)
  return linear - epsilon * (mass - 1.0), dual


def _solved(
  cost: tf.Tensor,
  log_a: tf.Tensor,
  log_b: tf.Tensor,
  epsilon: tf.Tensor,
  tolerance: tf.Tensor,
  max_iterations: int,
  symmetric: bool,
) -> _Dual:
  """Potentials with f = soft-min of C - g and g = soft-min of C' - f; g = f if it is symmetric.

  Where two clouds are one, f is the mean of itself and the soft-min, which converges at once. Else
  steps are longer than to the soft-min (Thibault et al. 2017), once epsilon has its value.
  """
  first = tf.reduce_max(cost)

  def width_at(k: tf.Tensor) -> tf.Tensor:
    exponent = tf.cast(tf.maximum(k, 0), cost.dtype)
    return tf.maximum(epsilon, first * tf.pow(tf.constant(COOLING, cost.dtype), exponent))

  def advance(f: tf.Tensor, g: tf.Tensor, _: tf.Tensor, k: tf.Tensor) -> _Dual:
    width = width_at(k)
    settled = (k > 0) & (width_at(k - 1) <= epsilon)  # Else f and g are of another width.
    better = _soft_min(cost - g, log_b, width)
    if symmetric:
      error = tf.where(settled, _marginal_error(f - better, log_a, width), np.inf)
      after = tf.where(error <= tolerance, f, 0.5 * (f + better))
      return _Dual(after, after, error, k + 1)
    step = tf.where(settled, tf.constant(RELAXATION, cost.dtype), 1.0)
    f = f + step * (better - f)
    columns = _soft_min(tf.transpose(cost) - f, log_a, width)
    error = _marginal_error(f - better, log_a, width) + _marginal_error(g - columns, log_b, width)
    error = tf.where(settled, error, np.inf)
    return _Dual(f, tf.where(error <= tolerance, g, g + step * (columns - g)), error, k + 1)

  start = _Dual(
    tf.zeros_like(log_a), tf.zeros_like(log_b), tf.constant(np.inf, cost.dtype), tf.constant(0)
  )
  return tf.while_loop(
    lambda f, g, error, k: ~(error <= tolerance),
    lambda *state: advance(*state),
    start,
    maximum_iterations=max_iterations,
  )


_compiled = tf.function(_solved, autograph=False)


def _marginal_error(difference: tf.Tensor, log_weights: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
  """sum_i |row sum_i - a_i|, of a potential minus the soft-min that would meet its marginal."""
  ratios = tf.exp(tf.minimum(difference / width, 50.0))  # Any huge one will do.
  return tf.reduce_sum(tf.exp(log_weights) * tf.abs(ratios - 1.0))


def _soft_min(values: tf.Tensor, log_weights: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
  """-w ln sum_j exp(ln b_j - values_ij / w), [n]."""
  return -width * tf.reduce_logsumexp(log_weights - values / width, axis=1)


def _squared_distances(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
  """|x_i - y_j|^2, [n, m]."""
  squares = [tf.reduce_sum(tf.square(points), axis=1) for points in (x, y)]
  cross = tf.matmul(x, y, transpose_b=True)
  return tf.maximum(squares[0][:, tf.newaxis] + squares[1] - 2.0 * cross, 0.0)


def _log_weights(points: tf.Tensor, weights: tf.Tensor | None) -> tf.Tensor:
  """ln of weights that add to 1, [n]."""
  weights = tf.ones_like(points[:, 0]) if weights is None else tf.cast(weights, points.dtype)
  return tf.math.log(weights / tf.reduce_sum(weights))


def _mean(log_weights: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
  """sum_i a_i values_i; a point of no weight adds nothing."""
  return tf.reduce_sum(tf.math.multiply_no_nan(values, tf.exp(log_weights)))


def _check(x: tf.Tensor, y: tf.Tensor, **positive: float) -> None:
  """Raises ValueError on clouds that do not go together, or numbers that are not positive."""
  for name, value in positive.items():
    if not is_finite(value) or value <= 0:
      raise ValueError(f'`{name}` must be positive and finite, got {value!r}.')
  if x.shape.rank != 2 or y.shape.rank != 2 or x.shape[1] != y.shape[1]:
    raise ValueError(
      f'`x` and `y` must hold points [n, N] and [m, N] of one dimension, got {x.shape} and '
      f'{y.shape}.'
    )
  if not x.dtype.is_floating:
    raise ValueError(f'`x` must be floating, got {x.dtype.name}.')
