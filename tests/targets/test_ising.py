"""The continuous Ising model equals its NumPy twin, its symmetries and Appendix B."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from ma_keras.targets import CRITICAL_COUPLING, Ising, SolvedTarget, lattice
from tests.support import reference

CASES = [
  (2, CRITICAL_COUPLING, 'periodic'),
  (2, 0.7, 'open'),
  (3, 0.3, 'periodic'),
  (4, CRITICAL_COUPLING, 'periodic'),
  (4, -0.5, 'periodic'),
  (4, 0.2, 'open'),
  (3, 0.0, 'open'),
]


def fields(*shape, scale=2.0):
  return scale * np.random.default_rng(1).normal(size=shape)


def integrate_boltzmann(target, observable=lambda x: 1.0, points=36):
  """Integral of exp(-E(x)) observable(x), by Gauss-Hermite along the axes of K + alpha I."""
  matrix = lattice.coupling_matrix(target.side, target.side, target.coupling, target.boundary)
  values, vectors = np.linalg.eigh(matrix + target.shift * np.eye(target.event_size))
  nodes, weights = np.polynomial.hermite_e.hermegauss(points)
  grid = np.array(list(itertools.product(nodes, repeat=target.event_size)))
  weight = np.prod(np.array(list(itertools.product(weights, repeat=target.event_size))), axis=-1)
  x = (grid * np.sqrt(values)) @ vectors.T
  integrand = np.exp(-target.energy(x).numpy() + 0.5 * np.sum(grid**2, axis=-1)) * observable(x)
  return np.sqrt(np.prod(values)) * np.sum(weight * integrand)


@pytest.mark.parametrize('side, coupling, boundary', CASES)
def test_energy_equals_the_loops(side, coupling, boundary):
  target = Ising(side, coupling, boundary, dtype=tf.float64)
  x = fields(5, side**2)
  expected = [
    reference.ising_energy_loops(row, side, coupling, boundary, target.shift) for row in x
  ]
  np.testing.assert_allclose(target.energy(x), expected, rtol=1e-11)


@pytest.mark.parametrize('side, coupling, boundary', CASES)
def test_smallest_eigenvalue_of_the_shifted_coupling_is_one_tenth(side, coupling, boundary):
  matrix = lattice.coupling_matrix(side, side, coupling, boundary)
  shift = Ising(side, coupling, boundary).shift
  assert np.linalg.eigvalsh(matrix + shift * np.eye(side**2)).min() == pytest.approx(0.1, abs=1e-13)


@pytest.mark.parametrize('side, coupling, boundary', CASES)
def test_force_is_minus_the_gradient(side, coupling, boundary):
  target = Ising(side, coupling, boundary, dtype=tf.float64)
  x = tf.constant(fields(3, side**2))
  with tf.GradientTape() as tape:
    tape.watch(x)
    energy = target.energy(x)
  np.testing.assert_allclose(target.force(x), -tape.gradient(energy, x), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize('value', [0.0, 0.7, -3.0, 60.0, -400.0])
def test_ln_cosh_has_the_right_value_and_derivatives_everywhere(value):
  """Hessian of E is (K + alpha I)^-1 - diag(1 / cosh^2 x), at x = 0 and far out."""
  target = Ising(2, 0.3, dtype=tf.float64)
  x = tf.fill([4], tf.constant(value, tf.float64))
  with tf.GradientTape() as outer:
    outer.watch(x)
    with tf.GradientTape() as inner:
      inner.watch(x)
      energy = target.energy(x)
    gradient = inner.gradient(energy, x)
  hessian = outer.jacobian(gradient, x)
  matrix = lattice.coupling_matrix(2, 2, 0.3) + target.shift * np.eye(4)
  expected = np.linalg.inv(matrix) - np.eye(4) * (1 - np.tanh(value) ** 2)
  np.testing.assert_allclose(hessian, expected, atol=1e-12)
  assert np.isfinite(target.energy(x))


@pytest.mark.parametrize('side', [2, 3, 4])
def test_energy_keeps_the_symmetries_of_the_torus(side):
  """Inversion, every translation, and the reflections and rotations of the square."""
  target = Ising(side, dtype=tf.float64)
  x = fields(side, side)
  images = [-x, x.T, x[::-1], np.rot90(x)]
  images += [np.roll(x, shift, (0, 1)) for shift in itertools.product(range(side), repeat=2)]
  energies = target.energy(np.stack(images).reshape(-1, side**2))
  np.testing.assert_allclose(energies, float(target.energy(x.ravel())), rtol=1e-12)


def test_open_edges_break_translation():
  target = Ising(4, boundary='open', dtype=tf.float64)
  x = fields(4, 4)
  moved = np.roll(x, 1, axis=0)
  assert abs(float(target.energy(x.ravel()) - target.energy(moved.ravel()))) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize('coupling', [0.1, CRITICAL_COUPLING, -0.3])
@pytest.mark.parametrize('boundary', ['periodic', 'open'])
def test_appendix_b_equals_the_integral_of_the_boltzmann_factor(coupling, boundary):
  target = Ising(2, coupling, boundary, dtype=tf.float64)
  log_integral = math.log(integrate_boltzmann(target, points=24))
  assert target.exact_log_partition() == pytest.approx(log_integral, abs=1e-10)


@pytest.mark.slow
def test_spins_given_the_field_have_the_ising_distribution():
  """<prod_i sigma(2 s_i x_i)> over exp(-E) is exp(1/2 s.K s) / Z_Ising for each state s."""
  target = Ising(2, 0.3, dtype=tf.float64)
  states = np.array(list(itertools.product([-1.0, 1.0], repeat=4)))
  boltzmann = np.exp(-target.spin_energy(states).numpy())
  for state, expected in zip(states[:6], boltzmann / boltzmann.sum()):
    mean = integrate_boltzmann(
      target, lambda x, s=state: np.prod(1 / (1 + np.exp(-2 * s * x)), axis=-1), points=20
    ) / math.exp(target.exact_log_partition())
    assert mean == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
  'side, expected',
  [(4, -2.336045730622), (8, -2.322734629390), (16, -2.315920858819), (32, -2.314049893677)],
)
def test_published_free_energies_per_site(side, expected):
  """The values the project is measured against: Kaufman plus Appendix B at criticality."""
  assert Ising(side).exact_free_energy_per_site() == pytest.approx(expected, abs=1e-11)


def test_side_four_equals_enumeration_through_appendix_b():
  target = Ising(4)
  matrix = lattice.coupling_matrix(4, 4, CRITICAL_COUPLING) + target.shift * np.eye(16)
  log_ising = reference.enumerate_log_partition(4, 4, CRITICAL_COUPLING)
  constant = 8 * (math.log(2 / math.pi) - target.shift)
  expected = log_ising + 0.5 * np.linalg.slogdet(matrix)[1] - constant
  assert target.exact_log_partition() == pytest.approx(expected, rel=1e-12)


def test_spin_means_are_tanh_of_the_field():
  target = Ising(2)
  x = np.array([-1.0, 0.0, 0.4, 30.0], np.float32)
  spins = target.sample_spins(np.tile(x, [20000, 1]), seed=3).numpy()
  assert set(np.unique(spins)) == {-1.0, 1.0}
  # Five standard errors of a mean of 20000 spins.
  np.testing.assert_allclose(spins.mean(axis=0), np.tanh(x), atol=5 / math.sqrt(20000))


def test_spins_are_a_function_of_the_seed():
  target = Ising(4)
  x = tf.zeros([64, 16])
  draws = [target.sample_spins(x, seed) for seed in (1, 1, 2, tf.constant([0, 1]))]
  np.testing.assert_array_equal(draws[0], draws[1])
  np.testing.assert_array_equal(draws[0], draws[3])
  assert np.any(draws[0] != draws[2])
  # Seeds that agree in their lowest 31 bits are different seeds.
  assert np.any(draws[0] != target.sample_spins(x, 2**31 + 1))
  with pytest.raises(ValueError, match=r'`seed` must be a non-negative int .* got None'):
    target.sample_spins(x, None)


@pytest.mark.parametrize('boundary', ['periodic', 'open'])
def test_spin_energy_and_magnetisation_equal_the_sums(boundary):
  target = Ising(3, 0.6, boundary)
  spins = np.random.default_rng(2).choice([-1.0, 1.0], size=[7, 9]).astype(np.float32)
  expected = [-0.6 * sum(s[i] * s[j] for i, j in reference.bonds(3, 3, boundary)) for s in spins]
  np.testing.assert_allclose(target.spin_energy(spins), expected, rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(target.magnetisation(spins), spins.mean(axis=-1), atol=1e-6)


@pytest.mark.parametrize('leading', [[], [3], [0], [2, 3], [2, 0, 3]])
@pytest.mark.parametrize('compile_with', ['eager', 'graph', 'xla'])
def test_any_leading_shape_in_any_mode(leading, compile_with):
  target = Ising(4)
  energy = target.energy
  if compile_with != 'eager':
    energy = tf.function(energy, jit_compile=compile_with == 'xla')
  x = tf.constant(fields(*leading, 16), tf.float32)
  rows = [float(target.energy(row)) for row in tf.reshape(x, [-1, 16])]
  assert energy(x).shape == leading
  np.testing.assert_allclose(tf.reshape(energy(x), [-1]), rows, rtol=1e-5)
  assert target.force(x).shape == x.shape
  assert target.sample_spins(x, seed=0).shape == x.shape


def test_unknown_shapes_and_construction_inside_a_function():
  built = []

  @tf.function(input_signature=[tf.TensorSpec(None, tf.float32)])
  def energy(x):
    built.append(Ising(2))
    return built[0].energy(x)

  x = tf.constant(fields(2, 3, 4), tf.float32)
  np.testing.assert_allclose(energy(x), built[0].energy(x), rtol=1e-5)


def test_is_a_solved_target():
  assert isinstance(Ising(2), SolvedTarget)
  assert Ising(3).event_size == 9
  assert Ising(3, dtype='float64').dtype == tf.float64


@pytest.mark.parametrize(
  'arguments, message',
  [
    ({'side': 1}, '`side` must be at least 2, and whole, got 1'),
    ({'side': 4, 'boundary': 'mirror'}, "`boundary` must be 'periodic' or 'open', got 'mirror'"),
    ({'side': 4, 'coupling': math.nan}, '`coupling` must be finite, got nan'),
    ({'side': 4, 'dtype': tf.int32}, '`dtype` must be floating, got int32'),
  ],
)
def test_constructor_errors_name_the_argument(arguments, message):
  with pytest.raises(ValueError, match=message):
    Ising(**arguments)


def test_field_errors_name_expected_and_got():
  with pytest.raises(ValueError, match=r'`x` must have event size 16 .* got shape \(2, 4, 4\)'):
    Ising(4).energy(tf.zeros([2, 4, 4]))
  with pytest.raises(ValueError, match=r'`spins` must have event size 16'):
    Ising(4).magnetisation(1.0)
  with pytest.raises(TypeError, match='`x` must have dtype float32, got float64'):
    Ising(4).energy(tf.zeros([16], tf.float64))


def test_unsolvable_lattices_name_the_remedy():
  with pytest.raises(ValueError, match="Use boundary='periodic'"):
    Ising(21, boundary='open').exact_log_partition()
  with pytest.raises(ValueError, match='Use even sides, or open edges'):
    Ising(9, -3.0).exact_log_partition()
