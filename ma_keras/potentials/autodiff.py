"""Gradient and exact Laplacian of any scalar potential by nested gradient tapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.python.ops import control_flow_util

from ma_keras.potentials import compiled_divergence

# Rows of a Hessian that are written out for XLA, which differentiates them so; more of them have a
# derivative of their own.
WRITTEN_OUT = 32
ScalarField = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
VectorField = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
# (potential, t, x) -> a vector at every point.
FieldOf = Callable[[Any, tf.Tensor, tf.Tensor], tf.Tensor]


def gradient(potential: ScalarField, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
  """Velocity grad phi of Eq. (2), by one reverse pass.

  Args:
    potential: phi(t, x) -> [...]; each value may depend on its own sample alone.
    t: Time, shape [].
    x: Points, shape [..., N].

  Returns:
    grad phi, shape [..., N].

  Raises:
    ValueError: phi is not one number per point.
  """
  with tf.GradientTape(watch_accessed_variables=False) as tape:
    tape.watch(x)
    value = potential(t, x)
  if not value.shape.is_compatible_with(x.shape[:-1]):
    raise ValueError(
      f'A potential must map x {x.shape} to one number per point, {x.shape[:-1]}, got '
      f'{value.shape}: sum over the last axis, and over no other.'
    )
  return tape.gradient(value, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def gradient_and_laplacian(
  potential: ScalarField, t: tf.Tensor, x: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
  """Velocity grad phi and the exact divergence tr(Hessian phi) of Eqs. (2)-(3).

  Args:
    potential: phi(t, x) -> [...]; each value may depend on its own sample alone.
    t: Time, shape [].
    x: Points, shape [..., N] with N known statically.

  Returns:
    grad phi, shape [..., N], and laplacian phi, shape [...].
  """
  return with_divergence(gradient, potential, t, x)


def time_derivative(potential: ScalarField, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
  """d phi/dt at fixed points, by two reverse passes: d/dw of d(sum_b w_b phi_b)/dt.

  One reverse pass alone would give the sum over points, since they share their time.

  Args:
    potential: phi(t, x) -> [...]; each value may depend on its own sample alone.
    t: Time, shape [].
    x: Points, shape [..., N].

  Returns:
    d phi/dt, shape [...]; zeros where phi does not depend on time.
  """
  zero = tf.UnconnectedGradients.ZERO
  with tf.GradientTape(watch_accessed_variables=False) as outer:
    weights = tf.ones_like(x[..., 0])
    outer.watch(weights)
    with tf.GradientTape(watch_accessed_variables=False) as inner:
      inner.watch(t)
      value = potential(t, x)
    rate = inner.gradient(value, t, output_gradients=weights, unconnected_gradients=zero)
  return outer.gradient(rate, weights, unconnected_gradients=zero)


def with_divergence(
  field: FieldOf, potential: Any, t: tf.Tensor, x: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
  """A field v and its exact divergence: grad phi and laplacian phi where v is grad phi.

  div v = sum_i e_i . (Jacobian of v) e_i, one row of the Jacobian at a time: N reverse passes over
  the field, in a loop whose graph does not grow with N and that never holds the N x N Jacobian.
  (A `pfor` batch Jacobian would, and cannot be differentiated inside a while loop at N = 784.)

  Args:
    field: (potential, t, x) -> v [..., N]; each value may depend on its own sample alone.
    potential: What the field is made of.
    t: Time, shape [].
    x: Points, shape [..., N] with N known statically.

  Returns:
    v, shape [..., N], and div v, shape [...].
  """
  event_size = x.shape[-1]
  if event_size > WRITTEN_OUT and is_compiled():
    return compiled_divergence.with_divergence(field, potential, t, x)
  with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
    tape.watch(x)
    velocity = field(potential, t, x)

  def add_diagonal_entry(i: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    direction = tf.one_hot(i, event_size, dtype=x.dtype) * tf.ones_like(x)
    row = tape.gradient(
      velocity,
      x,
      output_gradients=direction,
      unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    return i + 1, total + tf.reduce_sum(row * direction, axis=-1)

  if is_compiled():
    laplacian = tf.zeros_like(x[..., 0])
    for i in range(event_size):
      _, laplacian = add_diagonal_entry(i, laplacian)
    return velocity, laplacian
  _, laplacian = tf.while_loop(
    lambda i, _: i < event_size,
    add_diagonal_entry,
    (tf.constant(0), tf.zeros_like(x[..., 0])),
    maximum_iterations=event_size,
  )
  return velocity, laplacian


def is_compiled() -> bool:
  """Tells if this is traced for XLA, by tf.function(jit_compile=True)."""
  if tf.executing_eagerly():
    return False
  graph = tf.compat.v1.get_default_graph()
  return bool(control_flow_util.GraphOrParentsInXlaContext(graph))


def hessian_vector_product(
  potential: ScalarField, t: tf.Tensor, x: tf.Tensor, vector: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
  """Velocity grad phi and (Hessian phi) v, by two nested reverse passes.

  Args:
    potential: phi(t, x) -> [...]; each value may depend on its own sample alone.
    t: Time, shape [].
    x: Points, shape [..., N].
    vector: v, shape [..., N].

  Returns:
    grad phi and (Hessian phi) v, both of shape [..., N].
  """
  return with_derivative(lambda t, x: gradient(potential, t, x), t, x, vector)


def with_derivative(
  field: VectorField, t: tf.Tensor, x: tf.Tensor, vector: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
  """A field and its transposed Jacobian times v: (Hessian phi) v where the field is grad phi.

  Args:
    field: (t, x) -> [..., N]; each value may depend on its own sample alone.
    t: Time, shape [].
    x: Points, shape [..., N].
    vector: v, shape [..., N].

  Returns:
    The field and the product, both of shape [..., N].
  """
  with tf.GradientTape(watch_accessed_variables=False) as tape:
    tape.watch(x)
    velocity = field(t, x)
  product = tape.gradient(
    velocity, x, output_gradients=vector, unconnected_gradients=tf.UnconnectedGradients.ZERO
  )
  return velocity, product
