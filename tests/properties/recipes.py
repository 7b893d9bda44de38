"""Every class of potential, with sizes, activations and bases of time drawn at random.

A recipe is a function dtype -> potential, so that one may have a twin in another precision.
"""

import keras
import numpy as np
import tf_keras
from hypothesis import strategies as st

from ma_keras.potentials import (
  MLP,
  DeepLattice,
  DeepLocallyConnected,
  EmbeddedAtoms,
  EmbeddedCluster,
  EmbeddedDipoles,
  ExchangeableSet,
  HyperNetwork,
  KerasModel,
  Lattice,
  LocallyConnected,
  Magnetisation,
  OneHiddenLayer,
  Pairs,
  ParameterODE,
  Projected,
  Quadratic,
  Separable,
  SpectralQuadratic,
  SpinLattice,
  Sum,
  TimeBasis,
)
from ma_keras.potentials.activations import ACTIVATIONS, JETS
from tests.potentials import cases
from tests.properties import strategies

TIME = 1.5
UNITS = st.integers(1, 4)
SHALLOW = st.sampled_from(sorted(ACTIVATIONS))
# Not exp, which overflows wherever a test of any magnitude goes.
DEEP = st.sampled_from(sorted(set(JETS) - {'exponential'}))


@st.composite
def bases(draw):
  """dtype -> None, polynomials, a network of time, or a solution."""
  kinds = ['constant', 'series', 'network', 'equation']
  kind, size = draw(st.sampled_from(kinds)), draw(st.integers(2, 3))
  if kind == 'network':
    return lambda dtype: HyperNetwork(TIME, size, 3, dtype, seed=0)
  if kind == 'equation':
    return lambda dtype: ParameterODE(TIME, size, 3, dtype, seed=0)
  return lambda dtype: TimeBasis(TIME, size) if kind == 'series' else None


@st.composite
def dense(draw, size=None):
  n, units = size or draw(st.integers(1, 5)), draw(UNITS)
  activation, use_bias, basis = draw(SHALLOW), draw(st.booleans()), draw(bases())
  return lambda dtype: OneHiddenLayer(
    n, units, activation, use_bias, dtype, seed=0, time_basis=basis(dtype)
  )


@st.composite
def separable(draw, size=None):
  n, units = size or draw(st.integers(1, 5)), draw(UNITS)
  activation, basis = draw(SHALLOW), draw(bases())
  return lambda dtype: Separable(n, units, activation, basis(dtype), dtype, seed=0)


