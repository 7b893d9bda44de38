"""Patches of images, cut out and added up again by slicing.

No convolution, whose transpose and derivatives are slow on CPUs (benchmarks/convolution.py).
"""

from __future__ import annotations

import functools
import math

import numpy as np
import tensorflow as tf

from ma_keras.arguments import is_whole


class Patches:
  """The k x k patches of an image, s pixels apart; k is a multiple of s.

  A patch is r x r blocks of s x s pixels, r = k/s; its coordinates go block by block.

  Attributes:
    image_shape: (height, width, channels) of images, flattened.
    patch: k.
    stride: s.
    grid: Rows and columns of patches; P is their product.
  """

  def __init__(self, image_shape: tuple[int, int, int], patch: int, stride: int) -> None:
    """Counts the patches.

    Raises:
      ValueError: A size is not positive, or patches do not tile the image.
    """
    if np.shape(image_shape) != (3,) or not all(map(is_whole, (*image_shape, patch, stride))):
      raise ValueError(
        f'`image_shape`, `patch` and `stride` must be positive, got {image_shape}, {patch} and '
        f'{stride}. For 28 x 28 x 1: patch=8, stride=4.'
      )
    height, width, channels, patch, stride = map(int, (*image_shape, patch, stride))
    if height % stride or width % stride or patch % stride or patch > min(height, width):
      raise ValueError(
        f'`stride` must divide height, width and `patch`, and `patch` fit into the image, got '
        f'stride {stride}, patch {patch} and an image of {height} x {width}. For 28 x 28: patch=8, '
        'stride=4.'
      )
    self.image_shape, self.patch, self.stride = (height, width, channels), patch, stride
    self.grid = ((height - patch) // stride + 1, (width - patch) // stride + 1)

  @property
  def number(self) -> int:
    """P, the number of patches."""
    return math.prod(self.grid)

  @property
  def size(self) -> int:
    """k^2 c, coordinates of a patch of c channels."""
    return self.patch**2 * self.image_shape[2]

  def cut(self, x: tf.Tensor) -> tf.Tensor:
    """Patches [P, B, k^2 c] of images [..., N], all leading dimensions in one."""
    (height, width, channels), s = self.image_shape, self.stride
    blocks = tf.reshape(x, [-1, height // s, s, width // s, s, channels])
    blocks = tf.transpose(blocks, [1, 3, 0, 2, 4, 5])
    blocks = tf.reshape(blocks, [height // s, width // s, -1, s * s * channels])
    return windows(blocks, self.patch // s)

  def assembled(self, of_patches: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    """The transpose of `cut`: patches added where they were cut, [P, B, k^2 c] -> [..., N]."""
    (height, width, channels), s = self.image_shape, self.stride
    blocks = spread(of_patches, (height // s, width // s), self.patch // s)
    blocks = tf.reshape(blocks, [height // s, width // s, -1, s, s, channels])
    return tf.reshape(tf.transpose(blocks, [2, 0, 3, 1, 4, 5]), shape)


def windows(cells: tf.Tensor, reach: int) -> tf.Tensor:
  """Windows of r x r neighbouring cells, [rows, columns, B, D] -> [Q, B, r^2 D].

  Args:
    cells: A grid of vectors of D numbers.
    reach: r; Q = (rows - r + 1) (columns - r + 1).
  """
  rows, columns = cells.shape[0] - reach + 1, cells.shape[1] - reach + 1
  cut = tf.concat([cells[i : i + rows, j : j + columns] for i, j in shifts(reach)], axis=-1)
  return tf.reshape(cut, [rows * columns, -1, cut.shape[-1]])


def spread(of_windows: tf.Tensor, grid: tuple[int, int], reach: int) -> tf.Tensor:
  """The transpose of `windows`: added where they were cut, [Q, B, r^2 D] -> [rows, columns, B, D].

  Args:
    of_windows: Numbers of windows.
    grid: Rows and columns of cells.
    reach: r.
  """
  rows, columns = grid[0] - reach + 1, grid[1] - reach + 1
  parts = tf.reshape(of_windows, [rows, columns, -1, of_windows.shape[-1]])
  down, across = reach - 1, reach - 1
  padded = [
    tf.pad(part, [[i, down - i], [j, across - j], [0, 0], [0, 0]])
    for part, (i, j) in zip(tf.split(parts, reach**2, axis=-1), shifts(reach))
  ]
  return functools.reduce(tf.add, padded)  # Not add_n, whose order of terms varies.


def shifts(reach: int) -> list[tuple[int, int]]:
  """Places of the cells of a window, row by row."""
  return [(i, j) for i in range(reach) for j in range(reach)]
