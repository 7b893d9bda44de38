"""Single group elements, and their action on points."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from ma_keras.symmetry.group import Group


class Element(NamedTuple):
  """g and its inverse, as signed permutations: rows of the tables of a `Group`.

  One element for all points, shape [N], or one for each point of a batch, shape [b, N].

  Attributes:
    index: (g x)_i = sign_i x_index_i; int32 [N] or [b, N].
    sign: The same shape.
    inverse_index: The same for g^-1; int32.
    inverse_sign: The same shape.
  """

  index: tf.Tensor
  sign: tf.Tensor
  inverse_index: tf.Tensor
  inverse_sign: tf.Tensor

  def inverse(self) -> Element:
    """g^-1."""
    return Element(self.inverse_index, self.inverse_sign, self.index, self.sign)

  def act(self, x: tf.Tensor) -> tf.Tensor:
    """See the function `act`."""
    return act(self, x)

  def after(self, first: Element) -> Element:
    """The product g h of this element g and `first` h: see `compose`."""
    return compose(self, first)


def pick(group: Group, number: tf.Tensor, dtype: tf.DType) -> Element:
  """The element of that number, int32 []; or the elements of those numbers, [b]."""
  inverse = group.inverse()
  tables = (group.index, group.sign, inverse.index, inverse.sign)
  index, sign, inverse_index, inverse_sign = (tf.gather(table, number) for table in tables)
  return Element(index, tf.cast(sign, dtype), inverse_index, tf.cast(inverse_sign, dtype))


def compose(g: Element, h: Element) -> Element:
  """The product g h, (g h) x = g (h x), point by point where one of them is per point."""
  index, sign = _permuted(h.index, g.index), g.sign * _permuted(h.sign, g.index)
  g, h = h.inverse(), g.inverse()
  return Element(index, sign, _permuted(h.index, g.index), g.sign * _permuted(h.sign, g.index))


def act(element: Element, x: tf.Tensor) -> tf.Tensor:
  """(g x)_i = sign_i x_index_i, shape [..., N] -> [..., N]; [b, N] where g is one per point."""
  return _permuted(x, element.index) * element.sign


def _permuted(x: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
  """x_index along the last axis; `index` [N] for all rows of x, or [b, N], one for each."""
  if index.shape.rank == 1:
    return tf.gather(x, index, axis=-1)
  x = tf.broadcast_to(x, tf.shape(index)) if x.shape.rank == 1 else x
  return tf.gather(x, index, axis=-1, batch_dims=1)
