"""The Monge-Ampere equation itself: the gradient of a convex function as a bijector."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras import pickling
from ma_keras.arguments import is_finite, is_whole
from ma_keras.flow.events import Events, of_dtype
from ma_keras.potentials.base import Potential
from ma_keras.transport import hessian, newton
from ma_keras.transport.convexity import Convexity, of_points

LINEARISED = 16  # Points whose mean Hessian is that of a linear map.
NOT_CONVEX = '`BrenierMap`: m |z|^2/2 + phi is not convex: its Hessian has no Cholesky factor.'


class Inverse(NamedTuple):
  """Points z that are to be mapped to given x.

  Attributes:
    z: [..., N].
    residual: |grad u(z) - x| / (1 + |x|), [...].
    solved: Whether it is within the map's tolerance, and u convex there, bool [...].
  """

  z: tf.Tensor
  residual: tf.Tensor
  solved: tf.Tensor


class BrenierMap(tfp.bijectors.Bijector):
  """x = grad u(z), u(z) = m |z|^2/2 + phi(z) convex; ln det dx/dz = ln det(m + Hess phi). Eq. (1).

  By Brenier's theorem (1991) it is the optimal transport map, for squared distances, of whatever
  distribution goes in to the one that comes out. The determinant is exact, by the Cholesky factor
  of N x N, or of H x H where phi is a `ConvexLayer` of fewer units. The inverse minimises
  u(z) - x.z by Newton steps; its derivatives are exact to third order.

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
    modulus: float = 1.0,
    parameters: dict[str, Any] | None = None,
  ) -> None:
    """Checks the arguments; nothing is computed yet.

    Args:
      potential: phi, with u convex: one of `transport`, or any other potential, whose Hessian then
        takes N reverse passes for every point.
      tolerance: Largest |grad u(z) - x| / (1 + |x|) of an inverse; by default 100 roundings of the
        dtype.
      max_iterations: Newton steps at most.
      dtype: Floating dtype of events; that of the potential by default, or float32.
      validate_args: Raise at run time where u is not convex, or an inverse is not solved to the
        tolerance. Without it what cannot be had is NaN.
      name: Name of the ops.
      modulus: m, at least 0. Where phi is convex by construction, the map stretches every direction
        by m or more: 1 never contracts, 0 leaves u to phi alone.
      parameters: Those of a subclass; its own by default.

    Raises:
      TypeError, ValueError: The potential does not do, see `Events.of_potential`, or a number is
        out of range.
    """
    parameters = dict(locals()) if parameters is None else parameters
    events = Events.of_potential(potential, dtype)
    if tolerance is None:
      tolerance = 100 * float(np.finfo(events.dtype.as_numpy_dtype).eps)
    if not is_finite(tolerance) or tolerance <= 0 or not is_whole(max_iterations):
      raise ValueError(
        '`tolerance` and `max_iterations` must be positive, got '
        f'{tolerance!r} and {max_iterations!r}.'
      )
    if not is_finite(modulus) or modulus < 0:
      raise ValueError(f'`modulus` must be finite and not negative, got {modulus!r}: 1, say.')
    with tf.name_scope(name) as name:
      self._potential = potential
      self._events = events
      self._gradient = newton.Gradient(potential, float(modulus))
      self.tolerance, self.max_iterations = float(tolerance), int(max_iterations)
      super().__init__(
        forward_min_event_ndims=1,
        dtype=events.dtype,
        validate_args=validate_args,
        parameters=parameters,
        name=name,
      )

  def config(self) -> dict[str, Any]:
    """Arguments that `model_file` writes, dtype apart."""
    names = ('potential', 'tolerance', 'max_iterations', 'modulus')
    return {name: getattr(self, name) for name in names}

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

  @property
  def modulus(self) -> float:
    """m, so that u(z) = m |z|^2/2 + phi(z)."""
    return self._gradient.modulus

  def convex_function(self, z: tf.Tensor) -> tf.Tensor:
    """u(z) = m |z|^2/2 + phi(z), shape [...]."""
    z = self._events.checked(of_dtype(z, self.dtype))
    squares = tf.reduce_sum(tf.square(z), axis=-1)
    return 0.5 * self.modulus * squares + self._potential(tf.zeros([], z.dtype), z)

  def solve_inverse(self, x: tf.Tensor, start: tf.Tensor | None = None) -> Inverse:
    """z = (grad u)^-1(x) as a constant, without derivatives, and how well it is solved.

    Args:
      x: Points, [..., N].
      start: Where Newton's method starts, [..., N]; x by default.
    """
    x = self._events.checked(of_dtype(x, self.dtype))
    start = x if start is None else self._events.checked(of_dtype(start, self.dtype))
    rows, start = (self._rows(tf.stop_gradient(points)) for points in (x, start))
    z = newton.minimiser(self._gradient, rows, start, self.tolerance, self.max_iterations)
    residual = self._gradient.residual(z, rows)
    solved = (residual <= self.tolerance) & self._gradient.is_positive(z)
    shape = tf.shape(x)
    parts = (z, shape), (residual, shape[:-1]), (solved, shape[:-1])
    return Inverse(*(tf.stop_gradient(tf.reshape(part, shape)) for part, shape in parts))

  def linear_inverse(self, x: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
    """The inverse of the map made linear over samples z: where `solve_inverse` may start, [..., N].

    Args:
      x: Points, [..., N].
      z: Samples of what goes into the map, [b, N].
    """
    factor = hessian.mean_factor(self._potential, z[:LINEARISED], self.modulus)
    rest = self._rows(x) - tf.reduce_mean(self._gradient(z), axis=0)
    step = tf.transpose(tf.linalg.cholesky_solve(factor, tf.transpose(rest)))
    return tf.reshape(tf.reduce_mean(z, axis=0) + step, tf.shape(x))

  def convexity(self, z: tf.Tensor) -> Convexity:
    """The smallest eigenvalue of Hess u at the points z [..., N]: see `Convexity`."""
    return of_points(self._gradient, self._rows(self._events.checked(of_dtype(z, self.dtype))))

  def _forward(self, z: tf.Tensor) -> tf.Tensor:
    z = self._events.checked(of_dtype(z, self.dtype))
    x = self._gradient(z)
    if hessian.is_convex(self._potential):
      return x
    positive = tf.reshape(self._gradient.is_positive(self._rows(z)), tf.shape(z)[:-1])
    return self._only(positive, x, NOT_CONVEX)

  def _inverse(self, x: tf.Tensor) -> tf.Tensor:
    x = self._events.checked(of_dtype(x, self.dtype))
    z, solved = newton.inverse(self._gradient, self._rows(x), self.tolerance, self.max_iterations)
    message = (
      f'`BrenierMap`: an inverse is not solved to the tolerance {self.tolerance:.2g} in '
      f'{self.max_iterations} Newton steps: is m |z|^2/2 + phi convex?'
    )
    return tf.reshape(self._only(solved, z, message), tf.shape(x))

  def _forward_log_det_jacobian(self, z: tf.Tensor) -> tf.Tensor:
    log_det = self._gradient.factored(self._rows(z)).log_det()
    if self.validate_args:
      log_det = tf.debugging.check_numerics(log_det, NOT_CONVEX)
    return tf.reshape(log_det, tf.shape(z)[:-1])

  def _forward_event_shape(self, shape: tf.TensorShape) -> tf.TensorShape:
    return self._events.checked_shape(shape)

  def _inverse_event_shape(self, shape: tf.TensorShape) -> tf.TensorShape:
    return self._events.checked_shape(shape)

  def _rows(self, x: tf.Tensor) -> tf.Tensor:
    return tf.reshape(x, [-1, self._potential.event_size])

  def _only(self, valid: tf.Tensor, x: tf.Tensor, message: str) -> tf.Tensor:
    """x where it is valid, NaN elsewhere, or an error that says why."""
    if self.validate_args:
      with tf.control_dependencies([tf.debugging.assert_equal(valid, True, message)]):
        x = tf.identity(x)
    return tf.where(valid[..., tf.newaxis], x, tf.constant(float('nan'), x.dtype))
