"""Scalar activations with the two derivatives that a closed-form Laplacian needs."""

import dataclasses
import math
from collections.abc import Callable

import tensorflow as tf


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


def log_cosh(z: tf.Tensor) -> tf.Tensor:
  """ln cosh z = z + softplus(-2 z) - ln 2, without overflow.

  Not through |z|: the derivative of that form is wrong at z = 0 from the second order on.
  """
  return z + tf.nn.softplus(-2.0 * z) - math.log(2.0)


SOFTPLUS = Activation(
  'softplus', tf.nn.softplus, tf.sigmoid, lambda s: s - s * s, lambda s: 1.0 - 2.0 * s
)
LOG_COSH = Activation('log_cosh', log_cosh, tf.tanh, lambda s: 1.0 - s * s, lambda s: -2.0 * s)
ACTIVATIONS = {activation.name: activation for activation in (SOFTPLUS, LOG_COSH)}


def get(name: str) -> Activation:
  """Returns the activation called `name`.

  Raises:
    ValueError: No activation has that name.
  """
  if name not in ACTIVATIONS:
    raise ValueError(
      f'`activation` must be one of {sorted(ACTIVATIONS)}, got {name!r}. '
      'A potential needs a second derivative, so piecewise linear units will not do.'
    )
  return ACTIVATIONS[name]
