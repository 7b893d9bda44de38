"""Groups, potentials without any symmetry, and points of a small lattice."""

import numpy as np
import tensorflow as tf

from ma_keras.potentials import OneHiddenLayer
from ma_keras.symmetry import dihedral, inversion, square_lattice, translations

SIDE = 3
EVENT_SIZE = SIDE * SIDE
GROUPS = {
  'inversion': lambda: inversion(EVENT_SIZE),
  'translations': lambda: translations(SIDE),
  'dihedral': lambda: dihedral(SIDE),
  'square lattice': lambda: square_lattice(SIDE),
  'dihedral and inversion': lambda: dihedral(SIDE) * inversion(EVENT_SIZE),
}


def points(*leading, seed=1, dtype=tf.float64):
  return tf.constant(np.random.default_rng(seed).normal(size=(*leading, EVENT_SIZE)), dtype)


def layer(dtype=tf.float64, seed=0):
  """A potential that no group element leaves alone."""
  rng = np.random.default_rng(seed)
  potential = OneHiddenLayer(EVENT_SIZE, 4, dtype=dtype, seed=seed)
  potential.bias.assign(rng.normal(size=4))
  potential.amplitude.assign(0.5 * rng.normal(size=4))
  return potential


def matrices(group):
  """Dense orthogonal matrices M_g with g x = M_g x, written out: [G, N, N]."""
  dense = np.zeros([group.order, group.size, group.size])
  for g in range(group.order):
    for i in range(group.size):
      dense[g, i, group.index[g, i]] = group.sign[g, i]
  return dense


def dense_act(element, x):
  """g x as the product with a dense matrix, whose derivative is its transpose."""
  matrix = tf.one_hot(element.index, EVENT_SIZE, dtype=x.dtype) * element.sign[:, tf.newaxis]
  return tf.reshape(tf.reshape(x, [-1, EVENT_SIZE]) @ tf.transpose(matrix), tf.shape(x))
