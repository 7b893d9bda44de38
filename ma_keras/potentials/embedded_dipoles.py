"""A many-body potential of the angles between neighbours, with a Laplacian in closed form."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from ma_keras.potentials.embedded_atoms import EmbeddedAtoms
from ma_keras.potentials.radial import RadialJet, mixed
from ma_keras.potentials.time_basis import Basis


class Dipoles(NamedTuple):
  """Dipoles of all particles at points x [B, n D], and what their derivatives take.

  Attributes:
    components: d = x_i - x_(i+k), D parts of [K, n, B].
    squared: |d|^2, [K, n, B].
    radial: s_h of every pair, [H, K, n, B].
    vectors: v, D parts of [H, n, B].
    slope: act'(y), [H, n, B].
    curvature: act''(y).
  """

  components: list[tf.Tensor]
  squared: tf.Tensor
  radial: RadialJet
  vectors: list[tf.Tensor]
  slope: tf.Tensor
  curvature: tf.Tensor


class EmbeddedDipoles(EmbeddedAtoms):
  """phi(t, x) = sum_i sum_h a_h(t) act(y_ih), y_ih = b_h + |v_ih|^2, with dipoles v of neighbours.

  v_ih = sum_{j != i} s_h(|x_i - x_j|) (x_i - x_j), s_h = sum_m C_mh B_m: |v|^2 sums over pairs of
  neighbours of i with the cosine of their angle at i, where `EmbeddedAtoms` knows distances alone.
  It is small where neighbours stand all around, and large at a surface. With d = x_i - x_j, the
  symmetric M_ij = s I + (s'/r) d d', which is dv_i/dx_j but for its sign, and T_i = sum_j M_ij

    grad_i    = 2 sum_j sum_h M_ij (p_i - p_j),                                   p = a act'(y) v,
    laplacian = sum_i sum_h [2 a act'(y) (sum_j |M_ij|^2 + |T_i|^2 + 2 v_i . sum_j lap(s d))
                             + 4 a act''(y) (sum_j |M_ij v_i|^2 + |T_i v_i|^2)],

  lap(s d) = (s'' + (D + 1) s'/r) d, at O(n^2 H D^2). The symmetries are those of `EmbeddedAtoms`,
  whose attributes these are, without a background.
  """

  self_contained = True

  def __init__(
    self,
    particles: int,
    dimensions: int,
    hidden_units: int = 16,
    shells: int = 16,
    reach: float = 4.0,
    softening: float = 0.1,
    activation: str = 'tanh',
    time_basis: Basis | None = None,
    dtype: tf.DType = tf.float32,
    seed: int | None = None,
    name: str | None = None,
    species: Sequence[int] | None = None,
    box: Sequence[float] | None = None,
    layer_basis: Basis | None = None,
  ) -> None:
    """Draws C ~ Normal(0, 1/M), b ~ Normal(0, 1), a ~ Normal(0, 0.01/H): a gentle flow.

    Args:
      particles: n.
      dimensions: D.
      hidden_units: H.
      shells: M.
      reach: Distance up to which particles act on one another.
      softening: eps of the smooth radius sqrt(r^2 + eps^2).
      activation: One of `activations.JETS`.
      time_basis: Makes the amplitudes functions of time; they start constant.
      dtype: Floating dtype of the variables.
      seed: Integer that makes the initial values reproducible; None draws fresh ones.
      name: Module name.
      species: Kind of every particle, 0, 1, ...; None where all are alike.
      box: Lengths of a periodic box, [D]; `reach` is at most half the shortest.
      layer_basis: Makes C and b functions of time; they start constant.

    Raises:
      ValueError: A number is out of range, or the activation is unknown.
    """
    super().__init__(
      *(particles, dimensions, hidden_units, shells, reach, softening, activation),
      time_basis=time_basis,
      dtype=dtype,
      seed=seed,
      name=name,
      species=species,
      box=box,
      layer_basis=layer_basis,
    )

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    config = super().config()
    del config['background']
    return config

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(t, x), shape [...]."""
    layer, differences = self._layer_at(t), self.pairing.differences(x)
    shells = self.shells.values(tf.reduce_sum(tf.square(differences), axis=0))
    radial = mixed(layer.mixing, self.pairing.by_kind(shells))
    act, _, _ = layer._units(self._vectors(radial, tf.unstack(differences)))
    return tf.reshape(tf.reduce_sum(self._amplitude(t) * act, axis=[0, 1]), tf.shape(x)[:-1])

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    dipoles, amplitude = self._layer_at(t)._dipoles(x), self._amplitude(t)
    first, second = amplitude * dipoles.slope, amplitude * dipoles.curvature
    shape = tf.shape(x)
    gradient = self.pairing.events(self._force(dipoles, first), shape)
    laplacian = self._laplacian_terms(dipoles, first, second)
    return gradient, tf.reshape(laplacian, shape[:-1])

  def _time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return super()._time_derivative(t, x)  # Linear in a(t), too.

  def _dipoles(self, x: tf.Tensor) -> Dipoles:
    differences = self.pairing.differences(x)
    squared = tf.reduce_sum(tf.square(differences), axis=0)
    jet = self.shells.jet(squared, self.pairing.dimensions)
    radial = RadialJet(*(mixed(self.mixing, self.pairing.by_kind(part)) for part in jet))
    components = tf.unstack(differences)
    vectors = self._vectors(radial.value, components)
    _, slope, curvature = self._units(vectors)
    return Dipoles(components, squared, radial, vectors, slope, curvature)

  def _vectors(self, radial: tf.Tensor, components: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """sum_j f(|d|) d for every particle, D parts of [H, n, B], of f at all pairs [H, K, n, B]."""
    return self._over_neighbours([radial * part for part in components], sign=-1.0)

  def _over_neighbours(self, parts: Sequence[tf.Tensor], sign: float) -> list[tf.Tensor]:
    """Sums over neighbours of several functions of the pairs, [H, K, n, B], in one go."""
    total = self.pairing.over_neighbours(tf.concat(parts, axis=0), sign)
    return tf.split(total, len(parts))

  def _partners(self, parts: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Values [H, n, B] of the partner in every pair, [H, K, n, B]."""
    return tf.split(self.pairing.partners(tf.concat(parts, axis=0)), len(parts))

  def _units(self, vectors: Sequence[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """act, act' and act'' of y, [H, n, B]."""
    return self._jet(self._of_units(self.bias) + _dot(vectors, vectors))

  def _force(self, dipoles: Dipoles, first: tf.Tensor) -> tf.Tensor:
    """The gradient by every particle, [D, n, B]."""
    pull = [first * part for part in dipoles.vectors]
    apart = [own[:, tf.newaxis] - other for own, other in zip(pull, self._partners(pull))]
    radial, components = dipoles.radial, dipoles.components
    along = tf.reduce_sum(radial.slope * _dot(components, apart), axis=0)
    force = [
      tf.reduce_sum(radial.value * part, axis=0) + along * component
      for part, component in zip(apart, components)
    ]
    return 2.0 * self.pairing.over_neighbours(tf.stack(force), sign=-1.0)

  def _laplacian_terms(self, dipoles: Dipoles, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """The Laplacian, [B], of a act'(y) and a act''(y), [H, n, B]."""
    pairing, vectors = self.pairing, dipoles.vectors
    radial, components, squared = dipoles.radial, dipoles.components, dipoles.squared
    across = tf.square(radial.value)
    # M^2 = s^2 + stretch d d'.
    stretch = 2.0 * radial.value * radial.slope + tf.square(radial.slope) * squared
    *partners, second_of_partner = self._partners([*vectors, second])
    along = [_dot(components, [part[:, tf.newaxis] for part in vectors])]
    along.append(_dot(components, partners))
    of_pairs = 2.0 * (pairing.dimensions * across + stretch * squared) * pairing.of_both(first)
    of_pairs += 4.0 * across * pairing.of_both(second * _dot(vectors, vectors))
    seconds = (second[:, tf.newaxis], second_of_partner)
    of_pairs += 4.0 * stretch * _dot(seconds, [tf.square(part) for part in along])
    bends = self._vectors(radial.laplacian + 2.0 * radial.slope, components)
    total, turned = self._own_matrices(dipoles)
    of_particles = first * (2.0 * total + 4.0 * _dot(vectors, bends))
    of_particles += 4.0 * second * _dot(turned, turned)
    pairs = pairing.over_pairs(tf.reduce_sum(of_pairs, axis=0))
    return pairs + tf.reduce_sum(of_particles, axis=[0, 1])

  def _own_matrices(self, dipoles: Dipoles) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """|T_i|^2, [H, n, B], and T_i v_i, D parts of [H, n, B]."""
    components, radial = dipoles.components, dipoles.radial
    size = range(self.pairing.dimensions)
    places = list(itertools.combinations_with_replacement(size, 2))
    parts = [radial.slope * (components[i] * components[j]) for i, j in places]
    trace, *parts = self._over_neighbours([radial.value, *parts], sign=1.0)
    matrix = {}
    for (i, j), part in zip(places, parts):
      matrix[i, j] = matrix[j, i] = part + trace if i == j else part
    turned = [_dot([matrix[i, j] for j in size], dipoles.vectors) for i in size]
    return sum(tf.square(matrix[i, j]) for i in size for j in size), turned


def _dot(one: Sequence[tf.Tensor], other: Sequence[tf.Tensor]) -> tf.Tensor:
  """sum_c u_c v_c of vectors by their components."""
  return sum(u * v for u, v in zip(one, other))
