"""Finite symmetry groups as tables: each element permutes and flips coordinates."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import tensorflow as tf

from ma_keras.arguments import is_whole


@dataclasses.dataclass(frozen=True, eq=False)
class Group:
  """Elements g with (g x)_i = sign_gi x_index_gi: orthogonal maps of R^N.

  Being orthogonal, they carry gradients back by their transpose and leave Laplacians alone,
  and the standard normal base is invariant under all of them (section 4.2).

  Attributes:
    index: Permutations, int32 [G, N].
    sign: Signs +1 or -1, int8 [G, N].
  """

  index: np.ndarray
  sign: np.ndarray

  def __post_init__(self) -> None:
    """Checks that every row is a signed permutation.

    Raises:
      ValueError: A row of `index` is no permutation, or `sign` holds anything but +1 and -1.
    """
    given = np.asarray(self.index), np.asarray(self.sign)
    if any(array.dtype.kind not in 'iuf' or np.any(array != np.trunc(array)) for array in given):
      raise ValueError('`index` and `sign` must hold whole numbers.')
    object.__setattr__(self, 'index', given[0].astype(np.int32))
    object.__setattr__(self, 'sign', given[1].astype(np.int8))
    rows = np.sort(self.index, axis=-1)
    if self.index.ndim != 2 or not np.array_equal(
      rows, np.tile(np.arange(self.size), (len(rows), 1))
    ):
      raise ValueError('`index` must hold one permutation of 0..N-1 per row, shape [G, N].')
    if self.sign.shape != self.index.shape or not np.all(np.abs(self.sign) == 1):
      raise ValueError('`sign` must hold +1 and -1 only and have the shape of `index`.')

  @property
  def order(self) -> int:
    """|G|, the number of elements."""
    return self.index.shape[0]

  @property
  def size(self) -> int:
    """N, the number of coordinates the group acts on."""
    return self.index.shape[1]

  def __mul__(self, other: Group) -> Group:
    """All products g h, (g h) x = g (h x): |G| |H| elements in one table.

    The result is a group when the two commute as sets, as translations and D4 do. For large
    lattices draw from the factors in turn instead of building a big table.
    """
    if self.size != other.size:
      raise ValueError(f'Groups act on {self.size} and {other.size} coordinates.')
    index = other.index[:, self.index].transpose(1, 0, 2).reshape(-1, self.size)
    carried = other.sign[:, self.index].transpose(1, 0, 2)
    sign = (self.sign[:, None, :] * carried).reshape(-1, self.size)
    return Group(index, sign)

  def inverse(self) -> Group:
    """The table of inverses, row by row: g^-1 = g' puts x_i back where it came from."""
    return self._inverse

  @functools.cached_property
  def _inverse(self) -> Group:
    index = np.argsort(self.index, axis=-1).astype(np.int32)
    return Group(index, np.take_along_axis(self.sign, index, axis=-1))

  def config(self) -> dict[str, Any]:
    """The constructor's arguments as plain values: see `model_file`."""
    return {'index': self.index.tolist(), 'sign': self.sign.tolist()}

  def apply(self, x: np.ndarray) -> np.ndarray:
    """g x for every element: [..., N] -> [..., G, N]."""
    return self.sign * np.asarray(x)[..., self.index]

  def images(self, x: tf.Tensor) -> tf.Tensor:
    """g x for every element, as a tensor with the elements in front: [..., N] -> [G, ..., N]."""
    images = tf.gather(x, self.index, axis=-1)  # [..., G, N]
    rank = images.shape.rank
    images = tf.transpose(images, [rank - 2, *range(rank - 2), rank - 1])
    return images * _beside(self.sign, images)

  def preimages(self, y: tf.Tensor) -> tf.Tensor:
    """g^-1 y_g for every element, [G, ..., N] -> [G, ..., N]."""
    inverse = self.inverse()
    preimages = tf.gather(y, inverse.index, axis=-1, batch_dims=1)
    return preimages * _beside(inverse.sign, preimages)

  def mean(self, values: tf.Tensor) -> tf.Tensor:
    """The mean over the elements, [G, ...] -> [...]."""
    return tf.reduce_mean(values, axis=0)


def inversion(size: int) -> Group:
  """Z2: the identity and x -> -x on N = `size` coordinates."""
  if not is_whole(size):
    raise ValueError(
      f'`size` must be a positive integer, got {size!r}: N, the length of one event.'
    )
  size = int(size)
  index = np.tile(np.arange(size, dtype=np.int32), (2, 1))
  return Group(index, np.stack([np.ones(size), -np.ones(size)]).astype(np.int8))


def translations(side: int) -> Group:
  """The L^2 translations of the periodic L x L lattice, sites in row-major order."""
  sites = _sites(side)
  shifted = [np.roll(sites, (-i, -j), (0, 1)) for i, j in np.ndindex(sites.shape)]
  return permutations(np.stack(shifted).reshape(sites.size, -1))


def dihedral(side: int) -> Group:
  """D4: the 8 rotations and reflections of the L x L lattice, sites in row-major order."""
  sites = _sites(side)
  images = [np.rot90(s, k) for s in (sites, sites.T) for k in range(4)]
  return permutations(np.stack(images).reshape(8, -1))


def square_lattice(side: int) -> Group:
  """Translations and D4: the 8 L^2 space-group elements of the periodic L x L lattice."""
  return translations(side) * dihedral(side)


def permutations(index: np.ndarray) -> Group:
  """The site permutations in the rows of `index` [G, N], without sign changes."""
  return Group(index, np.ones(np.shape(index), np.int8))


def _sites(side: int) -> np.ndarray:
  """Numbers of the sites, [L, L]."""
  if not is_whole(side):
    raise ValueError(f'`side` must be a positive integer, got {side!r}: L of an L x L lattice.')
  return np.arange(int(side) ** 2).reshape(int(side), -1)


def _beside(sign: np.ndarray, images: tf.Tensor) -> tf.Tensor:
  """The signs [G, N], shaped to multiply images [G, ..., N]."""
  ones = [1] * (images.shape.rank - 2)
  return tf.cast(sign.reshape(sign.shape[0], *ones, sign.shape[1]), images.dtype)
