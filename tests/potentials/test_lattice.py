"""Lattice potentials have every symmetry of the torus, and Gaussians where they are quadratic."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import symmetry, targets
from ma_keras.potentials import (
  DeepLattice,
  HyperNetwork,
  Lattice,
  OneHiddenLayer,
  SpectralQuadratic,
  SpinLattice,
  TimeBasis,
)
from tests.potentials import cases

TIME = tf.constant(cases.TIME, tf.float64)
BASIS = TimeBasis(1.5, 2)
BUILDERS = {
  'lattice': cases.lattice,
  'deep': cases.deep_lattice,
  'spins': cases.spin_lattice,
}
KINDS = {
  'lattice': cases.lattice,
  'local': lambda side, basis: cases.lattice(side, basis, reach=1),
  'spectral': cases.spectral,
  'deep': cases.deep_lattice,
  'deep local': lambda side, basis: cases.deep_lattice(side, basis, reach=1),
  'spins': cases.spin_lattice,
  'spins local': lambda side, basis: cases.spin_lattice(side, basis, reach=1),
  'moving': lambda side, basis: cases.lattice(side, basis, layer_basis=BASIS),
  'moving deep': lambda side, basis: cases.deep_lattice(side, basis, layer_basis=BASIS),
  'moving spins': lambda side, basis: cases.spin_lattice(side, basis, layer_basis=BASIS),
}


def fields(side, *leading):
  return tf.constant(np.random.default_rng(side).normal(size=(*leading, side**2)))


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('side', [3, 4])
def test_every_element_leaves_phi_and_its_laplacian_unchanged(kind, side):
  """All 8 L^2 of the space group, with and without a global flip."""
  potential, x = KINDS[kind](side, BASIS), fields(side)
  images = symmetry.square_lattice(side).apply(x)
  assert len(images) == 8 * side**2
  for y in (images, -images):
    np.testing.assert_allclose(potential(TIME, y), np.full(len(y), potential(TIME, x)), rtol=1e-12)
    laplacians = potential.laplacian(TIME, y)
    np.testing.assert_allclose(
      laplacians, np.full(len(y), potential.laplacian(TIME, x)), rtol=1e-12
    )


@pytest.mark.slow
@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('leading', [(), (0,), (3,), (2, 3)])
def test_derivatives_at_any_leading_rank(kind, leading):
  potential, x = KINDS[kind](4, BASIS), fields(4, *leading)
  flat = tf.reshape(x, [-1, 16])
  velocity, laplacian = potential.gradient_and_laplacian(TIME, x)
  traces = np.trace(cases.hessians(potential, TIME, flat), axis1=-2, axis2=-1)
  np.testing.assert_allclose(laplacian, traces.reshape(leading), atol=1e-11)
  with tf.GradientTape() as tape:
    tape.watch(x)
    value = potential(TIME, x)
  np.testing.assert_allclose(velocity, tape.gradient(value, x), atol=1e-12)


def test_it_is_a_hidden_layer_whose_kernels_are_all_translates():
  potential, side = cases.lattice(3), 3
  spikes = tf.eye(side**2, dtype=tf.float64)
  kernels = [potential.torus.convolve(kernel, spikes) for kernel in potential.kernel]
  layer = OneHiddenLayer(side**2, 2 * 3 * side**2, 'log_cosh', dtype=tf.float64)
  layer.kernel.assign(tf.concat([*kernels, *kernels], axis=1))
  bias = np.repeat(potential.bias, side**2)
  layer.bias.assign(np.concatenate([bias, -bias]))
  layer.amplitude.assign(np.tile(np.repeat(potential.amplitude, side**2), 2))
  x = fields(side, 5)
  np.testing.assert_allclose(potential(TIME, x), layer(TIME, x), rtol=1e-12)
  np.testing.assert_allclose(potential.gradient(TIME, x), layer.gradient(TIME, x), atol=1e-12)
  np.testing.assert_allclose(potential.laplacian(TIME, x), layer.laplacian(TIME, x), atol=1e-11)


def test_soft_spins_of_a_small_gain_are_the_field_itself():
  """tanh(s x) = s x + O(s^3): with kernels w/s the units are those of `Lattice` as s goes to 0."""
  units, spins, x = cases.lattice(4, BASIS), cases.spin_lattice(4, BASIS), fields(4, 5)
  spins.gain.assign([1e-4])
  spins.kernel.assign(units.kernel * 1e4)
  spins.bias.assign(units.bias)
  spins.amplitude.assign(units.amplitude)
  np.testing.assert_allclose(spins(TIME, x), units(TIME, x), rtol=1e-6)
  np.testing.assert_allclose(spins.gradient(TIME, x), units.gradient(TIME, x), atol=1e-6)
  np.testing.assert_allclose(spins.laplacian(TIME, x), units.laplacian(TIME, x), rtol=1e-5)


@pytest.mark.parametrize('kind', BUILDERS)
def test_layers_that_move_are_at_every_time_those_of_their_coefficients(kind):
  """sum_k T_k(t) w_k by hand, in a potential whose layers stand still."""
  build = BUILDERS[kind]
  moving, still, x = build(4, BASIS, layer_basis=BASIS), build(4, BASIS), fields(4, 3)
  values = BASIS.values(TIME)
  for variable, source in zip(still.trainable_variables, moving.trainable_variables):
    of_layers = variable.shape.rank < source.shape.rank
    variable.assign(tf.tensordot(values, source, 1) if of_layers else source)
  for times in (None, tf.stack([TIME, 2 * TIME])):
    prepared = moving.prepared(times)
    np.testing.assert_allclose(prepared(TIME, x), still(TIME, x), rtol=1e-12)
    for ours, expected in zip(
      prepared.gradient_and_laplacian(TIME, x), still.gradient_and_laplacian(TIME, x)
    ):
      np.testing.assert_allclose(ours, expected, atol=1e-11)
  before, after = (moving(TIME + shift, x) for shift in (-1e-5, 1e-5))
  np.testing.assert_allclose(moving.time_derivative(TIME, x), (after - before) / 2e-5, rtol=1e-6)


@pytest.mark.parametrize('kind', BUILDERS)
def test_layers_that_stood_still_may_begin_to_move(kind):
  """Coefficients of further functions of time begin at zero; they are not to be lost again."""
  build = BUILDERS[kind]
  small, moving = build(4), build(4, BASIS, layer_basis=TimeBasis(1.5, 3))
  moving.start_from(small)
  x = fields(4, 3)
  np.testing.assert_allclose(moving(TIME, x), small(TIME, x), rtol=1e-12)
  np.testing.assert_allclose(moving.laplacian(TIME, x), small.laplacian(TIME, x), rtol=1e-12)
  with pytest.raises(ValueError, match='as many functions of time, or more'):
    build(4, layer_basis=BASIS).start_from(moving)
  before = moving.kernel.numpy()
  for other in (TimeBasis(2.0, 3), HyperNetwork(1.5, 3)):
    with pytest.raises(ValueError, match='keep T = num_steps'):
      moving.start_from(build(4, BASIS, layer_basis=other))
  np.testing.assert_array_equal(moving.kernel, before)


@pytest.mark.parametrize(
  'other, message',
  [
    (lambda: SpinLattice(4, 3), 'a Lattice, got a SpinLattice'),
    (lambda: DeepLattice(4, 3, 2), 'a Lattice, got a DeepLattice'),
    (lambda: SpectralQuadratic(4), 'a Lattice, got a SpectralQuadratic'),
    (lambda: Lattice(4, 3, context_size=1), 'context_size'),
  ],
)
def test_a_start_loses_no_weights(other, message):
  """What a lattice has no variables for would be lost without a word."""
  with pytest.raises(ValueError, match=message):
    Lattice(4, 3).start_from(other())


def test_large_fields_and_biases_are_finite_in_float32():
  potential = Lattice(4, 2, seed=0)
  potential.bias.assign([0.0, 12.0])
  potential.amplitude.assign([1.0, 1.0])
  x = tf.constant(np.random.default_rng(0).normal(size=[4, 16]) * [[1], [10], [1e3], [1e6]])
  velocity, laplacian = potential.gradient_and_laplacian(0.0, tf.cast(x, tf.float32))
  assert np.isfinite(velocity).all() and np.isfinite(laplacian).all()
  exact = Lattice(4, 2, seed=0, dtype=tf.float64)
  for name in ('kernel', 'bias', 'amplitude'):
    getattr(exact, name).assign(tf.cast(getattr(potential, name), tf.float64))
  expected = exact.gradient_and_laplacian(0.0, tf.cast(tf.cast(x, tf.float32), tf.float64))
  np.testing.assert_allclose(velocity[:2], expected[0][:2], atol=2e-5)
  np.testing.assert_allclose(laplacian[:2], expected[1][:2], atol=2e-4)


@pytest.mark.slow
def test_a_gaussian_start_flows_to_that_gaussian():
  """The covariance of the Ising target's Gaussian factor: ln p is that of N(0, C) everywhere."""
  target = targets.Ising(4, dtype=tf.float64)
  potential = SpectralQuadratic(4, TimeBasis(1.0, 3), tf.float64)
  potential.start_gaussian(target.covariance, 1.0)
  kernel = potential.kernel.numpy()
  potential.start_gaussian(target.covariance[0], 1.0)
  np.testing.assert_array_equal(potential.kernel, kernel)
  flow = ma_keras.standard_normal_flow(ma_keras.MongeAmpereBijector(potential, 40, 1 / 40))
  x = fields(4, 6)
  sign, log_det = np.linalg.slogdet(2 * np.pi * target.covariance)
  quadratic = np.einsum('bi,ij,bj->b', x, np.linalg.inv(target.covariance), x)
  assert sign == 1
  np.testing.assert_allclose(flow.log_prob(x), -0.5 * (quadratic + log_det), rtol=1e-6)


