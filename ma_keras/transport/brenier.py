"""The Monge-Ampere equation itself: the gradient of a convex function as a bijector."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras import pickling
from ma_keras.arguments import is_finite, is_whole
from ma_keras.flow.events import Events, of_dtype
from ma_keras.flow.gradients import on_demand
from ma_keras.potentials.base import Potential
from ma_keras.transport import hessian

# Newton steps that a tape records after the last: k of them have derivatives up to order 2^k - 1.
RECORDED = 2
HALVINGS = 30  # Of a Newton step, until it lowers the function that it minimises.


class BrenierMap(tfp.bijectors.Bijector):
  """x = grad u(z), u(z) = |z|^2/2 + phi(z) convex; ln det dx/dz = ln det(1 + Hess phi(z)). Eq. (1).

  By Brenier's theorem (1991) it is the optimal transport map, for squared distances, of whatever
  distribution goes in to the one that comes out. The determinant is exact, by the Cholesky factor
  of N x N, or of H x H where phi is a `ConvexLayer` of fewer units. The inverse minimises
  u(z) - x.z by Newton steps with the same factor; its derivatives are exact to third order.

  ```python
  phi = ma_keras.transport.ConvexLayer(event_size=2, hidden_units=64)
  optimal = ma_keras.transport.BrenierMap(phi)
  q = tfd.TransformedDistribution(p, optimal)  # optimal.forward maps p to q at the least cost.
  ```

  A chain of such maps is a bijector, too, and in general not optimal. phi is taken at time 0.
  """

  def __init__(
    self,
    potential: Potential,
    tolerance: float | None = None,
    max_iterations: int = 100,
    dtype: tf.DType | None = None,
    validate_args: bool = False,
    name: str = 'brenier_map',
  ) -> None:
    """Checks the arguments; nothing is computed yet.

    Args:
      potential: phi, with |z|^2/2 + phi(z) convex: one of `transport`, or any other potential,
        whose Hessian then takes N reverse passes for every point.
      tolerance: Largest |grad u(z) - x| / (1 + |x|) of an inverse; by default 100 roundings of the
        dtype.
      max_iterations: Newton steps at most.
      dtype: Floating dtype of events; that of the potential by default, or float32.
      validate_args: Raise at run time where u is not convex, or an inverse is not solved to the
        tolerance. Without it what cannot be had is NaN.
      name: Name of the ops.

    Raises:
      TypeError, ValueError: The potential does not do, see `Events.of_potential`, or a number is
        out of range.
    """
    parameters = dict(locals())
    events = Events.of_potential(potential, dtype)
    if tolerance is None:
      tolerance = 100 * float(np.finfo(events.dtype.as_numpy_dtype).eps)
    if not is_finite(tolerance) or tolerance <= 0 or not is_whole(max_iterations):
      raise ValueError(
        '`tolerance` and `max_iterations` must be positive, got '
        f'{tolerance!r} and {max_iterations!r}.'
      )
    with tf.name_scope(name) as name:
      self._potential = potential
      self._events = events
      self.tolerance, self.max_iterations = float(tolerance), int(max_iterations)
      super().__init__(
        forward_min_event_ndims=1,
        dtype=events.dtype,
        validate_args=validate_args,
        parameters=parameters,
        name=name,
      )

  def __reduce__(self) -> pickling.Reduced:
    """Class and arguments: cached values stay with the original."""
    return pickling.reduced(self)

  @classmethod
  def _parameter_properties(cls, dtype: tf.DType) -> dict[str, Any]:
    return {}  # No parameter has a batch shape.

  @property
  def potential(self) -> Potential:
    """phi."""
    return self._potential

  def _forward(self, z: tf.Tensor) -> tf.Tensor:
    z = self._events.checked(of_dtype(z, self.dtype))
    return self._gradient(z)

  def _inverse(self, x: tf.Tensor) -> tf.Tensor:
    x = self._events.checked(of_dtype(x, self.dtype))
    rows = tf.reshape(x, [-1, self._potential.event_size])
    return tf.reshape(self._solved(rows), tf.shape(x))

  def _forward_log_det_jacobian(self, z: tf.Tensor) -> tf.Tensor:
    rows = tf.reshape(z, [-1, self._potential.event_size])
    log_det = hessian.factored(self._potential, rows).log_det()
    if self.validate_args:
      message = '`BrenierMap`: |z|^2/2 + phi is not convex: its Hessian has no Cholesky factor.'
      log_det = tf.debugging.check_numerics(log_det, message)
    return tf.reshape(log_det, tf.shape(z)[:-1])

  def _forward_event_shape(self, shape: tf.TensorShape) -> tf.TensorShape:
    return self._events.checked_shape(shape)

  def _inverse_event_shape(self, shape: tf.TensorShape) -> tf.TensorShape:
    return self._events.checked_shape(shape)

  def _gradient(self, z: tf.Tensor) -> tf.Tensor:
    """grad u, [..., N]."""
    return z + self._potential.gradient(tf.zeros([], z.dtype), z)

  def _newton_step(self, z: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """-H^-1 (grad u(z) - x), [B, N]."""
    return -hessian.factored(self._potential, z).solve(self._gradient(z) - x)

  def _solved(self, x: tf.Tensor) -> tf.Tensor:
    """z with grad u(z) = x, [B, N]; NaN where the tolerance is not met."""
    z = tf.stop_gradient(self._minimised(tf.stop_gradient(x)))
    if on_demand.recording():
      for _ in range(RECORDED):
        z = z + self._newton_step(z, x)
    met = self._residual(z, x) <= self.tolerance
    if self.validate_args:
      message = (
        f'`BrenierMap`: an inverse is not solved to the tolerance {self.tolerance:.2g} in '
        f'{self.max_iterations} Newton steps: is |z|^2/2 + phi convex?'
      )
      with tf.control_dependencies([tf.debugging.assert_equal(met, True, message)]):
        z = tf.identity(z)
    return tf.where(met[:, tf.newaxis], z, tf.constant(float('nan'), z.dtype))

  def _residual(self, z: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """|grad u(z) - x| / (1 + |x|), [B]."""
    return tf.norm(self._gradient(z) - x, axis=-1) / (1.0 + tf.norm(x, axis=-1))

  def _minimised(self, x: tf.Tensor) -> tf.Tensor:
    """The minimum of the convex function u(z) - x.z, from z = x, by damped Newton steps."""

    def unsolved(i: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
      # Half the tolerance: what the tape's steps round may not carry a row across it.
      return tf.reduce_any(self._residual(z, x) > 0.5 * self.tolerance)

    def advance(i: tf.Tensor, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
      return i + 1, z + self._damped(z, x)

    return tf.while_loop(
      unsolved, advance, (tf.constant(0), x), maximum_iterations=self.max_iterations
    )[1]

  def _damped(self, z: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """The Newton step of every row, halved until it shortens the row's residual."""
    step, before = self._newton_step(z, x), self._residual(z, x)

    def too_long(length: tf.Tensor) -> tf.Tensor:
      after = self._residual(z + length[:, tf.newaxis] * step, x)
      # At the level of rounding nothing gets shorter; NaN is never shorter.
      return ~(after <= tf.maximum((1.0 - 0.1 * length) * before, 0.5 * self.tolerance))

    length = tf.while_loop(
      lambda length: tf.reduce_any(too_long(length)),
      lambda length: (tf.where(too_long(length), 0.5 * length, length),),
      (tf.ones_like(before),),
      maximum_iterations=HALVINGS,
    )[0]
    return length[:, tf.newaxis] * step
