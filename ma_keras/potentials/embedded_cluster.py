"""A potential of the shape of a whole cluster of particles, with a Laplacian in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from ma_keras import seeds
from ma_keras.arguments import is_whole
from ma_keras.potentials.embedded_atoms import Atoms, EmbeddedAtoms
from ma_keras.potentials.radial import mixed
from ma_keras.potentials.time_basis import Basis, amplitudes, starting


class EmbeddedCluster(EmbeddedAtoms):
  """phi(t, x) = sum_i sum_h a_h(t) act(z_ih) + sum_g A_g(t) act(y_g), y_g = c_g + sum_h V_hg S_h.

  A second layer on the hidden layer z of `EmbeddedAtoms`: S_h = sum_i act(z_ih) is summed over the
  particles, so that units y see the shape of the cluster as a whole, as in deep sets (Zaheer et al.
  2017), with all the symmetries of z. With the weights w_h = a_h + sum_g A_g act'(y_g) V_hg

    gradient  = sum_i sum_h w_h grad act(z_ih),
    laplacian = sum_i sum_h w_h lap act(z_ih) + sum_g A_g act''(y_g) |sum_h V_hg grad S_h|^2,

  so that the second layer costs one sum over neighbours, at O(n^2 H), and products at O(n H G).

  Attributes:
    cluster_mixing: V, variable [H, G]; with a layer basis its coefficients, [K, H, G].
    cluster_bias: c, variable [G], or [K, G].
    cluster_amplitude: A, variable [G]; with a time basis its coefficients, [K, G].
  """

  self_contained = True

  def __init__(
    self,
    particles: int,
    dimensions: int,
    hidden_units: int = 32,
    cluster_units: int = 32,
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
    """Draws V ~ Normal(0, 1/(n H)), c ~ Normal(0, 1), A ~ Normal(0, 0.01/G), beside those of atoms.

    Args:
      particles: n.
      dimensions: D.
      hidden_units: H.
      cluster_units: G.
      shells: M, and the further arguments as in `EmbeddedAtoms`.
      reach: Distance up to which particles act on one another.
      softening: eps of the smooth radius.
      activation: One of `activations.JETS`, of both layers.
      time_basis: Makes both amplitudes functions of time; they start constant.
      dtype: Floating dtype of the variables.
      seed: Integer that makes the initial values reproducible; None draws fresh ones.
      name: Module name.
      background: Whether all pairs of the cluster act on every particle.
      species: Kind of every particle; None where all are alike.
      box: Lengths of a periodic box, [D].
      layer_basis: Makes both layers functions of time; they start constant.

    Raises:
      ValueError: A number is out of range, or the activation is unknown.
    """
    seed = seeds.fresh() if seed is None else seed
    super().__init__(
      *(particles, dimensions, hidden_units, shells, reach, softening, activation),
      time_basis=time_basis,
      dtype=dtype,
      seed=seed,
      name=name,
      background=background,
      species=species,
      box=box,
      layer_basis=layer_basis,
    )
    if not is_whole(cluster_units):
      raise ValueError(f'`cluster_units` must be a positive integer, got {cluster_units!r}.')
    cluster_units = int(cluster_units)
    key = seeds.stateless(seed, salt='embedded_cluster')
    first, second, third = seeds.split(key, 3, salt='variables')
    normal = tf.random.stateless_normal
    mixing = normal([self._hidden_units, cluster_units], first, dtype=dtype)
    scale = (self._hidden_units * particles) ** -0.5
    self.cluster_mixing = tf.Variable(starting(layer_basis, scale * mixing), name='cluster_mixing')
    bias = normal([cluster_units], second, dtype=dtype)
    self.cluster_bias = tf.Variable(starting(layer_basis, bias), name='cluster_bias')
    amplitude = 0.1 * cluster_units**-0.5 * normal([cluster_units], third, dtype=dtype)
    self.cluster_amplitude = tf.Variable(
      starting(self.time_basis, amplitude), name='cluster_amplitude'
    )

  def config(self) -> dict[str, Any]:
    """See `Potential`."""
    return {**super().config(), 'cluster_units': self.cluster_bias.shape[-1]}

  def __call__(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """phi(t, x), shape [...]."""
    layer = self._layer_at(t)
    value = layer._atoms(x).value
    of_atoms = tf.reduce_sum(self._amplitude(t) * value, axis=[0, 1])
    of_cluster = tf.reduce_sum(self._amplitude_of_cluster(t) * layer._shape(value)[0], axis=0)
    return tf.reshape(of_atoms + of_cluster, tf.shape(x)[:-1])

  def _gradient_and_laplacian(self, t: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    layer, amplitude = self._layer_at(t), self._amplitude_of_cluster(t)
    atoms = layer._atoms(x)
    _, slope, curvature = layer._shape(atoms.value)
    worth = mixed(tf.transpose(layer.cluster_mixing), amplitude * slope)
    gradient, laplacian = layer._weighted(atoms, self._amplitude(t) + worth[:, tf.newaxis], x)
    bends = tf.reduce_sum(amplitude * curvature * layer._squared_shape_gradients(atoms), axis=0)
    return gradient, laplacian + tf.reshape(bends, tf.shape(laplacian))

  def _layer(self) -> dict[str, tf.Variable]:
    """Variables of both layers by attribute."""
    cluster = {'cluster_mixing': self.cluster_mixing, 'cluster_bias': self.cluster_bias}
    return {**super()._layer(), **cluster}

  def _time_derivative(self, t: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return super()._time_derivative(t, x)  # Linear in A(t), too.

  def _shape(self, value: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """act, act' and act'' of y, [G, B], from act(z) [H, n, B]."""
    return self._jet(
      self.cluster_bias[:, tf.newaxis] + mixed(self.cluster_mixing, tf.reduce_sum(value, axis=1))
    )

  def _squared_shape_gradients(self, atoms: Atoms) -> tf.Tensor:
    """sum_k |grad_k y_g|^2 over the particles, [G, B].

    grad_k S_h = sum_j (act'(z_k) + act'(z_j)) grad_k s_h(r_kj), and sum_i act'(z_i) times that of
    the background.
    """
    pairs = mixed(self.mixing, atoms.shells.slope) * self.pairing.of_both(atoms.slope)
    everywhere = tf.reduce_sum(atoms.slope, axis=1, keepdims=True)
    total = tf.zeros([], atoms.slope.dtype)
    for part in tf.unstack(atoms.differences):
      gradient = self.pairing.over_neighbours(pairs * part, sign=-1.0)
      if self.background is not None:
        along = self.pairing.over_neighbours(atoms.shells.slope * part, sign=-1.0)
        gradient += mixed(self.background, along) * everywhere
      total += tf.reduce_sum(tf.square(mixed(self.cluster_mixing, gradient)), axis=1)
    return total

  def _amplitude_of_cluster(self, t: tf.Tensor) -> tf.Tensor:
    """A(t), [G, 1]."""
    coefficients = tf.convert_to_tensor(self.cluster_amplitude)
    return amplitudes(self.time_basis, coefficients, t)[:, tf.newaxis]