def on_eight(channels=3, units=2):
  """Both lattice potentials on a larger torus, of these sizes."""
  return {
    'lattice': Lattice(8, channels, dtype=tf.float64),
    'deep': DeepLattice(8, channels, units, dtype=tf.float64),
    'spins': SpinLattice(8, channels, dtype=tf.float64),
  }


@pytest.mark.parametrize(
  'kind, other, message',
  [
    ('lattice', {'channels': 2}, 'smaller'),
    ('deep', {'units': 3}, 'units'),
    ('spins', {'channels': 2}, 'smaller'),
  ],
)
def test_weights_of_a_smaller_torus_act_alike_on_a_larger_one(kind, other, message):
  """Kernels of range one do not see the size: a field repeated both ways has four times phi."""
  small, large = KINDS[kind](4), on_eight()[kind]
  near = np.max(small.torus.representatives, axis=-1) <= 1
  small.kernel.assign(np.where(near, small.kernel, 0.0))
  large.start_from(small)
  x = fields(4, 3)
  twice = tf.reshape(tf.tile(tf.reshape(x, [3, 4, 4]), [1, 2, 2]), [3, 64])
  np.testing.assert_allclose(large(TIME, twice), 4 * small(TIME, x), rtol=1e-12)
  np.testing.assert_allclose(large.laplacian(TIME, twice), 4 * small.laplacian(TIME, x), rtol=1e-12)
  with pytest.raises(ValueError, match=message):
    on_eight(**other)[kind].start_from(small)


