"""phi(t, x | c): a context row for every point, or one for all, in every potential."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras import potentials, symmetry
from ma_keras.potentials import HyperNetwork, TimeBasis, autodiff

DOUBLE = {'dtype': tf.float64}
C, N, ROWS = 3, 4, 5
BASIS = TimeBasis(0.4, 3)
T = tf.constant(0.13, tf.float64)


def keras_model():
  layers = [
    tf_keras.layers.Dense(5, 'tanh', input_shape=(N + 1 + C,), **DOUBLE),
    tf_keras.layers.Dense(1, **DOUBLE),
  ]
  return potentials.KerasModel(tf_keras.Sequential(layers), N, time_dependent=True, context_size=C)


def one_hidden_layer(**options):
  return potentials.OneHiddenLayer(N, 6, seed=1, context_size=C, **options, **DOUBLE)


def separable():
  functions = HyperNetwork(0.4, 3, seed=3, **DOUBLE)
  return potentials.Separable(N, 2, time_basis=functions, seed=2, context_size=C, **DOUBLE)


LATTICE = {'time_basis': BASIS, 'seed': 1, 'context_size': C, **DOUBLE}
KERNEL = np.random.default_rng(0).normal(size=(C, N))
POTENTIALS = {
  'one_hidden_layer': lambda: one_hidden_layer(time_basis=BASIS),
  'even': lambda: one_hidden_layer(activation='log_cosh', use_bias=False, time_basis=BASIS),
  'mlp': lambda: potentials.MLP(N, (5, 6), time_dependent=True, seed=1, context_size=C, **DOUBLE),
  'keras_model': keras_model,
  'quadratic': lambda: potentials.Quadratic(0.3 * np.eye(N), context_kernel=KERNEL, **DOUBLE),
  'separable': separable,
  'locally_connected': lambda: potentials.LocallyConnected((2, 2, 1), 2, 1, 3, **LATTICE),
  'deep_local': lambda: potentials.DeepLocallyConnected((2, 2, 1), 1, 1, 3, 2, **LATTICE),
  'lattice': lambda: potentials.Lattice(2, 3, **LATTICE),
  'deep_lattice': lambda: potentials.DeepLattice(2, 3, 4, **LATTICE),
  'spin_lattice': lambda: potentials.SpinLattice(2, 3, layer_basis=BASIS, **LATTICE),
  'magnetisation': lambda: potentials.Magnetisation(N, 3, 0.7, **LATTICE),
  'spectral': lambda: potentials.SpectralQuadratic(2, **LATTICE),
  'exchangeable_set': lambda: potentials.ExchangeableSet(2, 2, 3, 5, **LATTICE),
  'projected': lambda: potentials.Projected(
    potentials.OneHiddenLayer(2, 6, seed=1, context_size=C, time_basis=BASIS, **DOUBLE),
    np.eye(N, 2),
  ),
  'sum': lambda: one_hidden_layer() + separable() + potentials.Quadratic(np.eye(N), **DOUBLE),
  'group_average': lambda: symmetry.GroupAverage(
    one_hidden_layer(time_basis=BASIS), symmetry.translations(2)
  ),
  'rotations': lambda: symmetry.GroupAverage(
    one_hidden_layer(time_basis=BASIS), symmetry.RotationQuadrature(2, 2, 2)
  ),
  'one_element': lambda: symmetry.OneElementPerInterval(
    one_hidden_layer(), symmetry.translations(2), 0.1, seed=4
  ),
}


@pytest.fixture(scope='module', params=POTENTIALS)
def potential(request):
  return POTENTIALS[request.param]()


def draw(*shape):
  return tf.constant(np.random.default_rng(shape).normal(size=shape))


def test_another_context_is_not_that_of_a_prepared_potential(potential):
  x, one, other = draw(ROWS, N), draw(C), draw(1, C)[0]
  after = potential.given(one).prepared().given(other)
  np.testing.assert_array_equal(after.gradient(T, x), potential.given(other).gradient(T, x))
  assert not np.allclose(after.gradient(T, x), potential.given(one).gradient(T, x), rtol=1e-2)


def test_a_row_for_every_point_is_each_point_by_itself(potential):
  x, context = draw(ROWS, N), draw(ROWS, C)
  velocity, laplacian = potential.given(context).gradient_and_laplacian(T, x)
  value = potential.given(context)(T, x)
  for i in range(ROWS):
    alone = potential.given(context[i])
    v, l = alone.gradient_and_laplacian(T, x[i])
    np.testing.assert_allclose(velocity[i], v, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(laplacian[i], l, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(value[i], alone(T, x[i]), rtol=1e-12, atol=1e-13)
  assert np.std(velocity - potential.given(context[::-1]).gradient(T, x)) > 1e-3


def test_closed_forms_are_those_of_the_value(potential):
  x, given = draw(ROWS, N), potential.given(draw(ROWS, C))
  expected = autodiff.gradient_and_laplacian(given, T, x)
  for ours, tapes in zip(given.gradient_and_laplacian(T, x), expected):
    np.testing.assert_allclose(ours, tapes, rtol=1e-10, atol=1e-12)
  rate = given.time_derivative(T, x)
  np.testing.assert_allclose(rate, autodiff.time_derivative(given, T, x), rtol=1e-10, atol=1e-12)


def test_what_is_prepared_is_the_same_at_its_times(potential):
  x, given = draw(ROWS, N), potential.given(draw(ROWS, C))
  prepared = given.prepared(tf.constant([0.0, 0.1, 0.13, 0.4], tf.float64))
  for ours, expected in zip(
    prepared.gradient_and_laplacian(T, x), given.gradient_and_laplacian(T, x)
  ):
    np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-13)
  np.testing.assert_allclose(
    prepared.time_derivative(T, x), given.time_derivative(T, x), rtol=1e-12, atol=1e-13
  )


def test_a_table_has_no_value_at_other_times():
  table = potentials.time_basis.tabulated(BASIS, tf.constant([0.1, 0.2], tf.float64), tf.float64)
  np.testing.assert_array_equal(table.values(tf.constant(0.2, tf.float64)), table.rows[1])
  assert np.all(np.isnan(table.values(tf.constant(0.15, tf.float64))))
  assert potentials.time_basis.tabulated(table, table.times, tf.float64).basis is BASIS


def test_some_rows_have_their_contexts(potential):
  x, given = draw(ROWS, N), potential.given(draw(ROWS, C))
  rows = tf.constant([3, 0, 4])
  chosen = given.for_rows(rows, ROWS).gradient(T, tf.gather(x, rows))
  np.testing.assert_allclose(chosen, tf.gather(given.gradient(T, x), rows), rtol=1e-12, atol=1e-13)


def test_a_context_is_asked_for(potential):
  assert potential.context_size == C and potential.needs_context
  with pytest.raises(ValueError, match=r'none was given: pass potential\.given'):
    potential.gradient(T, draw(ROWS, N))
  with pytest.raises(ValueError, match=r'`context` must have shape \[..., 3\], got \[5, 2\]'):
    potential.given(draw(ROWS, 2))
  with pytest.raises(TypeError, match='`context` must be float64'):
    potential.given(tf.zeros([C]))
  assert not potential.given(draw(C)).needs_context


def test_even_potentials_stay_even():
  x, given = draw(ROWS, N), POTENTIALS['even']().given(draw(ROWS, C))
  np.testing.assert_allclose(given(T, -x), given(T, x), rtol=1e-13)


def test_potentials_without_context_say_so():
  with pytest.raises(ValueError, match='takes no `context`: build it with context_size=C'):
    potentials.MLP(N).given(draw(C))
  with pytest.raises(ValueError, match='`context_size` must be a positive integer or None, got 0'):
    potentials.MLP(N, context_size=0)
  with pytest.raises(ValueError, match='share one context_size'):
    potentials.MLP(N, context_size=2) + potentials.MLP(N, context_size=3)
  with pytest.raises(ValueError, match=r'`context_kernel` must have shape \[C, 4\]'):
    potentials.Quadratic(np.eye(N), context_kernel=np.eye(3))


@pytest.mark.slow
def test_a_class_may_prepare_without_times():
  class Prepared(potentials.MLP):
    def prepared(self):
      return self._twin(ready=True)

  single = Prepared(N, (3,), seed=1, **DOUBLE)
  for potential in (single + separable().given(draw(C)), single):
    bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.1)
    assert np.all(np.isfinite(bijector.forward(draw(ROWS, N))))


def test_a_wrapper_of_ones_own_hands_contexts_on():
  class Doubled(potentials.Potential):
    def __init__(self, inner):
      super().__init__(inner.event_size)
      self.inner = [inner]

    def __call__(self, t, x):
      return 2.0 * self.inner[0](t, x)

  x, context = draw(ROWS, N), draw(ROWS, C)
  inner = one_hidden_layer(time_basis=BASIS)
  doubled = Doubled(inner).given(context)
  expected = inner.given(context).gradient(T, x)
  np.testing.assert_allclose(doubled.gradient(T, x), 2.0 * expected, rtol=1e-12)
  times = tf.constant([0.13], tf.float64)
  assert doubled.prepared(times).inner[0].time_basis.rows.shape == [1, 3]
