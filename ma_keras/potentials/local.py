"""Hidden units that see a patch of an image each: local, and many times cheaper than dense ones."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ma_keras import seeds
from ma_keras.potentials.patch_layer import PatchLayer, check_units, gentle, weighted
from ma_keras.potentials.patches import Patches
from ma_keras.potentials.time_basis import Basis, time_derivative


class LocallyConnected(PatchLayer):
  """phi(t, x) = sum_pj a_pj(t) act(w_pj . x_p + b_pj), x_p the p-th k x k patch of the image x.

  A hidden layer whose kernel vanishes outside patches: with H units in all it costs k^2/N of a
  dense one. grad phi adds up over the patches, laplacian phi = sum_pj a_pj |w_pj|^2 act''(z_pj).
  `shared=True` is a convolution: one kernel for all patches, amplitudes and biases of their own.
  A context c shifts the biases, b + V'c, of every patch by itself.

  Attributes:
    patches: The P patches.
    kernel: w, variable [P, k^2 c, C]; [1, k^2 c, C] where shared.
    bias: b, variable [P, 1, C].
    amplitude: a, variable [P, C]; with a time basis its coefficients, [K, P, C].
    shared: Whether all patches have one kernel.
    time_basis: How the amplitudes vary in time, or None.
    context_kernel: V, variable [C', P, C] of contexts [C']; None without.
  """

  self_contained = True

  def __init__(
    self,
    image_shape: tuple[int, int, int],
    patch: int,
    stride: int,
    units: int,
    shared: bool = False,
    activation: str = 'softplus',
    time_basis: Basis | None = None,
    dtype: tf.DType = tf.float32,
    seed: int | None = None,
    context_size: int | None = None,
    name: str | None = None,
  ) -> None:
    """Draws w ~ Normal(0, 1/(k^2 c)), b = 0, a ~ Normal(0, 0.01/(units per pixel)): gentle.

    Args:
      image_shape: (height, width, channels).
      patch: k, a multiple of the stride, at most height and width.
      stride: s, a divisor of height and width.
      units: C, units per patch.
      shared: Whether all patches have one kernel.
      activation: 'softplus' or 'log_cosh'.
      time_basis: Makes the amplitudes functions of time; they start constant.
      dtype: Floating dtype of the variables.
      seed: Integer that makes the initial values reproducible; None draws fresh ones.
      context_size: C', where phi depends on a context; V ~ Normal(0, 1/C').
      name: Module name.

    Raises:
      ValueError: A size is not positive, or patches do not tile the image.
    """
    patches = Patches(image_shape, patch, stride)
    check_units(units=units)
    units = int(units)
    super().__init__(patches, activation, time_basis, context_size, name)
    self.shared = shared
    seed = seeds.fresh() if seed is None else seed
    kernel_seed, amplitude_seed = seeds.split(seed, 2, salt='locally_connected')
    kernel_shape = [1 if shared else patches.number, patches.size, units]
    normal = tf.random.stateless_normal(kernel_shape, kernel_seed, dtype=dtype)
    shape = [patches.number, units]
    amplitude = tf.random.stateless_normal(shape, amplitude_seed, dtype=dtype)
    scale = gentle(patches, patches.number * units, patch)
    self._start(normal, scale * amplitude, seed)

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    return {**super().config(), 'shared': self.shared}

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(t, x), shape [...]."""
    return weighted(self._activation.value(self._hidden(x)), self._amplitude(t), x)

  def _time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return time_derivative(self, t, x)

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return self._gradient_and_laplacian(t, x)[0]

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    slopes, amplitude = self._activation.slope(self._hidden(x)), self._amplitude(t)
    of_patches = self._matmul(amplitude[:, tf.newaxis] * slopes, transpose=True)
    weights = amplitude * self._squared_norms()
    laplacian = weighted(self._activation.curvature(slopes), weights, x)
    return self.patches.assembled(of_patches, tf.shape(x)), laplacian
