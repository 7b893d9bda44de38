"""Two layers of local units on an image, with an exact Laplacian."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ma_keras import seeds
from ma_keras.potentials.patch_layer import PatchLayer, check_units, gentle, weighted
from ma_keras.potentials.patches import Patches, shifts, spread, windows
from ma_keras.potentials.time_basis import Basis, time_derivative


class DeepLocallyConnected(PatchLayer):
  """phi(t, x) = sum_qm a_qm(t) act(y_qm), y_qm = sum_d W_qdm h_qd + d_qm.

  h_q are the units act(z_p), z_p = w_p' x_p + b_p, of the r x r neighbouring patches p in window q,
  D = r^2 C of them, and M units y see a window. With g = d phi/dh, which a reverse pass gives,

    grad phi = sum_p w_p (g_p act'(z_p)),
    laplacian phi = sum_pj g_pj |w_pj|^2 act''(z_pj) + sum_qm a_qm act''(y_qm) |grad y_qm|^2,
    |grad y_qm|^2 = sum_de W_qdm W_qem s_qd s_qe G_qde, s = act'(z),

  where G_q are the inner products of the kernels of a window: D^2 products a unit instead of N
  passes. A context c shifts the biases of the first layer, b + V'c.

  Attributes:
    patches: The P patches of the first layer.
    reach: r.
    kernel: w, variable [P, k^2 c, C].
    bias: b, variable [P, 1, C].
    second_kernel: W, variable [Q, D, M].
    second_bias: d, variable [Q, 1, M].
    amplitude: a, variable [Q, M]; with a time basis its coefficients, [K, Q, M].
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
    second_units: int,
    reach: int = 2,
    activation: str = 'softplus',
    time_basis: Basis | None = None,
    dtype: tf.DType = tf.float32,
    seed: int | None = None,
    context_size: int | None = None,
    name: str | None = None,
  ) -> None:
    """Draws w ~ Normal(0, 1/(k^2 c)), W ~ Normal(0, 1/D), b = d = 0, and a gently.

    Args:
      image_shape: (height, width, channels).
      patch: k, a multiple of the stride, at most height and width.
      stride: s, a divisor of height and width.
      units: C, first units of a patch.
      second_units: M, second units of a window.
      reach: r, rows and columns of patches in a window; 1: every patch by itself.
      activation: 'softplus' or 'log_cosh', of both layers.
      time_basis: Makes the amplitudes functions of time; they start constant.
      dtype: Floating dtype of the variables.
      seed: Integer that makes the initial values reproducible; None draws fresh ones.
      context_size: C', where phi depends on a context; V ~ Normal(0, 1/C').
      name: Module name.

    Raises:
      ValueError: A size is not positive, patches do not tile the image, or windows are larger.
    """
    patches = Patches(image_shape, patch, stride)
    check_units(units=units, second_units=second_units, reach=reach)
    units, second_units, reach = int(units), int(second_units), int(reach)
    if reach > min(patches.grid):
      raise ValueError(
        f'`reach` must be at most {min(patches.grid)}, got {reach}: there are {patches.grid[0]} x '
        f'{patches.grid[1]} patches.'
      )
    super().__init__(patches, activation, time_basis, context_size, name)
    self.reach = reach
    rows, columns = (side - reach + 1 for side in patches.grid)
    number, seen = rows * columns, patch + (reach - 1) * stride
    seed = seeds.fresh() if seed is None else seed
    keys = seeds.split(seed, 3, salt='deep_locally_connected')
    shapes = (
      [patches.number, patches.size, units],
      [number, reach**2 * units, second_units],
      [number, second_units],
    )
    first, second, last = (
      tf.random.stateless_normal(shape, key, dtype=dtype) for shape, key in zip(shapes, keys)
    )
    self._start(first, gentle(patches, number * second_units, seen) * last, seed)
    # Muon knows kernels by this name.
    self.second_kernel = tf.Variable(second / (reach**2 * units) ** 0.5, name='second/kernel')
    self.second_bias = tf.Variable(tf.zeros([number, 1, second_units], dtype), name='second/bias')
    self._prepared_metric: tf.Tensor | None = None

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    second = {'second_units': self.second_kernel.shape[-1], 'reach': self.reach}
    return {**super().config(), **second}

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(t, x), shape [...]."""
    y = self._second(self._activation.value(self._hidden(x)))
    return weighted(self._activation.value(y), self._amplitude(t), x)

  def prepared(self, times: tf.Tensor | None = None) -> PatchLayer:
    """Returns the potential with G, b + V'c and functions of time computed once."""
    return super().prepared(times)._twin(_prepared_metric=self._metric())

  def _time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return time_derivative(self, t, x)

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return self._gradient_and_laplacian(t, x)[0]

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    values, slopes, curvatures = self._activation.jet(self._hidden(x))
    _, second_slopes, second_curvatures = self._activation.jet(self._second(values))
    amplitude = self._amplitude(t)
    of_windows = tf.matmul(
      amplitude[:, tf.newaxis] * second_slopes, self.second_kernel, transpose_b=True
    )
    rates = self._of_patches(spread(of_windows, self.patches.grid, self.reach))
    of_patches = self._matmul(rates * slopes, transpose=True)
    squares = second_curvatures * self._squared_gradients(slopes)
    laplacian = weighted(rates * curvatures, self._squared_norms(), x)
    return (
      self.patches.assembled(of_patches, tf.shape(x)),
      laplacian + weighted(squares, amplitude, x),
    )

  def _second(self, values: tf.Tensor) -> tf.Tensor:
    """y, [Q, B, M], of the first layer's units [P, B, C]."""
    return tf.matmul(self._windows(values), self.second_kernel) + self.second_bias

  def _squared_gradients(self, slopes: tf.Tensor) -> tf.Tensor:
    """|grad y_qm|^2, [Q, B, M], of the first layer's slopes [P, B, C]."""
    columns = tf.transpose(self._windows(slopes), [0, 2, 1])[..., tf.newaxis]
    factors = columns * tf.expand_dims(self.second_kernel, 2)  # W s, [Q, D, B, M].
    shape = tf.shape(factors)
    flat = tf.reshape(factors, [shape[0], shape[1], shape[2] * shape[3]])
    squares = tf.reduce_sum(flat * tf.matmul(self._metric(), flat), axis=1)
    return tf.reshape(squares, [shape[0], shape[2], shape[3]])

  def _metric(self) -> tf.Tensor:
    """G, [Q, D, D]: kernels of a window side by side, each at its place among all its pixels."""
    if self._prepared_metric is not None:
      return self._prepared_metric
    blocks, units = self.patches.patch // self.patches.stride, self.kernel.shape[-1]
    content = self.patches.stride**2 * self.patches.image_shape[2]
    kernels = tf.reshape(self.kernel, [*self.patches.grid, blocks, blocks, content * units])
    rows, columns = (side - self.reach + 1 for side in self.patches.grid)
    columns_of_window = []
    for i, j in shifts(self.reach):
      padding = [[i, self.reach - 1 - i], [j, self.reach - 1 - j]]
      part = kernels[i : i + rows, j : j + columns]
      part = tf.pad(part, [[0, 0], [0, 0], *padding, [0, 0]])
      columns_of_window.append(tf.reshape(part, [rows * columns, -1, units]))
    kernel = tf.concat(columns_of_window, axis=-1)
    return tf.matmul(kernel, kernel, transpose_a=True)

  def _windows(self, of_patches: tf.Tensor) -> tf.Tensor:
    """Puts units of the patches of a window side by side, [P, B, C] -> [Q, B, D]."""
    shape = tf.shape(of_patches)
    grid = tf.reshape(of_patches, [*self.patches.grid, shape[1], of_patches.shape[-1]])
    return windows(grid, self.reach)

  def _of_patches(self, grid: tf.Tensor) -> tf.Tensor:
    """Numbers the patches of a grid, [rows, columns, B, C] -> [P, B, C]."""
    return tf.reshape(grid, [self.patches.number, -1, grid.shape[-1]])
