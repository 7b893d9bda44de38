"""A many-body potential of particles, with a Laplacian in closed form."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from ma_keras import seeds
from ma_keras.arguments import is_whole
from ma_keras.particles import Pairing
from ma_keras.potentials import activations
from ma_keras.potentials.base import Potential
from ma_keras.potentials.radial import GaussianShells, RadialJet, mixed
from ma_keras.potentials.time_basis import (
  Basis,
  amplitudes,
  starting,
  tabulated,
  time_derivative,
)


class Atoms(NamedTuple):
  """The hidden layer of all particles at points x [B, n D], and what its derivatives take.

  Attributes:
    differences: x_i - x_(i+k), [D, K, n, B].
    squared: |x_i - x_(i+k)|^2, [K, n, B].
    shells: Shells of every pair, [P M, K, n, B].
    value: act(z), [H, n, B].
    slope: act'(z).
    curvature: act''(z).
  """

  differences: tf.Tensor
  squared: tf.Tensor
  shells: RadialJet
  value: tf.Tensor
  slope: tf.Tensor
  curvature: tf.Tensor


class EmbeddedAtoms(Potential):
  """phi(t, x) = sum_i sum_h a_h(t) act(z_ih), z_ih = b_h + sum_{j != i} s_h(|x_i - x_j|).

  Every particle feels how densely its neighbours stand, as in the embedded-atom method of metals
  (Daw & Baskes 1984); s_h = sum_m C_mh B_m, B_m Gaussian shells. Invariant under permutations,
  rotations, reflections and translations. With v_ih = sum_j grad_i s_h and q_ih = a_h act''(z_ih)

    laplacian = sum_i sum_h [2 a_h act'(z_ih) sum_j lap s_h + q_ih (|v_ih|^2 + sum_j |grad s_h|^2)],

  at O(n^2 M H), where gradient tapes take N times as long as the gradient. With a background every
  z_ih has sum_{j<k} e_h(|x_j - x_k|) added, of all pairs in the cluster: a particle then feels its
  neighbours differently in one shape of the whole than in another, still at O(n^2). With several
  species s_h depends on the kinds of both particles, a and b on that of particle i; in a periodic
  box distances are those of the nearest images. With a layer basis C, e and b vary in time as well,
  sum_k T_k(t) C_k, at hardly any cost per step: neighbourhoods may be coarse first and sharp last.

  Attributes:
    pairing: n and D, species and box.
    shells: B.
    mixing: C, variable [P M, H] for P kinds of pairs; with a layer basis its coefficients, [K, P M,
      H].
    background: Coefficients of e in the shells, shaped as C; None without a background.
    bias: b, variable [S H] for S species, or [K, S H].
    amplitude: a, variable [S H]; with a time basis its coefficients, [K, S H].
    time_basis: How the amplitudes vary in time, or None.
    layer_basis: Functions of time of C, e and b; None where the hidden layer is constant.
  """

  self_contained = True

  def __init__(
    self,
    particles: int,
    dimensions: int,
    hidden_units: int = 32,
    shells: int = 24,
    reach: float = 4.0,
    softening: float = 0.1,
    activation: str = 'tanh',
    time_basis: Basis | None = None,
    dtype: tf.DType = tf.float32,
    seed: int | None = None,
    name: str | None = None,
    background: bool = False,
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
      background: Whether all pairs of the cluster act on every particle.
      species: Kind of every particle, 0, 1, ...; None where all are alike.
      box: Lengths of a periodic box, [D]; `reach` is at most half the shortest.
      layer_basis: Makes the hidden layer a function of time; it starts constant.

    Raises:
      ValueError: A number is out of range, or the activation is unknown.
    """
    pairing = Pairing.of(particles, dimensions, species, box)
    super().__init__(pairing.event_size, name)
    if not is_whole(hidden_units):
      raise ValueError(f'`hidden_units` must be a positive integer, got {hidden_units!r}.')
    self.pairing = pairing
    self.activation, self._jet = activation, activations.get_jet(activation)
    self.shells = GaussianShells(shells, reach, softening, dtype, cutoff=pairing.cutoff)
    hidden_units, shells = int(hidden_units), int(shells)  # 4.0 is whole, and no size of a tensor.
    self.time_basis, self.layer_basis = time_basis, layer_basis
    key = seeds.stateless(seeds.fresh() if seed is None else seed, salt='embedded_atoms')
    first, second, third = seeds.split(key, 3, salt='variables')
    fourth = seeds.stateless(key, salt='background')
    normal = tf.random.stateless_normal
    self._hidden_units = hidden_units
    shape = [pairing.num_pair_kinds * shells, hidden_units]
    units = (1 + max(pairing.species or (0,))) * hidden_units
    mixing = shells**-0.5 * normal(shape, first, dtype=dtype)
    self.mixing = tf.Variable(starting(layer_basis, mixing), name='mixing')
    self.background: tf.Variable | None = None
    if background:
      draws = shells**-0.5 * normal(shape, fourth, dtype=dtype)
      # There are n/2 times as many pairs as neighbours.
      coefficients = starting(layer_basis, 2.0 / particles * draws)
      self.background = tf.Variable(coefficients, name='background')
    bias = normal([units], second, dtype=dtype)
    self.bias = tf.Variable(starting(layer_basis, bias), name='bias')
    amplitude = 0.1 * hidden_units**-0.5 * normal([units], third, dtype=dtype)
    self.amplitude = tf.Variable(starting(time_basis, amplitude), name='amplitude')

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    shells = self.shells.config()
    return {
      'particles': self.pairing.particles,
      'dimensions': self.pairing.dimensions,
      'hidden_units': self._hidden_units,
      'shells': shells['number'],
      'reach': shells['reach'],
      'softening': shells['softening'],
      'activation': self.activation,
      'time_basis': self.time_basis,
      'background': self.background is not None,
      'species': self.pairing.species and list(self.pairing.species),
      'box': self.pairing.box and list(self.pairing.box),
      'layer_basis': self.layer_basis,
    }

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(t, x), shape [...]."""
    shells = self.shells.values(self.pairing.squared_distances(x))
    act, _, _ = self._jet(self._layer_at(t)._hidden(self.pairing.by_kind(shells)))
    return tf.reshape(tf.reduce_sum(self._amplitude(t) * act, axis=[0, 1]), tf.shape(x)[:-1])

  def prepared(self, times: tf.Tensor | None = None) -> EmbeddedAtoms:
    """Returns the potential with functions of time computed once."""
    dtype = self.amplitude.dtype
    return self._twin(
      time_basis=tabulated(self.time_basis, times, dtype),
      layer_basis=tabulated(self.layer_basis, times, dtype),
    )

  def _gradient(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return self._gradient_and_laplacian(t, x)[0]

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    layer = self._layer_at(t)
    return layer._weighted(layer._atoms(x), self._amplitude(t), x)

  def _layer_at(self, t: tf.Tensor) -> EmbeddedAtoms:
    """The potential whose hidden layer is at all times what it is at t, [], of this one."""
    basis = self.layer_basis
    if basis is None:
      return self
    layer = {
      name: amplitudes(basis, tf.convert_to_tensor(variable), t)
      for name, variable in self._layer().items()
    }
    return self._twin(layer_basis=None, **layer)

  def _layer(self) -> dict[str, tf.Variable]:
    """Variables of the hidden layer by attribute."""
    layer = {'mixing': self.mixing, 'bias': self.bias}
    return layer if self.background is None else {**layer, 'background': self.background}

  def _atoms(self, x: tf.Tensor) -> Atoms:
    differences = self.pairing.differences(x)
    squared = tf.reduce_sum(tf.square(differences), axis=0)
    jet = self.shells.jet(squared, self.pairing.dimensions)
    shells = RadialJet(*map(self.pairing.by_kind, jet))
    return Atoms(differences, squared, shells, *self._jet(self._hidden(shells.value)))

  def _weighted(
    self, atoms: Atoms, weights: tf.Tensor, x: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor]:
    """Gradient [..., N] and Laplacian [...] of sum_i sum_h w_ih act(z_ih), as if w were constant.

    Args:
      atoms: At x.
      weights: w, [H, n, B], or of any shape that broadcasts to it.
      x: Points, [..., N].
    """
    of_both = self.pairing.of_both(self._worth(weights * atoms.slope))
    force = tf.reduce_sum(of_both * atoms.shells.slope, axis=0) * atoms.differences
    gradient = self.pairing.over_neighbours(force, sign=-1.0)
    bends = tf.reduce_sum(of_both * atoms.shells.laplacian, axis=0)
    laplacian = 2.0 * self.pairing.over_pairs(bends)
    laplacian += self._squared_gradients(
      weights * atoms.curvature, atoms.shells.slope, atoms.differences, atoms.squared
    )
    shape = tf.shape(x)
    return self.pairing.events(gradient, shape), tf.reshape(laplacian, shape[:-1])

  def _worth(self, first: tf.Tensor) -> tf.Tensor:
    """d phi/dB of a pair as the sum of two parts, one of each particle: [H, n, B] -> [M, n, B].

    So much cheaper than s_h of all pairs.
    """
    worth = mixed(tf.transpose(self.mixing), first)
    if self.background is None:
      return worth
    total = tf.reduce_sum(first, axis=1, keepdims=True)
    return worth + 0.5 * mixed(tf.transpose(self.background), total)

  def _squared_gradients(
    self, second: tf.Tensor, slope: tf.Tensor, differences: tf.Tensor, squared: tf.Tensor
  ) -> tf.Tensor:
    """sum_i sum_h q_ih |grad z_ih|^2, [B]: by the particle itself, and by its neighbours."""
    components = tf.unstack(differences)
    along = [self.pairing.over_neighbours(slope * part, sign=-1.0) for part in components]
    own = [mixed(self.mixing, part) for part in along]
    of_pairs = mixed(self.mixing, slope)
    by_neighbours = tf.square(of_pairs) * self.pairing.of_both(second)
    total = self.pairing.over_pairs(tf.reduce_sum(by_neighbours, axis=0) * squared)
    total += tf.reduce_sum(second * _squares(own), axis=[0, 1])
    if self.background is None:
      return total
    common = [mixed(self.background, part) for part in along]
    return total + self._with_background(second, of_pairs, components, own, common)

  def _with_background(
    self,
    second: tf.Tensor,
    of_pairs: tf.Tensor,
    components: Sequence[tf.Tensor],
    own: Sequence[tf.Tensor],
    common: Sequence[tf.Tensor],
  ) -> tf.Tensor:
    """Background's part of sum_i sum_h q_ih sum_k |grad_k z_ih|^2, [B].

    With w_k the gradient of the background by particle k, d = x_i - x_k and s' = ds/dr / r, grad_k
    z_i is v_i + w_i for k = i, and w_k - s'_ik d else: what is new are |w_k|^2, 2 v_i.w_i and
    -2 s'_ik d.w_k.
    """
    products = sum(2.0 * first * other for first, other in zip(own, common))
    by_itself = tf.reduce_sum(second * products, axis=[0, 1])
    everywhere = tf.reduce_sum(second, axis=1) * tf.reduce_sum(_squares(common), axis=1)
    partners = self.pairing.partners
    here = sum(part[:, tf.newaxis] * d for part, d in zip(common, components))
    beyond = sum(partners(part) * d for part, d in zip(common, components))
    across = of_pairs * (partners(second) * here - second[:, tf.newaxis] * beyond)
    pairs = 2.0 * self.pairing.over_pairs(tf.reduce_sum(across, axis=0))
    return by_itself + tf.reduce_sum(everywhere, axis=0) + pairs

  def _hidden(self, shells: tf.Tensor) -> tf.Tensor:
    """z [H, n, B] of the shells of every pair, [M, K, n, B]."""
    z = self._of_units(self.bias) + mixed(self.mixing, self.pairing.over_neighbours(shells))
    if self.background is None:
      return z
    return z + mixed(self.background, self.pairing.over_pairs(shells))[:, tf.newaxis]

  def _time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    if self.layer_basis is not None:
      return super()._time_derivative(t, x)
    return time_derivative(self, t, x)

  def _amplitude(self, t: tf.Tensor) -> tf.Tensor:
    """a(t), [H, 1, 1], or particle by particle, [H, n, 1]."""
    return self._of_units(amplitudes(self.time_basis, tf.convert_to_tensor(self.amplitude), t))

  def _of_units(self, values: tf.Tensor) -> tf.Tensor:
    """Values [S H] of the units of every species, [H, 1, 1], or particle by particle, [H, n, 1]."""
    return self.pairing.by_particle(tf.reshape(values, [-1, self._hidden_units]))


def _squares(components: Sequence[tf.Tensor]) -> tf.Tensor:
  """|v|^2 of vectors by their components."""
  return functools.reduce(tf.add, [tf.square(part) for part in components])
