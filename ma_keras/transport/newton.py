"""The point at which a convex function has a given gradient, by damped Newton steps."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from ma_keras.flow.gradients import on_demand
from ma_keras.potentials.base import Potential
from ma_keras.transport import conjugate_gradients, hessian

# Newton steps that a tape records after the last: k of them have derivatives up to order 2^k - 1.
RECORDED = 2
HALVINGS = 30  # Of a Newton step, until it shortens the residual.
# Coordinates from which Newton's equation is solved by conjugate gradients, where it can be.
MANY = 8
SAMPLED = 1  # Points whose mean Hessian preconditions all: more cost more than they save.
FORCING = 0.1  # Largest relative residual of Newton's equation.

Step = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class Gradient:
  """grad u(z) = m z + grad phi(z), and what Newton's method needs of it.

  Attributes:
    potential: phi, taken at time 0.
    modulus: m, so that u(z) = m |z|^2/2 + phi(z).
  """

  def __init__(self, potential: Potential, modulus: float) -> None:
    """Keeps both."""
    self.potential, self.modulus = potential, modulus

  def __call__(self, z: tf.Tensor) -> tf.Tensor:
    """grad u, [..., N]."""
    return self.modulus * z + self.potential.gradient(tf.zeros([], z.dtype), z)

  def factored(self, z: tf.Tensor) -> hessian.Dense | hessian.LowRank:
    """Hess u at z [B, N]."""
    return hessian.factored(self.potential, z, self.modulus)

  def is_positive(self, z: tf.Tensor) -> tf.Tensor:
    """Tells at which points z [B, N] Hess u is positive, bool [B]."""
    if hessian.is_convex(self.potential):
      return tf.reduce_all(tf.math.is_finite(z), axis=-1)
    return tf.math.is_finite(self.factored(tf.stop_gradient(z)).log_det())

  def residual(self, z: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """|grad u(z) - x| / (1 + |x|), [...]."""
    return tf.norm(self(z) - x, axis=-1) / (1.0 + tf.norm(x, axis=-1))


def inverse(
  gradient: Gradient, x: tf.Tensor, tolerance: float, max_iterations: int
) -> tuple[tf.Tensor, tf.Tensor]:
  """z with grad u(z) = x and Hess u(z) > 0, [B, N], with its derivatives, and where it is one, [B].

  Args:
    gradient: grad u.
    x: Gradients to be met, [B, N].
    tolerance: Largest |grad u(z) - x| / (1 + |x|).
    max_iterations: Newton steps at most.
  """
  start = tf.stop_gradient(x)
  z = tf.stop_gradient(minimiser(gradient, start, start, tolerance, max_iterations))
  if on_demand.recording():
    for _ in range(RECORDED):
      z = z - gradient.factored(z).solve(gradient(z) - x)
  return z, (gradient.residual(z, x) <= tolerance) & gradient.is_positive(z)


def minimiser(
  gradient: Gradient, x: tf.Tensor, start: tf.Tensor, tolerance: float, max_iterations: int
) -> tf.Tensor:
  """The minimum z of the convex function u(z) - x.z, where grad u(z) = x, [B, N].

  Newton's equation is solved by the Cholesky factor of every point's Hessian; in many dimensions,
  for a potential that is convex by construction, by conjugate gradients, no more exactly than the
  step deserves (Dembo, Eisenstat & Steihaug 1982), with the Hessian of one of the points as a
  preconditioner: products of N x H for a point, and no matrix of its own.

  Args:
    gradient: grad u.
    x: Gradients to be met, [B, N].
    start: First z, [B, N]; x in rows that are not finite.
    tolerance: |grad u(z) - x| / (1 + |x|) is to be half of it at most.
    max_iterations: Newton steps at most.

  Returns:
    z; NaN in rows where u is found not to be convex, unsolved in those that need more steps.
  """
  scale = 1.0 + tf.norm(x, axis=-1)
  target = 0.5 * tolerance * scale
  many = x.shape[-1] >= MANY and hessian.is_convex(gradient.potential)
  step = _by_products(gradient, target, scale) if many else _by_factors(gradient)

  def unsolved(i: tf.Tensor, z: tf.Tensor, r: tf.Tensor) -> tf.Tensor:
    return tf.reduce_any(tf.norm(r, axis=-1) > target)

  def advance(i: tf.Tensor, z: tf.Tensor, r: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return i + 1, *_damped(gradient, x, z, r, step(z, r), target)

  finite = tf.reduce_all(tf.math.is_finite(start), axis=-1, keepdims=True)
  start = tf.where(finite, start, x)
  state = (tf.constant(0), start, gradient(start) - x)
  return tf.while_loop(unsolved, advance, state, maximum_iterations=max_iterations)[1]


def _by_factors(gradient: Gradient) -> Step:
  return lambda z, r: -gradient.factored(z).solve(r)


def _by_products(gradient: Gradient, target: tf.Tensor, scale: tf.Tensor) -> Step:
  """(z, r) -> -H^-1 r, to a residual that shrinks as r does, so that steps converge quadratically.

  Args:
    gradient: grad u.
    target: Norm below which r need not be, [B].
    scale: 1 + |x|, [B].
  """

  def step(z: tf.Tensor, r: tf.Tensor) -> tf.Tensor:
    factor = hessian.mean_factor(gradient.potential, z[:SAMPLED], gradient.modulus)
    usable = tf.reduce_all(tf.math.is_finite(factor))
    factor = tf.where(usable, factor, tf.eye(z.shape[-1], dtype=z.dtype))

    def preconditioner(v: tf.Tensor) -> tf.Tensor:
      return tf.transpose(tf.linalg.cholesky_solve(factor, tf.transpose(v)))

    size = tf.norm(r, axis=-1)
    forcing = tf.minimum(size / scale, FORCING)
    wanted = tf.maximum(size * forcing, 0.5 * target)
    product = hessian.products(gradient.potential, z, gradient.modulus)
    return -conjugate_gradients.solve(product, r, wanted, preconditioner, 2 * z.shape[-1])

  return step


def _damped(
  gradient: Gradient,
  x: tf.Tensor,
  z: tf.Tensor,
  r: tf.Tensor,
  step: tf.Tensor,
  target: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
  """z after the step of every row, halved until it shortens the residual r, and r there."""
  before, finite = tf.norm(r, axis=-1), tf.reduce_all(tf.math.is_finite(step), axis=-1)

  def moved(length: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    end = z + length[:, tf.newaxis] * step
    return end, gradient(end) - x

  def too_long(length: tf.Tensor, r: tf.Tensor) -> tf.Tensor:
    # At the level of rounding nothing gets shorter; NaN is never shorter, and no step helps it.
    return finite & ~(tf.norm(r, axis=-1) <= tf.maximum((1.0 - 0.1 * length) * before, target))

  def halve(length: tf.Tensor, z: tf.Tensor, r: tf.Tensor) -> tuple[tf.Tensor, ...]:
    length = tf.where(too_long(length, r), 0.5 * length, length)
    return length, *moved(length)

  one = tf.ones_like(before)
  return tf.while_loop(
    lambda length, z, r: tf.reduce_any(too_long(length, r)),
    halve,
    (one, *moved(one)),
    maximum_iterations=HALVINGS,
  )[1:]
