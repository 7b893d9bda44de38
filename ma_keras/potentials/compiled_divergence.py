"""The divergence of a field for XLA, which cannot differentiate a loop over rows of a Jacobian.

Within the derivative of a loop XLA wants constants where TensorFlow keeps tensors: the permutation
of a transpose, the axes of a sum. Here the derivative is a loop itself, within which they are
constants.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from ma_keras.potentials import parts
from ma_keras.potentials.twins import Twins

if TYPE_CHECKING:
  from ma_keras.potentials.autodiff import FieldOf

ZERO = tf.UnconnectedGradients.ZERO


def with_divergence(
  field: FieldOf, potential: Any, t: tf.Tensor, x: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
  """A field v and div v = sum_i e_i . J e_i, whose derivative goes through the rows once more.

  By t, x, the variables, and the tensors that the potential holds.

  Args:
    field: (potential, t, x) -> v [..., N].
    potential: What the field is made of.
    t: Time, shape [].
    x: Points, shape [..., N] with N known statically.

  Returns:
    v, shape [..., N], and div v, shape [...].
  """
  tensors = parts.tensors(potential) if isinstance(potential, Twins) else []

  @tf.custom_gradient
  def run(*inputs: tf.Tensor) -> tuple[tuple[tf.Tensor, tf.Tensor], Callable[..., Any]]:
    def at(t: tf.Tensor, x: tf.Tensor, *held: tf.Tensor) -> tf.Tensor:
      return field(parts.with_tensors(potential, held) if held else potential, t, x)

    def back(dv: tf.Tensor, dl: tf.Tensor, variables: Sequence[tf.Variable] | None = None) -> Any:
      pulled = _pulled(at, inputs, list(variables or ()), dv, dl)
      dinputs = tuple(pulled[: len(inputs)])
      return dinputs if variables is None else (dinputs, pulled[len(inputs) :])

    return _forward(at, inputs), back

  return run(tf.convert_to_tensor(t, x.dtype), x, *tensors)


def _forward(
  at: Callable[..., tf.Tensor], inputs: Sequence[tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor]:
  x = inputs[1]
  with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
    tape.watch(x)
    velocity = at(*inputs)
  add = lambda i, total: (i + 1, total + _entry(tape, velocity, x, i))  # noqa: E731
  return velocity, _over_rows(x, add, tf.zeros_like(x[..., 0]))


def _pulled(
  at: Callable[..., tf.Tensor],
  inputs: Sequence[tf.Tensor],
  variables: list[tf.Variable],
  dv: tf.Tensor,
  dl: tf.Tensor,
) -> list[tf.Tensor]:
  """Cotangents of inputs and variables: of v at once, of div v row by row."""
  sources = [*inputs, *variables]

  def of_row(i: tf.Tensor, totals: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
    with tf.GradientTape(watch_accessed_variables=False) as outer:
      outer.watch(sources)
      with tf.GradientTape(watch_accessed_variables=False) as inner:
        inner.watch(inputs[1])
        velocity = at(*inputs)
      entry = _entry(inner, velocity, inputs[1], i)
    pulled = outer.gradient(entry, sources, dl, ZERO)
    return i + 1, [total + tf.convert_to_tensor(one) for total, one in zip(totals, pulled)]

  with tf.GradientTape(watch_accessed_variables=False) as tape:
    tape.watch(sources)
    velocity = at(*inputs)
  first = [tf.convert_to_tensor(one) for one in tape.gradient(velocity, sources, dv, ZERO)]
  return _over_rows(inputs[1], of_row, first)


def _entry(tape: tf.GradientTape, velocity: tf.Tensor, x: tf.Tensor, i: tf.Tensor) -> tf.Tensor:
  """dv_i/dx_i, [...]."""
  direction = tf.one_hot(i, x.shape[-1], dtype=x.dtype) * tf.ones_like(x)
  row = tape.gradient(velocity, x, direction, ZERO)
  return tf.reduce_sum(row * direction, axis=-1)


def _over_rows(x: tf.Tensor, body: Callable[..., Any], start: Any) -> Any:
  """The loop over i = 0, ..., N - 1."""
  n = x.shape[-1]
  return tf.while_loop(lambda i, _: i < n, body, (tf.constant(0), start), maximum_iterations=n)[1]