@pytest.mark.parametrize('kind', BUILDERS)
@pytest.mark.parametrize('reach', [0, 1, 2.0])
def test_kernels_of_limited_reach_are_those_that_vanish_beyond(kind, reach):
  side = 5
  build = BUILDERS[kind]
  local, whole = build(side, BASIS, reach), build(side, BASIS)
  assert local.kernel.shape[1] == np.sum(np.max(local.torus.representatives, axis=-1) <= reach)
  whole.start_from(local)
  assert np.count_nonzero(whole.kernel) == np.size(local.kernel)
  x = fields(side, 3)
  np.testing.assert_allclose(local(TIME, x), whole(TIME, x), rtol=1e-12)
  for found, expected in zip(
    local.gradient_and_laplacian(TIME, x), whole.gradient_and_laplacian(TIME, x)
  ):
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_kernels_that_keep_their_reach_carry_over_to_a_larger_torus():
  small, large = Lattice(4, 3, seed=0), Lattice(8, 3, reach=2)
  large.start_from(small)
  whole = Lattice(8, 3)
  whole.start_from(small)
  x = tf.cast(fields(8, 3), tf.float32)
  np.testing.assert_allclose(large(0.0, x), whole(0.0, x), rtol=1e-6)
  with pytest.raises(ValueError, match='`reach` of 1'):
    Lattice(8, 3, reach=1).start_from(small)


