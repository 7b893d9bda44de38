"""The paper's potential: one densely connected hidden layer, in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras import seeds
from ma_keras.arguments import is_whole
from ma_keras.potentials import activations, contexts
from ma_keras.potentials.base import Potential
from ma_keras.potentials.linear import apply_kernel
from ma_keras.potentials.time_basis import (
  Basis,
  amplitudes,
  starting,
  tabulated,
  time_derivative,
)
from ma_keras.potentials.units import Units


class OneHiddenLayer(Potential):
  """phi(t, x) = sum_j a_j act(z_j), z = W'x + b (section 3); a_j(t) with a time basis.

  grad phi = W (a act'(z)) and laplacian phi = sum_j a_j |W_j|^2 act''(z_j), with W_j the j-th
  column: two products of N x H per point, and no tapes.

  `activation='softplus'` is the paper's; `activation='log_cosh', use_bias=False` makes phi even,
  phi(-x) = phi(x), which builds in the Z2 symmetry of the Ising model.

  A context c shifts the bias, z = W'x + b + V'c, once per solve; without bias it shifts the
  amplitudes, a + V'c, so that phi stays even.

  Attributes:
    kernel: W, variable [N, H].
    bias: b, variable [H]; None without bias.
    amplitude: a, variable [H]; with a time basis its coefficients, [K, H].
    hidden_units: H.
    time_basis: How the amplitudes vary in time, or None.
    context_kernel: V, variable [C, H]; None without context.
  """

  self_contained = True

  def __init__(
    self,
    event_size: int,
    hidden_units: int,
    activation: str = 'softplus',
    use_bias: bool = True,
    dtype: tf.DType = tf.float32,
    seed: int | None = None,
    time_basis: Basis | None = None,
    context_size: int | None = None,
    name: str | None = None,
  ) -> None:
    """Draws W ~ Normal(0, 1/N), b = 0, a ~ Normal(0, 1/H) x 0.1: a gentle, generic flow.

    Args:
      event_size: N.
      hidden_units: H, a positive integer. The paper uses 1024 for MNIST and 512 for Ising.
      activation: 'softplus' or 'log_cosh'.
      use_bias: Whether z has a bias.
      dtype: Floating dtype of the variables.
      seed: Integer that makes the initial values reproducible; None draws fresh ones.
      time_basis: Makes the amplitudes functions of time; they start constant.
      context_size: C, where phi depends on a context; V ~ Normal(0, 1/C), for amplitudes smaller
        as they are.
      name: Module name.

    Raises:
      ValueError: A size is not positive or the activation is unknown.
    """
    super().__init__(event_size, name, context_size)
    if not is_whole(hidden_units):
      raise ValueError(
        f'`hidden_units` must be a positive integer, got {hidden_units!r}. The paper uses 1024 for '
        'MNIST and 512 for Ising.'
      )
    self.hidden_units = hidden_units = int(hidden_units)
    self._activation = activations.get(activation)
    self.time_basis = time_basis
    seed = seeds.fresh() if seed is None else seed
    kernel_seed, amplitude_seed = seeds.split(seed, 2, salt='one_hidden_layer')
    self.kernel = tf.Variable(
      event_size**-0.5
      * tf.random.stateless_normal([self.event_size, hidden_units], kernel_seed, dtype=dtype),
      name='kernel',
    )
    self.bias = tf.Variable(tf.zeros([hidden_units], dtype), name='bias') if use_bias else None
    normal = tf.random.stateless_normal([hidden_units], amplitude_seed, dtype=dtype)
    self.amplitude = tf.Variable(
      starting(time_basis, 0.1 * hidden_units**-0.5 * normal), name='amplitude'
    )
    scale = 1.0 if use_bias else 0.1 * hidden_units**-0.5
    self.context_kernel = contexts.kernel(context_size, [hidden_units], dtype, seed, scale)
    self._prepared_norms: tf.Tensor | None = None
    self._prepared_bias: tf.Tensor | None = None
    self._prepared_shift: tf.Tensor | None = None

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    return {
      'event_size': self.event_size,
      'hidden_units': self.hidden_units,
      'activation': self.activation,
      'use_bias': self.bias is not None,
      'time_basis': self.time_basis,
      'context_size': self.context_size,
    }

  def start_gaussian(self, covariance: np.ndarray, time: float) -> None:
    """Sets phi(x) = x.A x/2 + O(x^4) with A = ln(C)/(2 T): near 0, the flow to Normal(0, C).

    With A = A_+ - A_- split by the sign of its eigenvalues, the kernel becomes
    (A_+^1/2, A_-^1/2) and the amplitudes +1 and -1, since ln cosh z = z^2/2 + O(z^4). Symmetric
    roots inherit every symmetry of C, and so does phi. Units beyond the first 2 N keep their
    kernels and lose their amplitudes.

    Args:
      covariance: C, symmetric positive definite, shape [N, N].
      time: T, the horizon of the flow.

    Raises:
      ValueError: The activation is not log_cosh, H < 2 N, T is not positive, or C is not
        symmetric positive definite of shape [N, N].
    """
    n = self.event_size
    if self.activation != 'log_cosh' or self.hidden_units < 2 * n:
      raise ValueError(
        "A Gaussian start needs `activation='log_cosh'` and `hidden_units` >= 2 N = "
        f'{2 * n}, got {self.activation!r} and {self.hidden_units}. Or start at random '
        '(--start=random).'
      )
    covariance = np.asarray(covariance)
    if covariance.shape != (n, n) or not np.allclose(covariance, covariance.T) or time <= 0:
      raise ValueError(
        f'`covariance` must be symmetric, shape [{n}, {n}], and `time` positive, got shape '
        f'{list(covariance.shape)} and {time}.'
      )
    values, vectors = np.linalg.eigh(covariance)
    if values.min() <= 0:
      raise ValueError(f'`covariance` must be positive definite, got eigenvalue {values.min()}.')
    rates = np.log(values) / (2 * time)
    roots = [(vectors * np.sqrt(np.maximum(r, 0))) @ vectors.T for r in (rates, -rates)]
    unused = self.hidden_units - 2 * n
    kernel = np.concatenate([*roots, self.kernel.numpy()[:, 2 * n :]], axis=1)
    self.kernel.assign(kernel)
    amplitude = tf.constant(np.repeat((1.0, -1.0, 0.0), (n, n, unused)), self.amplitude.dtype)
    self.amplitude.assign(starting(self.time_basis, amplitude))
    if self.bias is not None:
      self.bias.assign(tf.zeros_like(self.bias))

  def start_per_coordinate(
    self, steepness: float = 2.5, centres: tuple[float, float] = (0.0, 6.0)
  ) -> None:
    """Makes the first N units look at one coordinate each: z_i = w (x_i - c_i), w = `steepness`.

    Where the marginals are far from normal, as those of pixels in logit space, training first
    has to find such units; from here they share what they learn like all others. Centres on the
    upper side suit upper edges: there a unit contracts what the flow then carries to the edge.

    Args:
      steepness: w, positive.
      centres: The c_i lie evenly between these two, in random order.

    Raises:
      ValueError: H < N, there is no bias to centre with, or the steepness is not positive.
    """
    n = self.event_size
    if self.bias is None or self.hidden_units < n:
      raise ValueError(
        f'A unit per coordinate needs a bias and `hidden_units` >= N = {n}, got '
        f'{self.hidden_units}. Or start at random (--dense_start=random).'
      )
    if steepness <= 0:
      raise ValueError(f'`steepness` must be positive, got {steepness}. 2.5, say.')
    bends = np.random.default_rng(n).permutation(np.linspace(*centres, n))
    kernel, bias = self.kernel.numpy(), self.bias.numpy()
    kernel[:, :n] = steepness * np.eye(n)
    bias[:n] = -steepness * bends
    self.kernel.assign(kernel)
    self.bias.assign(bias)

  @property
  def activation(self) -> str:
    """The activation's name."""
    return self._activation.name

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(t, x) = sum_j a_j act(z_j), shape [...]."""
    return tf.reduce_sum(self._amplitude(t) * self._activation.value(self._hidden(x)), axis=-1)

  def _time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return time_derivative(self, t, x)

  def prepared(self, times: tf.Tensor | None = None) -> OneHiddenLayer:
    """Returns the potential with |W_j|^2, b + V'c and functions of time computed once."""
    basis = tabulated(self.time_basis, times, self.amplitude.dtype)
    prepared = self._twin(_prepared_norms=self._squared_norms(), time_basis=basis)
    if self._context is None:
      return prepared
    if self.bias is None:
      return prepared._twin(_prepared_shift=self._shift(of_bias=False))
    return prepared._twin(_prepared_bias=self._bias())

  def units(self) -> Units | None:
    """The layer itself, unless its Laplacian is to be had by another method."""
    if self._laplacian_method is not None or (self.bias is None and self._context is not None):
      return None
    bias = tf.zeros_like(self.kernel[0]) if self.bias is None else self._bias()
    kernel = tf.convert_to_tensor(self.kernel)
    steady = self.time_basis is None
    return Units(
      kernel, bias, self._amplitude, self._squared_norms(), self._activation, steady=steady
    )

  def _amplitude(self, t: tf.Tensor) -> tf.Tensor:
    coefficients = tf.convert_to_tensor(self.amplitude)
    return amplitudes(self.time_basis, coefficients, t, self._shift(of_bias=False))

  def _hidden(self, x: tf.Tensor) -> tf.Tensor:
    z = apply_kernel(x, self.kernel)
    return z if self.bias is None else z + self._bias()

  def _bias(self) -> tf.Tensor:
    """b + V'c, [..., H]."""
    if self._prepared_bias is not None:
      return self._prepared_bias
    bias, shift = tf.convert_to_tensor(self.bias), self._shift(of_bias=True)
    return bias if shift is None else bias + shift

  def _shift(self, of_bias: bool) -> tf.Tensor | None:
    """V'c, [..., H], of the bias or of the amplitudes, whichever takes the context."""
    if self.context_kernel is None or of_bias != (self.bias is not None):
      return None
    if self._prepared_shift is not None:
      return self._prepared_shift
    return contexts.added(self.context, self.context_kernel)

  def _squared_norms(self) -> tf.Tensor:
    if self._prepared_norms is not None:
      return self._prepared_norms
    return tf.reduce_sum(tf.square(self.kernel), axis=0)

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    slope = self._activation.slope(self._hidden(x))
    return apply_kernel(self._amplitude(t) * slope, self.kernel, transpose=True)

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    slope, amplitude = self._activation.slope(self._hidden(x)), self._amplitude(t)
    gradient = apply_kernel(amplitude * slope, self.kernel, transpose=True)
    weights = amplitude * self._squared_norms()
    curvature = self._activation.curvature(slope)
    if weights.shape.rank > 1:  # A context's, row by row.
      return gradient, tf.reduce_sum(weights * curvature, axis=-1)
    return gradient, apply_kernel(curvature, weights[:, tf.newaxis])[..., 0]
