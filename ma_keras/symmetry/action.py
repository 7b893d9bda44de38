"""Single group elements, and their action on points."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from ma_keras.symmetry.group import Group


class Element(NamedTuple):
  """g and its inverse, as signed permutations; a row of the tables of a `Group`.

  Attributes:
    index: (g x)_i = sign_i x_index_i; int32 [N].
    sign: [N].
    inverse_index: The same for g^-1; int32 [N].
    inverse_sign: [N].
  """

  index: tf.Tensor
  sign: tf.Tensor
  inverse_index: tf.Tensor
  inverse_sign: tf.Tensor

  def inverse(self) -> Element:
    """g^-1."""
    return Element(self.inverse_index, self.inverse_sign, self.index, self.sign)


def pick(group: Group, number: tf.Tensor, dtype: tf.DType) -> Element:
  """The element of that number, int32 []."""
  inverse = group.inverse()
  tables = (group.index, group.sign, inverse.index, inverse.sign)
  index, sign, inverse_index, inverse_sign = (tf.gather(table, number) for table in tables)
  return Element(index, tf.cast(sign, dtype), inverse_index, tf.cast(inverse_sign, dtype))


def compose(g: Element, h: Element) -> Element:
  """The product g h, (g h) x = g (h x)."""
  index, sign = tf.gather(h.index, g.index), g.sign * tf.gather(h.sign, g.index)
  g, h = h.inverse(), g.inverse()
  return Element(index, sign, tf.gather(h.index, g.index), g.sign * tf.gather(h.sign, g.index))


def act(element: Element, x: tf.Tensor) -> tf.Tensor:
  """(g x)_i = sign_i x_index_i, shape [..., N] -> [..., N]."""
  return tf.gather(x, element.index, axis=-1) * element.sign