def test_a_spectral_start_from_a_smaller_torus():
  small = SpectralQuadratic(4, BASIS, tf.float64)
  small.start_gaussian(targets.Ising(4).covariance, 1.5)
  large = SpectralQuadratic(8, BASIS, tf.float64)
  large.start_from(small)
  uniform = lambda side: tf.ones([side**2], tf.float64)  # noqa: E731
  np.testing.assert_allclose(large(TIME, uniform(8)), 4 * small(TIME, uniform(4)), rtol=1e-12)
  with pytest.raises(ValueError, match='basis'):
    SpectralQuadratic(8).start_from(small)
  constant = SpectralQuadratic(4, dtype=tf.float64)
  constant.kernel.assign(np.random.default_rng(0).normal(size=constant.kernel.shape))
  large.start_from(constant)
  np.testing.assert_allclose(large(TIME, uniform(8)), 4 * constant(TIME, uniform(4)), rtol=1e-12)


def test_a_quadratic_part_of_short_reach_is_one_whose_kernel_is_zero_beyond():
  short, whole = (SpectralQuadratic(6, BASIS, tf.float64, reach=reach) for reach in (1, None))
  short.kernel.assign(np.random.default_rng(0).normal(size=short.kernel.shape))
  assert short.kernel.shape[-1] == 3 and whole.kernel.shape[-1] == 10
  whole.start_from(short)
  x = fields(6, 5)
  for one, other in zip(
    short.gradient_and_laplacian(TIME, x), whole.gradient_and_laplacian(TIME, x)
  ):
    np.testing.assert_allclose(one, other, rtol=1e-12)
  whole.kernel.assign(tf.ones_like(whole.kernel))
  with pytest.raises(ValueError, match='`reach` of 1'):
    short.start_from(whole)


def with_entry(shape, *places):
  """The identity, or its first row, with something at places counted through all entries."""
  matrix = np.eye(9).reshape(-1)[: np.prod(shape)]
  matrix[list(places)] += 0.1
  return matrix.reshape(shape)


@pytest.mark.parametrize(
  'build, message',
  [
    (lambda: Lattice(1, 3), 'side'),
    (lambda: Lattice(4, 0), 'channels'),
    (lambda: Lattice(4, 3, kernel_range=0.0), 'kernel_range'),
    (lambda: Lattice(4, 3, reach=3), 'reach'),
    (lambda: Lattice(4, 3, time_basis=3), 'time_basis'),
    (lambda: SpinLattice(4, 3, layer_basis=True), 'layer_basis'),
    (lambda: Lattice(4, 3, reach=0.5), 'reach'),
    (lambda: DeepLattice(4, 3, 2, reach=-1), 'reach'),
    (lambda: SpectralQuadratic(4, reach=3), 'reach'),
    (lambda: SpinLattice(4, 0), 'channels'),
    (lambda: SpinLattice(4, 3, kernel_range=np.nan), 'kernel_range'),
    (lambda: SpectralQuadratic(4).start_gaussian(np.eye(4), 1.0), 'covariance'),
    (lambda: SpectralQuadratic(2).start_gaussian(-np.eye(4), 1.0), 'covariance'),
    (lambda: SpectralQuadratic(2).start_gaussian(np.eye(4), 0.0), 'time'),
    (lambda: SpectralQuadratic(3).start_gaussian(with_entry([9], 1), 1.0), 'invariant'),
    (lambda: SpectralQuadratic(3).start_gaussian(with_entry([9], 3, 6), 1.0), 'invariant'),
    (lambda: SpectralQuadratic(3).start_gaussian(with_entry([9, 9], 40), 1.0), 'invariant'),
  ],
)
def test_errors_name_the_argument(build, message):
  with pytest.raises(ValueError, match=message):
    build()


@pytest.mark.parametrize('build', [Lattice, SpinLattice, DeepLattice, SpectralQuadratic])
def test_sides_are_whole_numbers_of_any_type(build):
  sizes = {DeepLattice: (2, 3), SpectralQuadratic: ()}.get(build, (2,))
  x = tf.constant(np.random.default_rng(0).normal(size=(2, 16)))
  expected = build(4, *sizes, dtype=tf.float64, seed=0)(TIME, x)
  for side in (4.0, np.int64(4)):
    phi = build(side, *sizes, dtype=tf.float64, seed=0)
    assert phi.config()['side'] == 4 and isinstance(phi.config()['side'], int)
    np.testing.assert_array_equal(phi(TIME, x), expected)
  for side in (4.5, '4', None, 1):
    with pytest.raises(ValueError, match='`side` must be an integer of at least 2'):
      build(side, *sizes)
