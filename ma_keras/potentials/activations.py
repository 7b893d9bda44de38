"""Scalar activations with the two derivatives that a closed-form Laplacian needs.

Two tables, by what is known of act''. In `ACTIVATIONS` it is a function of act' alone, which one
hidden layer puts to use; in `JETS` it is any function of z, which will do for deep potentials.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import TypeVar

import tensorflow as tf

Derivatives = tuple[tf.Tensor, tf.Tensor, tf.Tensor]
Jet = Callable[[tf.Tensor], Derivatives]
Entry = TypeVar('Entry')


@dataclasses.dataclass(frozen=True)
class Activation:
  """A smooth act(z) with act'(z) and, as a function of the slope s = act'(z), act''(z).

  Attributes:
    name: What users write, for example `'softplus'`.
    value: z -> act(z), elementwise.
    slope: z -> act'(z), elementwise.
    curvature: s -> act''(z). A function of the slope alone, so that the pair costs one
      transcendental: softplus'' = s (1 - s) and (ln cosh)'' = 1 - s^2.
    curvature_slope: s -> d act''/ds: 1 - 2 s and -2 s.
  """

  name: str
  value: Callable[[tf.Tensor], tf.Tensor]
  slope: Callable[[tf.Tensor], tf.Tensor]
  curvature: Callable[[tf.Tensor], tf.Tensor]
  curvature_slope: Callable[[tf.Tensor], tf.Tensor]

  def jet(self, z: tf.Tensor) -> Derivatives:
    """(act, act', act'') at z."""
    slope = self.slope(z)
    return self.value(z), slope, self.curvature(slope)


def log_cosh(z: tf.Tensor) -> tf.Tensor:
  """ln cosh z = z + softplus(-2 z) - ln 2, without overflow.

  Not through |z|: the derivative of that form is wrong at z = 0 from the second order on.
  """
  return z + tf.nn.softplus(-2.0 * z) - math.log(2.0)


def logistic_curvature(s: tf.Tensor) -> tf.Tensor:
  """s - s^2, of softplus: no lambda, since pickles name their functions."""
  return s - s * s


def logistic_curvature_slope(s: tf.Tensor) -> tf.Tensor:
  """1 - 2 s."""
  return 1.0 - 2.0 * s


def hyperbolic_curvature(s: tf.Tensor) -> tf.Tensor:
  """1 - s^2, of ln cosh."""
  return 1.0 - s * s


def hyperbolic_curvature_slope(s: tf.Tensor) -> tf.Tensor:
  """-2 s."""
  return -2.0 * s


SOFTPLUS = Activation(
  name='softplus',
  value=tf.nn.softplus,
  slope=tf.sigmoid,
  curvature=logistic_curvature,
  curvature_slope=logistic_curvature_slope,
)
LOG_COSH = Activation(
  name='log_cosh',
  value=log_cosh,
  slope=tf.tanh,
  curvature=hyperbolic_curvature,
  curvature_slope=hyperbolic_curvature_slope,
)
ACTIVATIONS = {activation.name: activation for activation in (SOFTPLUS, LOG_COSH)}


def linear(z: tf.Tensor) -> Derivatives:
  """z, 1, 0."""
  return z, tf.ones_like(z), tf.zeros_like(z)


def exponential(z: tf.Tensor) -> Derivatives:
  """v = exp(z), v, v."""
  v = tf.exp(z)
  return v, v, v


def tanh(z: tf.Tensor) -> Derivatives:
  """v = tanh z, s = 1 - v^2, -2 v s."""
  v = tf.tanh(z)
  s = 1.0 - v * v
  return v, s, -2.0 * v * s


def sigmoid(z: tf.Tensor) -> Derivatives:
  """v = 1/(1 + exp(-z)), s = v (1 - v), s (1 - 2 v)."""
  v = tf.sigmoid(z)
  s = v - v * v
  return v, s, s * (1.0 - 2.0 * v)


def silu(z: tf.Tensor) -> Derivatives:
  """z v, v + z s, s (2 + z (1 - 2 v)), with v = sigmoid(z) and s = v (1 - v)."""
  v, s, curvature = sigmoid(z)
  return z * v, v + z * s, 2.0 * s + z * curvature


def gelu(z: tf.Tensor) -> Derivatives:
  """z Phi, Phi + z p, (2 - z^2) p, with p and Phi the normal density and its integral."""
  below = 0.5 * tf.math.erfc(-z * math.sqrt(0.5))
  density = tf.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
  tilt = z * density  # First, since z^2 may overflow where the density is zero.
  return z * below, below + tilt, 2.0 * density - z * tilt


JETS: dict[str, Jet] = {
  **{name: activation.jet for name, activation in ACTIVATIONS.items()},
  **{jet.__name__: jet for jet in (exponential, gelu, linear, sigmoid, silu, tanh)},
  'swish': silu,
}


def get(name: str) -> Activation:
  """Returns the activation called `name` whose act'' is a function of act'.

  Raises:
    ValueError: No such activation has that name.
  """
  return _lookup(ACTIVATIONS, name)


def get_jet(name: str) -> Jet:
  """Returns z -> (act, act', act'') for the activation called `name`.

  Raises:
    ValueError: No activation has that name.
  """
  return _lookup(JETS, name)


def _lookup(table: dict[str, Entry], name: str) -> Entry:
  if name not in table:
    raise ValueError(
      f'`activation` must be one of {sorted(table)}, got {name!r}. '
      'A potential needs a second derivative, so piecewise linear units will not do.'
    )
  return table[name]
