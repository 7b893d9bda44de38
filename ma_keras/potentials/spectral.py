"""The quadratic potential of a field on a torus, diagonal in Fourier space."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras import seeds
from ma_keras.potentials import contexts
from ma_keras.potentials.base import Potential
from ma_keras.potentials.time_basis import (
  Basis,
  amplitudes,
  extended,
  starting,
  tabulated,
  time_derivative,
)
from ma_keras.potentials.torus import Torus


class SpectralQuadratic(Potential):
  """phi(t, x) = x.A(t) x/2 with A(t) a convolution that D4 leaves alone, varying in time.

  A context c adds V'c to A. Alone it flows N(0, 1) to the Gaussian of covariance
  exp(2 integral A dt), exactly: a good start.

  Attributes:
    torus: The tables of the L x L torus.
    kernel: A, one value per orbit of offsets, variable [R], fewer with a `reach`; with a time basis
      [K, R].
    reach: How many rows and columns A goes; L // 2 is all of the torus.
    time_basis: How it varies in time, or None.
    context_kernel: V, variable [C, R]; None without context.
  """

  self_contained = True

  def __init__(
    self,
    side: int,
    time_basis: Basis | None = None,
    dtype: tf.DType = tf.float32,
    seed: int | None = None,
    context_size: int | None = None,
    name: str | None = None,
    reach: int | None = None,
  ) -> None:
    """Starts at A = 0, the flow that stands still.

    Args:
      side: L; N = L^2.
      time_basis: Makes A a function of time.
      dtype: Floating dtype of the variables.
      seed: Integer that makes V reproducible; None draws a fresh one.
      context_size: C, where phi depends on a context; V ~ Normal(0, 0.01^2 / C).
      name: Module name.
      reach: Rows and columns that A can go, up to L // 2; None: all of the torus.

    Raises:
      ValueError: The side is below 2, or too small for that reach.
    """
    self.torus = Torus(side)
    self.reach = self.torus.checked_reach(reach)
    orbits = self.torus.within(self.reach)
    super().__init__(self.torus.side**2, name, context_size)
    self.time_basis = time_basis
    zeros = tf.zeros([orbits], dtype)
    self.kernel = tf.Variable(starting(time_basis, zeros), name='kernel')
    seed = seeds.fresh() if seed is None else seed
    self.context_kernel = contexts.kernel(context_size, [orbits], dtype, seed, scale=0.01)
    self._prepared_spectrum: tf.Tensor | None = None
    self._prepared_shift: tf.Tensor | None = None

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    return {
      'side': self.torus.side,
      'time_basis': self.time_basis,
      'context_size': self.context_size,
      'reach': self.reach,
    }

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """x.A(t) x/2, shape [...]."""
    return tf.reduce_sum(tf.square(self.torus.transform(x)) * self._spectrum(t), axis=-1) / 2.0

  def _time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return time_derivative(self, t, x)

  def start_gaussian(self, covariance: np.ndarray, time: float) -> None:
    """A = ln(C)/(2 T): the flow to Normal(0, C), C a translation and D4 invariant covariance.

    A `reach` cuts A off there.

    Args:
      covariance: C, symmetric positive definite, shape [N, N], or its first row [N], which says
        all.
      time: T, the horizon of the flow.

    Raises:
      ValueError: C is no such matrix, or T is not positive.
    """
    n, covariance = self.event_size, np.asarray(covariance, np.float64)
    if covariance.shape not in ((n, n), (n,)) or time <= 0:
      raise ValueError(
        f'`covariance` must have shape [{n}, {n}] or [{n}] and `time` be positive, got '
        f'{list(covariance.shape)} and {time}.'
      )
    spectrum = self.torus.spectrum_of_row(covariance.reshape(-1, n)[0])
    if spectrum.min() <= 0 or not self.torus.is_invariant(covariance):
      raise ValueError('`covariance` must be positive definite and invariant, as that of a torus.')
    kernel = self.torus.kernel(np.log(spectrum) / (2 * time))[: self.torus.within(self.reach)]
    self.kernel.assign(starting(self.time_basis, tf.constant(kernel, self.kernel.dtype)))

  def start_from(self, smaller: SpectralQuadratic) -> None:
    """Takes the kernel of a potential trained on a smaller torus.

    Where it has fewer functions of time, the coefficients of further ones are zero.

    Raises:
      ValueError: It has more functions of time, or others, is larger, or goes further.
    """
    embedded = self.torus.embed(smaller.kernel.numpy(), smaller.torus, self.reach)
    kernel = extended(embedded, smaller.time_basis, self.time_basis)
    if kernel.shape != self.kernel.shape:
      raise ValueError('`smaller` must have the same basis of time, or one of fewer functions.')
    self.kernel.assign(kernel)

  def prepared(self, times: tf.Tensor | None = None) -> SpectralQuadratic:
    """Returns the potential with spectra and functions of time computed once."""
    basis = tabulated(self.time_basis, times, self.kernel.dtype)
    return self._twin(
      _prepared_spectrum=self._coefficients(), _prepared_shift=self._shift(), time_basis=basis
    )

  def _coefficients(self) -> tf.Tensor:
    if self._prepared_spectrum is not None:
      return self._prepared_spectrum
    return self.torus.spectrum(tf.convert_to_tensor(self.kernel))

  def _spectrum(self, t: tf.Tensor) -> tf.Tensor:
    return amplitudes(self.time_basis, self._coefficients(), t, self._shift())

  def _shift(self) -> tf.Tensor | None:
    """Spectrum of V'c, [..., N]."""
    if self._prepared_shift is not None or self.context_kernel is None:
      return self._prepared_shift
    return self.torus.spectrum(contexts.added(self.context, self.context_kernel))

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return self.torus.transform(self.torus.transform(x) * self._spectrum(t))

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    trace = tf.reduce_sum(self._spectrum(t), axis=-1)
    return self._gradient(t, x), tf.zeros_like(x[..., 0]) + trace
