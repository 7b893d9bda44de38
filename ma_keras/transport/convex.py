"""One hidden layer that is convex by construction."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras import seeds
from ma_keras.arguments import is_whole
from ma_keras.potentials import activations
from ma_keras.potentials.base import Potential
from ma_keras.potentials.linear import apply_kernel
from ma_keras.transport.positive import inverse_softplus


class ConvexLayer(Potential):
  """phi(x) = sum_j a_j act(z_j), z = W'x + b, with a_j = softplus(alpha_j) > 0 and act convex.

  Hess phi = W diag(a act''(z)) W' = V V' with V = W diag(a act''(z))^1/2.

  Attributes:
    kernel: W, variable [N, H].
    bias: b, variable [H].
    raw_amplitude: alpha, variable [H].
  """

  self_contained = True

  def __init__(
    self,
    event_size: int,
    hidden_units: int,
    activation: str = 'softplus',
    dtype: tf.DType = tf.float32,
    seed: int | None = None,
    name: str | None = None,
  ) -> None:
    """Draws W ~ Normal(0, 1/N) and b ~ Normal(0, 1); a starts at 1/H: a gentle map.

    Args:
      event_size: N.
      hidden_units: H, a positive integer.
      activation: 'softplus' or 'log_cosh', both convex.
      dtype: Floating dtype of the variables.
      seed: Integer that makes the initial values reproducible; None draws fresh ones.
      name: Module name.

    Raises:
      ValueError: A size is not positive or the activation is unknown.
    """
    super().__init__(event_size, name)
    if not is_whole(hidden_units):
      raise ValueError(f'`hidden_units` must be a positive integer, got {hidden_units!r}.')
    self._activation = activations.get(activation)
    seed = seeds.fresh() if seed is None else seed
    first, second = seeds.split(seed, 2, salt='convex_layer')
    shape, hidden_units = [self.event_size, int(hidden_units)], int(hidden_units)
    normal = tf.random.stateless_normal(shape, first, dtype=dtype)
    self.kernel = tf.Variable(event_size**-0.5 * normal, name='kernel')
    self.bias = tf.Variable(
      tf.random.stateless_normal([hidden_units], second, dtype=dtype), name='bias'
    )
    amplitude = tf.fill([hidden_units], tf.constant(1.0 / hidden_units, dtype))
    self.raw_amplitude = tf.Variable(inverse_softplus(amplitude), name='raw_amplitude')

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    return {
      'event_size': self.event_size,
      'hidden_units': self.kernel.shape[1],
      'activation': self._activation.name,
    }

  def start_at_samples(
    self, x: np.ndarray, steepness: float = 1.0, stretch: float = 0.1, seed: int = 0
  ) -> None:
    """Makes every unit bend at a sample: z_j = w D_j.(x - x_j)/s_j, s_j the deviation of D_j.x.

    The directions D_j and the samples x_j are random. Units that bend where no data are take long
    to be of use, and where data are far from unit scale all of them do.

    Args:
      x: Samples of what goes into the map, shape [n, N].
      steepness: w, positive: bends per standard deviation.
      stretch: Mean eigenvalue of Hess phi, were all units at their bends; all contribute alike.
      seed: Makes the choice reproducible.

    Raises:
      ValueError: The samples are not finite rows of N numbers, or a number is not positive.
    """
    x = np.asarray(x, np.float64)
    if x.ndim != 2 or x.shape[1] != self.event_size or not len(x) or not np.all(np.isfinite(x)):
      raise ValueError(
        f'`x` must be finite samples, shape [n, {self.event_size}], got {list(x.shape)}.'
      )
    if not (steepness > 0 and stretch > 0):
      raise ValueError(
        f'`steepness` and `stretch` must be positive, got {steepness} and {stretch}: 1 and 0.1, '
        'say.'
      )
    units, random = self.kernel.shape[1], np.random.default_rng(seed)
    directions = random.normal(size=self.kernel.shape)
    deviations = np.maximum((x @ directions).std(axis=0), 1e-12)
    kernel = steepness * directions / deviations
    bends = x[random.integers(len(x), size=units)]
    largest = float(self._activation.curvature(self._activation.slope(tf.zeros([]))))
    amplitude = stretch * self.event_size / (units * largest * np.sum(kernel**2, axis=0))
    self.kernel.assign(kernel)
    self.bias.assign(-np.sum(bends.T * kernel, axis=0))
    self.raw_amplitude.assign(inverse_softplus(tf.constant(amplitude, self.raw_amplitude.dtype)))

  @property
  def amplitude(self) -> tf.Tensor:
    """a, [H], positive."""
    return tf.nn.softplus(self.raw_amplitude)

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(x), shape [...]."""
    return tf.reduce_sum(self.amplitude * self._activation.value(self._hidden(x)), axis=-1)

  def hessian_root(self, x: tf.Tensor) -> tf.Tensor:
    """V [..., N, H] with Hess phi = V V'."""
    curvature = self._activation.curvature(self._activation.slope(self._hidden(x)))
    # Far from its bend a unit has no curvature, and the root of zero no derivative.
    tiny = tf.constant(tf.as_dtype(x.dtype).as_numpy_dtype(1e-30), x.dtype)
    weights = tf.sqrt(tf.maximum(self.amplitude * curvature, tiny))
    return self.kernel * weights[..., tf.newaxis, :]

  def _hidden(self, x: tf.Tensor) -> tf.Tensor:
    return apply_kernel(x, self.kernel) + self.bias

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    slope = self._activation.slope(self._hidden(x))
    return apply_kernel(self.amplitude * slope, self.kernel, transpose=True)

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    slope = self._activation.slope(self._hidden(x))
    gradient = apply_kernel(self.amplitude * slope, self.kernel, transpose=True)
    weights = self.amplitude * tf.reduce_sum(tf.square(self.kernel), axis=0)
    return gradient, tf.reduce_sum(weights * self._activation.curvature(slope), axis=-1)