@st.composite
def local(draw, blocks=None):
  """Images of a x b blocks of s x s pixels, and patches of k x k blocks."""
  stride = 1 if blocks else draw(st.integers(1, 2))
  a, b = blocks or (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
  patch = stride * draw(st.integers(1, min(a, b)))
  image = (stride * a, stride * b, 1 if blocks else draw(st.integers(1, 2)))
  units, shared = draw(UNITS), draw(st.booleans())
  activation, basis = draw(SHALLOW), draw(bases())
  return lambda dtype: LocallyConnected(
    image, patch, stride, units, shared, activation, basis(dtype), dtype, seed=0
  )


@st.composite
def deep_local(draw):
  """Two layers on images of a x b pixels, of one channel or two."""
  a, b = draw(st.integers(1, 3)), draw(st.integers(1, 3))
  patch = draw(st.integers(1, min(a, b)))
  reach = draw(st.integers(1, min(a, b) - patch + 1))
  image, first, second = (a, b, draw(st.integers(1, 2))), draw(UNITS), draw(UNITS)
  activation, basis = draw(SHALLOW), draw(bases())
  return lambda dtype: DeepLocallyConnected(
    image, patch, 1, first, second, reach, activation, basis(dtype), dtype, seed=0
  )


@st.composite
def mlp(draw, size=None):
  n, widths = size or draw(st.integers(1, 4)), draw(st.lists(UNITS, min_size=1, max_size=3))
  activation, in_time = draw(DEEP), draw(st.booleans())
  return lambda dtype: MLP(n, widths, activation, in_time, dtype, seed=0)


@st.composite
def lattice(draw, side=None):
  side, channels, basis = side or draw(st.integers(2, 3)), draw(UNITS), draw(bases())
  return lambda dtype: Lattice(side, channels, basis(dtype), dtype=dtype, seed=0)


@st.composite
def spin_lattice(draw, side=None):
  side, channels = side or draw(st.integers(2, 3)), draw(UNITS)
  basis, layer_basis = draw(bases()), draw(bases())

  def make(dtype):
    of_time = {'time_basis': basis(dtype), 'layer_basis': layer_basis(dtype)}
    return SpinLattice(side, channels, **of_time, dtype=dtype, seed=0)

  return make


@st.composite
def magnetisation(draw, size=None):
  n, units, basis = size or draw(st.integers(1, 4)), draw(UNITS), draw(bases())
  growth = draw(st.floats(0.0, 1.0))
  return lambda dtype: Magnetisation(n, units, growth, basis(dtype), dtype, seed=0)


@st.composite
def deep_lattice(draw, side=None):
  side, channels, units = side or draw(st.integers(2, 3)), draw(UNITS), draw(UNITS)
  basis = draw(bases())
  return lambda dtype: DeepLattice(side, channels, units, basis(dtype), dtype=dtype, seed=0)


@st.composite
def spectral(draw, side=None):
  side, basis = side or draw(st.integers(2, 3)), draw(bases())
  return lambda dtype: SpectralQuadratic(side, basis(dtype), dtype)


@st.composite
def quadratic(draw, size=None):
  n, seed = size or draw(st.integers(1, 5)), draw(strategies.SEEDS)
  matrix = strategies.points(n, n, seed=seed).numpy()
  return lambda dtype: Quadratic(matrix, dtype)


@st.composite
def projected(draw, size=None):
  n, seed = size or draw(st.integers(1, 5)), draw(strategies.SEEDS)
  number = draw(st.integers(1, n))
  directions = np.linalg.qr(np.random.default_rng(seed).normal(size=(n, number)))[0]
  inner = draw(st.one_of(dense(number), separable(number)))
  return lambda dtype: Projected(inner(dtype), directions)


CLUSTERS = st.sampled_from([(2, 2), (4, 1), (3, 2), (2, 3)])
SHELLS = {'shells': 3, 'reach': 3.0, 'softening': 0.5, 'seed': 0}


def surroundings_of(particles, dimensions):
  """Kinds of the particles, and a box, or neither."""
  return st.fixed_dictionaries(
    {
      'species': st.sampled_from([None, (0, 1, 0, 0)[:particles]]),
      'box': st.sampled_from([None, (6.0,) * dimensions]),
    }
  )


@st.composite
def pairs(draw, cluster=None):
  sizes, basis = cluster or draw(CLUSTERS), draw(bases())
  surroundings = draw(surroundings_of(*sizes))
  return lambda dtype: Pairs(*sizes, **SHELLS, **surroundings, time_basis=basis(dtype), dtype=dtype)


@st.composite
def embedded_atoms(draw, cluster=None):
  sizes, basis = cluster or draw(CLUSTERS), draw(bases())
  options = {'hidden_units': draw(UNITS), 'activation': draw(DEEP), **SHELLS}
  options |= {'background': draw(st.booleans()), **draw(surroundings_of(*sizes))}
  return lambda dtype: EmbeddedAtoms(*sizes, **options, time_basis=basis(dtype), dtype=dtype)


@st.composite
def embedded_cluster(draw, cluster=None):
  sizes, basis, layer_basis = cluster or draw(CLUSTERS), draw(bases()), draw(bases())
  options = {'hidden_units': draw(UNITS), 'cluster_units': draw(UNITS), **SHELLS}
  options |= {'background': draw(st.booleans()), **draw(surroundings_of(*sizes))}

  def build(dtype):
    of_time = {'time_basis': basis(dtype), 'layer_basis': layer_basis(dtype)}
    return EmbeddedCluster(*sizes, **options, **of_time, dtype=dtype)

  return build


@st.composite
def embedded_dipoles(draw, cluster=None):
  sizes, basis, layer_basis = cluster or draw(CLUSTERS), draw(bases()), draw(bases())
  options = {'hidden_units': draw(UNITS), 'activation': draw(DEEP), **SHELLS}
  options |= draw(surroundings_of(*sizes))

  def build(dtype):
    of_time = {'time_basis': basis(dtype), 'layer_basis': layer_basis(dtype)}
    return EmbeddedDipoles(*sizes, **options, **of_time, dtype=dtype)

  return build


@st.composite
def exchangeable_set(draw, cluster=None):
  sizes, basis = cluster or draw(CLUSTERS), draw(bases())
  options = {'features': draw(UNITS), 'hidden_units': draw(UNITS), 'activation': draw(DEEP)}
  return lambda dtype: ExchangeableSet(
    *sizes, **options, time_basis=basis(dtype), dtype=dtype, seed=0
  )


@st.composite
def keras_model(draw):
  package, build = draw(st.sampled_from([keras, tf_keras])), draw(st.sampled_from(NETWORKS))
  n, in_time = draw(st.integers(1, 4)), draw(st.booleans())
  return lambda dtype: KerasModel(build(package, n + in_time, dtype.name), n, in_time)


@st.composite
def sums(draw, side=2):
  """Terms of one event size, L * L of a lattice."""
  terms = draw(st.lists(composable(side), min_size=1, max_size=3))
  return lambda dtype: Sum([term(dtype) for term in terms])


def composable(side):
  """Any potential that model files hold, on R^(side * side)."""
  n = side**2
  return st.one_of(
    *(dense(n), separable(n), mlp(n), quadratic(n), projected(n), magnetisation(n)),
    *(lattice(side), deep_lattice(side), spectral(side), local((side, side))),
    *(pairs((n, 1)), embedded_atoms((n, 1)), embedded_cluster((n, 1)), exchangeable_set((n, 1))),
    embedded_dipoles((n, 1)),
  )


NETWORKS = [cases.keras_sequential, cases.keras_functional]
RECIPES = {
  'OneHiddenLayer': dense(),
  'Separable': separable(),
  'LocallyConnected': local(),
  'MLP': mlp(),
  'Lattice': lattice(),
  'DeepLattice': deep_lattice(),
  'Magnetisation': magnetisation(),
  'SpinLattice': spin_lattice(),
  'DeepLocallyConnected': deep_local(),
  'SpectralQuadratic': spectral(),
  'Quadratic': quadratic(),
  'Projected': projected(),
  'Pairs': pairs(),
  'EmbeddedAtoms': embedded_atoms(),
  'EmbeddedCluster': embedded_cluster(),
  'EmbeddedDipoles': embedded_dipoles(),
  'ExchangeableSet': exchangeable_set(),
  'KerasModel': keras_model(),
  'Sum': sums(),
}


def generic(recipe, dtype, seed):
  """A potential of that recipe with all variables filled."""
  return cases.generic(recipe(dtype), seed)


def twin(recipe, potential, dtype):
  """The same potential, with the same values of the variables, in another precision."""
  other = recipe(dtype)
  for variable, value in zip(other.variables, potential.variables):
    variable.assign(value.numpy().astype(dtype.as_numpy_dtype))
  return other
