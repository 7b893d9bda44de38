"""Lattice phi^4 equals its NumPy twin, its symmetries and its Gaussian limit."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from ma_keras.targets import Phi4, Target, lattice
from tests.support import reference

CASES = list(itertools.product([2, 3, 4], ['periodic', 'open']))


def fields(*shape):
  return np.random.default_rng(4).normal(size=shape)


@pytest.mark.parametrize('side, boundary', CASES)
def test_energy_equals_the_loops(side, boundary):
  target = Phi4(side, -4.0, 8.0, boundary, dtype=tf.float64)
  x = fields(5, side**2)
  expected = [reference.phi4_energy_loops(row, side, -4.0, 8.0, boundary) for row in x]
  np.testing.assert_allclose(target.energy(x), expected, rtol=1e-12)


@pytest.mark.parametrize('side', [2, 5])
def test_energy_equals_the_rolled_definition(side):
  x = fields(side, side)
  rolled = sum(0.5 * np.sum((np.roll(x, -1, axis) - x) ** 2) for axis in (0, 1))
  expected = rolled + np.sum(0.5 * 0.3 * x**2 + 0.2 * x**4)
  energy = Phi4(side, 0.3, 0.2, dtype=tf.float64).energy(x.ravel())
  assert float(energy) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize('side, boundary', CASES)
def test_force_is_minus_the_gradient(side, boundary):
  target = Phi4(side, -1.0, 0.5, boundary, dtype=tf.float64)
  x = tf.constant(fields(3, side**2))
  with tf.GradientTape() as tape:
    tape.watch(x)
    energy = target.energy(x)
  np.testing.assert_allclose(target.force(x), -tape.gradient(energy, x), atol=1e-11)


@pytest.mark.parametrize('side, boundary', CASES)
def test_one_field_at_a_time_is_all_at_once(side, boundary):
  """Hessians by tf.GradientTape.batch_jacobian vectorise the force."""
  target, x = Phi4(side, -1.0, 0.5, boundary, dtype=tf.float64), tf.constant(fields(3, side**2))
  np.testing.assert_allclose(tf.vectorized_map(target.force, x), target.force(x), rtol=1e-13)
  np.testing.assert_allclose(tf.vectorized_map(target.energy, x), target.energy(x), rtol=1e-13)


@pytest.mark.parametrize('boundary', ['periodic', 'open'])
def test_energy_keeps_the_symmetries_of_the_lattice(boundary):
  target = Phi4(4, -1.0, 0.5, boundary, dtype=tf.float64)
  x = fields(4, 4)
  images = [-x, x.T, x[::-1], np.rot90(x)]
  if boundary == 'periodic':
    images += [np.roll(x, shift, (0, 1)) for shift in itertools.product(range(4), repeat=2)]
  energies = target.energy(np.stack(images).reshape(-1, 16))
  np.testing.assert_allclose(energies, float(target.energy(x.ravel())), rtol=1e-12)


@pytest.mark.parametrize('side, boundary', CASES)
def test_free_field_equals_the_gaussian_integral(side, boundary):
  """Z = (2 pi)^(N/2) det(D - A + m^2)^(-1/2), the determinant taken of the Hessian of E."""
  adjacency = lattice.adjacency(side, side, boundary)
  hessian = np.diag(adjacency.sum(axis=0)) - adjacency + 0.7 * np.eye(side**2)
  expected = 0.5 * (side**2 * math.log(2 * math.pi) - np.linalg.slogdet(hessian)[1])
  target = Phi4(side, 0.7, 0.0, boundary, dtype=tf.float64)
  x = fields(side**2)
  assert float(target.energy(x)) == pytest.approx(0.5 * x @ hessian @ x, rel=1e-12)
  assert target.exact_log_partition() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize('leading', [[], [0], [3], [2, 3]])
@pytest.mark.parametrize('boundary', ['periodic', 'open'])
def test_any_leading_shape_compiled_by_xla(leading, boundary):
  target = Phi4(4, -1.0, 0.5, boundary)
  x = tf.constant(fields(*leading, 16), tf.float32)
  compiled = tf.function(target.energy, jit_compile=True)(x)
  rows = [float(target.energy(row)) for row in tf.reshape(x, [-1, 16])]
  assert compiled.shape == leading
  np.testing.assert_allclose(tf.reshape(compiled, [-1]), rows, rtol=1e-4)
  assert target.force(x).shape == x.shape


def test_is_a_target():
  assert isinstance(Phi4(2, 1.0, 0.0), Target)


@pytest.mark.parametrize(
  'arguments, message',
  [
    ((1, 1.0, 1.0), '`side` must be at least 2, and whole, got 1'),
    ((4, 1.0, -1.0), '`quartic` must not be negative, got -1.0'),
    ((4, -1.0, 0.0), '`mass_squared` must be positive when `quartic` is 0, got -1.0'),
    ((4, math.nan, 1.0), '`mass_squared` must be finite, got nan'),
    ((4, 1.0, 1.0, 'mirror'), "`boundary` .* got 'mirror'"),
  ],
)
def test_constructor_errors_name_the_argument(arguments, message):
  with pytest.raises(ValueError, match=message):
    Phi4(*arguments)


def test_interacting_field_has_no_exact_partition_function():
  with pytest.raises(ValueError, match=r'`quartic` must be 0 .* got 0.5. Estimate it'):
    Phi4(4, 1.0, 0.5).exact_log_partition()
