"""The L x L torus, and kernels that all its symmetries leave alone.

A kernel w that the dihedral group D4 maps to itself: x -> w * x then commutes with all 8 L^2
translations, rotations and reflections.
"""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

from ma_keras.arguments import is_whole


class Torus:
  """D4 orbits of offsets, and the real Fourier transform that diagonalises their kernels.

  H_kr = (cos + sin)(2 pi k r/L)/sqrt L, the Hartley matrix, is symmetric and its own inverse. A
  kernel even in rows and in columns is diagonal in H (x) H, with eigenvalues
  w^_kq = sum_rc w_rc cos(2 pi k r/L) cos(2 pi q c/L); symmetric under exchange of the two axes, as
  they all are, it does not mind a transposed image either.

  Orbits are numbered from the near to the far: a kernel of fewer values than R is zero beyond.

  Attributes:
    side: L.
    orbits: R, the number of orbits: (n + 1)(n + 2)/2 with n = L // 2.
    representatives: One offset (r, c) of each, L/2 >= r >= c >= 0; int [R, 2].
    sites: Their indices r L + c, int [R].
    sizes: Offsets in each, int [R].
  """

  def __init__(self, side: int) -> None:
    """Tables of the torus of side L.

    Raises:
      ValueError: `side` is below 2.
    """
    if not is_whole(side, 2):
      raise ValueError(f'`side` must be an integer of at least 2, got {side!r}. The paper uses 16.')
    self.side = side = int(side)
    folded = np.minimum(np.arange(side), side - np.arange(side))
    near, far = np.minimum.outer(folded, folded), np.maximum.outer(folded, folded)
    orbit_of = (far * (far + 1) // 2 + near).reshape(-1)  # Of every offset, row by row.
    far_of = range(side // 2 + 1)
    self.representatives = np.array([(far, near) for far in far_of for near in range(far + 1)])
    self.sites = self.representatives @ np.array([self.side, 1])
    self.orbits = len(self.sites)
    self.sizes = np.bincount(orbit_of)

  @property
  def _angles(self) -> np.ndarray:
    """2 pi k r / L, [L, L]."""
    return 2 * np.pi * np.outer(np.arange(self.side), np.arange(self.side)) / self.side

  @functools.cached_property
  def _hartley(self) -> np.ndarray:
    return (np.cos(self._angles) + np.sin(self._angles)) / np.sqrt(self.side)

  def transform(self, x: tf.Tensor) -> tf.Tensor:
    """(H X H)' of images X of shape [..., N], N = L^2: an orthogonal map, its own inverse."""
    hartley = tf.constant(self._hartley, x.dtype)
    rows = tf.reshape(
      tf.matmul(tf.reshape(x, [-1, self.side]), hartley), [-1, self.side, self.side]
    )
    rows = tf.reshape(tf.transpose(rows, [0, 2, 1]), [-1, self.side])
    return tf.reshape(tf.matmul(rows, hartley), tf.shape(x))

  def checked_reach(self, reach: int | None) -> int:
    """Rows and columns that kernels may go: `reach`, or all of the torus where it is None.

    Raises:
      ValueError: It is no integer from 0 to L // 2.
    """
    largest = self.side // 2
    reach = largest if reach is None else reach
    if not is_whole(reach, 0) or reach > largest:
      raise ValueError(
        f'`reach` must be an integer from 0 to L // 2 = {largest}, got {reach!r}; None: all.'
      )
    return int(reach)

  def within(self, reach: int) -> int:
    """The number of orbits whose offsets go up to `reach` rows and columns."""
    return (reach + 1) * (reach + 2) // 2

  def spectrum(self, kernel: tf.Tensor) -> tf.Tensor:
    """w^, the eigenvalues [..., N] of kernels given by one value per orbit, [..., R]."""
    waves = _orbit_spectra(self.side, kernel.shape[-1])
    return tf.tensordot(kernel, tf.constant(waves, kernel.dtype), axes=1)

  def kernel(self, spectrum: np.ndarray) -> np.ndarray:
    """The kernel [R] of a symmetric spectrum [N]: the inverse of `spectrum`, in NumPy."""
    field = np.fft.ifft2(spectrum.reshape(self.side, self.side)).real
    return field.reshape(-1)[self.sites]

  def spectrum_of_row(self, row: np.ndarray) -> np.ndarray:
    """Eigenvalues [N] of an invariant matrix by its first row [N], in NumPy."""
    return np.fft.fft2(row.reshape(self.side, self.side)).real.reshape(-1)

  def is_invariant(self, matrix: np.ndarray) -> bool:
    """Tells if a matrix [N, N], or that of a first row [N], has all 8 L^2 symmetries."""
    side, row = self.side, matrix.reshape(-1, self.side**2)[0]
    field = row.reshape(side, side)
    reflected = np.roll(field[::-1], 1, axis=0)  # r -> -r.
    if not (np.allclose(field, field.T) and np.allclose(field, reflected)):
      return False
    if matrix.ndim == 1:
      return True
    rows, columns = (np.subtract.outer(k, k) % side for k in np.divmod(np.arange(side**2), side))
    return bool(np.allclose(matrix, row[rows * side + columns]))

  def inner_products(self, kernels: tf.Tensor) -> tf.Tensor:
    """w_c . w_d over all offsets, [C, C], of kernels [C, R]."""
    weighted = kernels * self._sizes_of(kernels)
    return tf.matmul(weighted, kernels, transpose_b=True)

  def squared_norms(self, kernels: tf.Tensor) -> tf.Tensor:
    """|w_c|^2 over all offsets, [C], of kernels [C, R]."""
    return tf.linalg.matvec(tf.square(kernels), self._sizes_of(kernels))

  def _sizes_of(self, kernels: tf.Tensor) -> tf.Tensor:
    return tf.constant(self.sizes[: kernels.shape[-1]], kernels.dtype)

  def draw_kernels(
    self, shape: tuple[int, int], decay: float, seed: tf.Tensor, dtype: tf.DType
  ) -> tf.Tensor:
    """Kernels of `shape` [C, R] and norm 1, Normal(0, 1) times exp(-distance / `decay`)."""
    distances = np.linalg.norm(self.representatives[: shape[1]], axis=-1)
    kernels = tf.random.stateless_normal(shape, seed, dtype=dtype) * np.exp(-distances / decay)
    return kernels / tf.sqrt(self.squared_norms(kernels))[:, tf.newaxis]

  def convolve(self, kernel: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """w * x for one kernel [R] and images [..., N]."""
    return self.transform(self.transform(x) * self.spectrum(kernel))

  def embed(self, kernel: np.ndarray, smaller: Torus, reach: int | None = None) -> np.ndarray:
    """The kernels [..., R'] of a smaller torus on this one: the same at the same offsets, 0 beyond.

    Offsets of half the smaller side are their own mirror images there and two different ones
    here, which share the value. They end at the `reach` of kernels here.

    Raises:
      ValueError: The other torus is not smaller, or its kernels go further.
    """
    if smaller.side > self.side:
      raise ValueError(f'`smaller` must be at most of side {self.side}, got {smaller.side}.')
    size = kernel.shape[-1]
    if smaller.side < self.side:
      half = 2 * smaller.representatives[:size] == smaller.side
      kernel = kernel / 2 ** half.sum(axis=-1)
    embedded = np.zeros([*kernel.shape[:-1], self.orbits])
    embedded[..., :size] = kernel
    orbits = self.within(self.checked_reach(reach))
    if np.any(embedded[..., orbits:]):
      raise ValueError(
        f'`smaller` has kernels beyond the `reach` of {reach} here: take a larger one.'
      )
    return embedded[..., :orbits]


@functools.lru_cache(maxsize=8)
def _orbit_spectra(side: int, orbits: int) -> np.ndarray:
  """Eigenvalues of the kernels that are one on an orbit and zero elsewhere, [R, N], of the first R.

  c_r(k) c_s(q), c_r the sum of cos(2 pi k r/L) over +-r, and where r != s its mirror image, too.
  """
  far, near = Torus(side).representatives[:orbits].T
  indices = np.arange(side)
  waves = np.cos(2 * np.pi * np.outer(indices, indices) / side)
  waves[2 * indices % side != 0] *= 2.0  # c_r(k), [r, k]; r = -r counts once.
  products = waves[far][:, :, np.newaxis] * waves[near][:, np.newaxis]
  mirrored = (far != near)[:, np.newaxis, np.newaxis] * np.swapaxes(products, 1, 2)
  return (products + mirrored).reshape(orbits, -1)
