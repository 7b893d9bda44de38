"""The distance of a potential from invariance, measured by random elements of a group."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from ma_keras import seeds
from ma_keras.arguments import is_whole
from ma_keras.potentials.base import Potential
from ma_keras.symmetry.average import check_sizes
from ma_keras.symmetry.group import Group
from ma_keras.symmetry.one_element import Rotated, draw
from ma_keras.symmetry.particles import ParticleSymmetries


class Defect(NamedTuple):
  """Spread over g of phi(g x) and of its derivatives; zero, to rounding, where phi is invariant.

  Attributes:
    value: Standard deviation of phi(g x), shape [...].
    gradient: The same of the vectors g' grad phi(g x): root of their mean square distance from
      their mean, [...].
    laplacian: Standard deviation of laplacian phi(g x), [...].
  """

  value: tf.Tensor
  gradient: tf.Tensor
  laplacian: tf.Tensor


def defect(
  potential: Potential,
  group: Group | ParticleSymmetries,
  t: tf.Tensor,
  x: tf.Tensor,
  draws: int = 16,
  seed: seeds.Seed = 0,
) -> Defect:
  """How far phi(t, .) is from invariant under the group, at points x.

  Each is in the units of phi or of its derivative: compare that of the gradient with the gradient.

  Args:
    potential: phi, of any class: averages over a `RotationQuadrature`, above all.
    group: The group, of which elements are drawn: `ParticleSymmetries(n, D)`, say.
    t: Time, [].
    x: Points [..., N], such as samples of the flow.
    draws: Number of random elements, two at least.
    seed: Of the draws.

  Raises:
    ValueError: The sizes differ, or `draws` is below two.
  """
  check_sizes(potential, group, (Group, ParticleSymmetries))
  if not is_whole(draws, least=2):
    raise ValueError(f'`draws` must be a whole number from 2 on, got {draws!r}.')
  t, x = potential._checked(t, x)
  elements = [draw(group, key, x.dtype) for key in seeds.split(seed, int(draws), salt='defect')]
  turned = [Rotated(potential, element) for element in elements]
  gradients, laplacians = zip(*[phi.gradient_and_laplacian(t, x) for phi in turned])
  variance = tf.math.reduce_variance(tf.stack(gradients), axis=0)
  return Defect(
    value=tf.math.reduce_std(tf.stack([phi(t, x) for phi in turned]), axis=0),
    gradient=tf.sqrt(tf.reduce_sum(variance, axis=-1)),
    laplacian=tf.math.reduce_std(tf.stack(laplacians), axis=0),
  )
