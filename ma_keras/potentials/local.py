"""Hidden units that see a patch of an image each: local, and many times cheaper than dense ones."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras import seeds
from ma_keras.arguments import is_whole
from ma_keras.potentials import activations, contexts
from ma_keras.potentials.base import Potential
from ma_keras.potentials.time_basis import (
  Basis,
  amplitudes,
  starting,
  tabulated,
  time_derivative,
)


class LocallyConnected(Potential):
  """phi(t, x) = sum_pj a_pj(t) act(w_pj . x_p + b_pj), x_p the p-th k x k patch of the image x.

  A hidden layer whose kernel vanishes outside patches: with H units in all it costs k^2/N of a
  dense one. grad phi adds up over the patches, laplacian phi = sum_pj a_pj |w_pj|^2 act''(z_pj).
  `shared=True` is a convolution: one kernel for all patches, amplitudes and biases of their own.

  Patches are cut out of s x s blocks, s the stride, by slicing, and multiplied in batches: no
  convolution, whose transpose and derivatives are slow on CPUs (benchmarks/convolution.py). A
  context c shifts the biases, b + V'c, of every patch by itself.

  Attributes:
    kernel: w, variable [P, k^2 c, C]; [1, k^2 c, C] where shared.
    bias: b, variable [P, 1, C].
    amplitude: a, variable [P, C]; with a time basis its coefficients, [K, P, C].
    image_shape: (height, width, channels); events are such images, flattened.
    patch: k.
    stride: s.
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
    _check(image_shape, patch, stride, units)
    height, width, channels = image_shape
    super().__init__(height * width * channels, name, context_size)
    self.image_shape, self.patch, self.stride = tuple(image_shape), patch, stride
    self.shared = shared
    self.time_basis = time_basis
    self._activation = activations.get(activation)
    self._grid = tuple((side - patch) // stride + 1 for side in (height, width))
    number, size = math.prod(self._grid), patch * patch * channels
    seed = seeds.fresh() if seed is None else seed
    kernel_seed, amplitude_seed = seeds.split(seed, 2, salt='locally_connected')
    kernel_shape = [1 if shared else number, size, units]
    normal = tf.random.stateless_normal(kernel_shape, kernel_seed, dtype=dtype)
    self.kernel = tf.Variable(size**-0.5 * normal, name='kernel')
    self.bias = tf.Variable(tf.zeros([number, 1, units], dtype), name='bias')
    normal = tf.random.stateless_normal([number, units], amplitude_seed, dtype=dtype)
    gentle = 0.1 * (self.event_size / (number * units)) ** 0.5 / patch
    self.amplitude = tf.Variable(starting(time_basis, gentle * normal), name='amplitude')
    self.context_kernel = contexts.kernel(context_size, [number, units], dtype, seed)
    self._prepared_bias: tf.Tensor | None = None

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    return {
      'image_shape': list(self.image_shape),
      'patch': self.patch,
      'stride': self.stride,
      'units': self.kernel.shape[-1],
      'shared': self.shared,
      'activation': self._activation.name,
      'time_basis': self.time_basis,
      'context_size': self.context_size,
    }

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(t, x), shape [...]."""
    values = self._activation.value(self._hidden(x))
    return self._per_point(tf.matmul(values, self._column(self._amplitude(t))), x)

  def _time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return time_derivative(self, t, x)

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return self._gradient_and_laplacian(t, x)[0]

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    slopes, amplitude = self._activation.slope(self._hidden(x)), self._amplitude(t)
    of_patches = self._matmul(amplitude[:, tf.newaxis] * slopes, transpose=True)
    weights = amplitude * tf.reduce_sum(tf.square(self.kernel), axis=1)
    laplacian = tf.matmul(self._activation.curvature(slopes), self._column(weights))
    return self._assembled(of_patches, tf.shape(x)), self._per_point(laplacian, x)

  def _hidden(self, x: tf.Tensor) -> tf.Tensor:
    """z, [P, B, C], B all leading dimensions of x in one."""
    z = self._matmul(self._patches(x))
    bias = self._bias()
    if bias.shape.rank == 2:
      return z + bias[:, tf.newaxis]
    leading = tf.concat([tf.shape(x)[:-1], tf.shape(bias)[-2:]], axis=0)
    rows = tf.reshape(tf.broadcast_to(bias, leading), [-1, *bias.shape[-2:]])
    return z + tf.transpose(rows, [1, 0, 2])

  def prepared(self, times: tf.Tensor | None = None) -> LocallyConnected:
    """Returns the potential with b + V'c and functions of time computed once."""
    basis = tabulated(self.time_basis, times, self.amplitude.dtype)
    return self._twin(_prepared_bias=self._bias(), time_basis=basis)

  def _bias(self) -> tf.Tensor:
    """b + V'c, [..., P, C]."""
    if self._prepared_bias is not None:
      return self._prepared_bias
    bias = tf.convert_to_tensor(self.bias)[:, 0]
    if self.context_kernel is None:
      return bias
    return bias + contexts.added(self.context, self.context_kernel)

  def _matmul(self, of_patches: tf.Tensor, transpose: bool = False) -> tf.Tensor:
    """Patch by patch, or all of them in one product where the kernel is shared."""
    if self.kernel.shape[0] > 1:
      return tf.matmul(of_patches, self.kernel, transpose_b=transpose)
    shape = tf.shape(of_patches)
    rows = tf.reshape(of_patches, [-1, of_patches.shape[-1]])
    product = tf.matmul(rows, self.kernel[0], transpose_b=transpose)
    return tf.reshape(product, [shape[0], shape[1], product.shape[-1]])

  def _patches(self, x: tf.Tensor) -> tf.Tensor:
    """[..., N] -> [P, B, k^2 c]: (k/s)^2 shifted grids of blocks, side by side."""
    (height, width, channels), s = self.image_shape, self.stride
    blocks = tf.reshape(x, [-1, height // s, s, width // s, s, channels])
    blocks = tf.transpose(blocks, [1, 3, 0, 2, 4, 5])
    blocks = tf.reshape(blocks, [height // s, width // s, -1, s * s * channels])
    rows, columns = self._grid
    cut = tf.concat([blocks[i : i + rows, j : j + columns] for i, j in self._shifts()], axis=-1)
    return tf.reshape(cut, [rows * columns, -1, cut.shape[-1]])

  def _assembled(self, of_patches: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    """The transpose of `_patches`: patches added where they were cut, [P, B, k^2 c] -> [..., N]."""
    (height, width, channels), s = self.image_shape, self.stride
    rows, columns = self._grid
    size = of_patches.shape[-1]
    shifts = self._shifts()
    grids = tf.split(tf.reshape(of_patches, [rows, columns, -1, size]), len(shifts), axis=-1)
    down, across = height // s - rows, width // s - columns
    padded = [
      tf.pad(grid, [[i, down - i], [j, across - j], [0, 0], [0, 0]])
      for grid, (i, j) in zip(grids, shifts)
    ]
    blocks = functools.reduce(tf.add, padded)  # Not add_n, whose order of terms varies.
    blocks = tf.reshape(blocks, [height // s, width // s, -1, s, s, channels])
    return tf.reshape(tf.transpose(blocks, [2, 0, 3, 1, 4, 5]), shape)

  def _shifts(self) -> list[tuple[int, int]]:
    shifts = range(self.patch // self.stride)
    return [(i, j) for i in shifts for j in shifts]

  def _amplitude(self, t: tf.Tensor) -> tf.Tensor:
    return amplitudes(self.time_basis, tf.convert_to_tensor(self.amplitude), t)

  def _column(self, weights: tf.Tensor) -> tf.Tensor:
    """[P, C] -> [P, C, 1]."""
    return weights[..., tf.newaxis]

  def _per_point(self, sums: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """[P, B, 1] -> [...], summed over patches."""
    return tf.reshape(tf.reduce_sum(sums, axis=[0, 2]), tf.shape(x)[:-1])


def _check(image_shape: tuple[int, int, int], patch: int, stride: int, units: int) -> None:
  if np.shape(image_shape) != (3,) or not all(map(is_whole, (*image_shape, patch, stride, units))):
    raise ValueError(
      f'`image_shape`, `patch`, `stride` and `units` must be positive, got {image_shape}, {patch}, '
      f'{stride} and {units}. For 28 x 28 x 1: patch=8, stride=4.'
    )
  height, width, _ = image_shape
  if height % stride or width % stride or patch % stride or patch > min(height, width):
    raise ValueError(
      f'`stride` must divide height, width and `patch`, and `patch` fit into the image, got '
      f'stride {stride}, patch {patch} and an image of {height} x {width}. For 28 x 28: patch=8, '
      'stride=4.'
    )
