"""Hidden units that see a patch of an image each: what potentials of images share."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ma_keras.arguments import is_whole
from ma_keras.potentials import activations, contexts
from ma_keras.potentials.base import Potential
from ma_keras.potentials.patches import Patches
from ma_keras.potentials.time_basis import Basis, amplitudes, starting, tabulated


class PatchLayer(Potential):
  """z_pj = w_pj . x_p + b_pj, x_p the p-th k x k patch of the image x.

  Patches are multiplied in batches. A context c shifts the biases, b + V'c, of every patch by
  itself. Subclasses say what phi makes of z.

  Attributes:
    patches: The P patches.
    kernel: w, variable [P, k^2 c, C]; [1, k^2 c, C] where shared.
    bias: b, variable [P, 1, C].
    amplitude: Amplitudes of the last units; with a time basis their coefficients, [K, ...].
    time_basis: How the amplitudes vary in time, or None.
    context_kernel: V, variable [C', P, C] of contexts [C']; None without.
  """

  def __init__(
    self,
    patches: Patches,
    activation: str,
    time_basis: Basis | None,
    context_size: int | None,
    name: str | None,
  ) -> None:
    """Keeps the options; `_start` makes the variables.

    Raises:
      ValueError: The activation or the context has no such value.
    """
    height, width, channels = patches.image_shape
    super().__init__(height * width * channels, name, context_size)
    self.patches, self.time_basis = patches, time_basis
    self._activation = activations.get(activation)
    self._prepared_bias: tf.Tensor | None = None

  def _start(self, normal: tf.Tensor, amplitude: tf.Tensor, context_seed: int) -> None:
    """Makes the variables.

    Args:
      normal: Draws of a kernel, [P or 1, k^2 c, C]; w ~ Normal(0, 1/(k^2 c)), b = 0.
      amplitude: Amplitudes at the start, constant in time.
      context_seed: Names V ~ Normal(0, 1/C').
    """
    number, units = self.patches.number, normal.shape[-1]
    self.kernel = tf.Variable(self.patches.size**-0.5 * normal, name='kernel')
    self.bias = tf.Variable(tf.zeros([number, 1, units], normal.dtype), name='bias')
    self.amplitude = tf.Variable(starting(self.time_basis, amplitude), name='amplitude')
    self.context_kernel = contexts.kernel(
      self.context_size, [number, units], normal.dtype, context_seed
    )

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    return {
      'image_shape': list(self.patches.image_shape),
      'patch': self.patches.patch,
      'stride': self.patches.stride,
      'units': self.kernel.shape[-1],
      'activation': self._activation.name,
      'time_basis': self.time_basis,
      'context_size': self.context_size,
    }

  def prepared(self, times: tf.Tensor | None = None) -> PatchLayer:
    """Returns the potential with b + V'c and functions of time computed once."""
    basis = tabulated(self.time_basis, times, self.amplitude.dtype)
    return self._twin(_prepared_bias=self._bias(), time_basis=basis)

  def _hidden(self, x: tf.Tensor) -> tf.Tensor:
    """z, [P, B, C], B all leading dimensions of x in one."""
    z = self._matmul(self.patches.cut(x))
    bias = self._bias()
    if bias.shape.rank == 2:
      return z + bias[:, tf.newaxis]
    leading = tf.concat([tf.shape(x)[:-1], tf.shape(bias)[-2:]], axis=0)
    rows = tf.reshape(tf.broadcast_to(bias, leading), [-1, *bias.shape[-2:]])
    return z + tf.transpose(rows, [1, 0, 2])

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

  def _squared_norms(self) -> tf.Tensor:
    """|w_pj|^2, [P or 1, C]."""
    return tf.reduce_sum(tf.square(self.kernel), axis=1)

  def _amplitude(self, t: tf.Tensor) -> tf.Tensor:
    return amplitudes(self.time_basis, tf.convert_to_tensor(self.amplitude), t)


def check_units(**units: Any) -> None:
  """Raises ValueError unless these are positive integers."""
  for name, value in units.items():
    if not is_whole(value):
      raise ValueError(f'`{name}` must be a positive integer, got {value!r}. Sixteen is usual.')


def gentle(patches: Patches, number: int, reach: int) -> float:
  """Deviation of first amplitudes of `number` units that see `reach` x `reach` pixels each."""
  height, width, channels = patches.image_shape
  return 0.1 * (height * width * channels / number) ** 0.5 / reach


def weighted(values: tf.Tensor, weights: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
  """sum_pj weights_pj values_pj of points [..., N]: [P, B, C] and [P or 1, C] -> [...]."""
  sums = tf.reduce_sum(tf.matmul(values, weights[..., tf.newaxis]), axis=[0, 2])
  return tf.reshape(sums, tf.shape(x)[:-1])
