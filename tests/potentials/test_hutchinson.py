"""The stochastic Laplacian has the mean and the variance that theory gives it."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras import seeds
from ma_keras.potentials import Hutchinson, Potential
from tests.potentials import cases

TIME = tf.constant(cases.TIME, tf.float64)
PROBES = pytest.mark.parametrize('probe', ['rademacher', 'gaussian'])
COUNT = 20000


class Separable(Potential):
  """phi = sum_i (i + 1) x_i^4: the Hessian is diagonal."""

  def __call__(self, t, x):
    return tf.reduce_sum(tf.range(1.0, 5.0, dtype=x.dtype) * x**4, axis=-1)


def estimates(potential, method, count=COUNT):
  """Independent estimates at one point: every sample of a batch has its own probe."""
  x = tf.tile(cases.points(1), [count, 1])
  return potential.with_laplacian(method).laplacian(TIME, x).numpy()


@PROBES
@pytest.mark.parametrize('name', ['softplus', 'mlp in time', 'quadratic', 'value only'])
def test_mean_is_the_laplacian(name, probe):
  potential = cases.CASES[name]()
  drawn = estimates(potential, Hutchinson(seed=1, probe=probe))
  error = 5 * drawn.std() / np.sqrt(COUNT)
  assert error > 0
  assert abs(drawn.mean() - potential.laplacian(TIME, cases.points(1))[0]) < error


@PROBES
@pytest.mark.parametrize('num_probes', [1, 4])
def test_variance_is_that_of_theory(probe, num_probes):
  """2 sum H_ij^2 / num_probes, the sum over i != j alone for Rademacher probes."""
  potential = cases.quadratic()
  squares = np.square(potential.symmetric_matrix)
  expected = 2 * (squares.sum() - (probe == 'rademacher') * np.trace(squares)) / num_probes
  drawn = estimates(potential, Hutchinson(seed=2, probe=probe, num_probes=num_probes))
  deviations = np.square(drawn - potential.laplacian(TIME, cases.points(1))[0])
  assert abs(deviations.mean() - expected) < 5 * deviations.std() / np.sqrt(COUNT)


def test_rademacher_is_exact_for_diagonal_hessians():
  potential, x = Separable(4), cases.points(50)
  exact = potential.laplacian(TIME, x)
  estimate = potential.with_laplacian(Hutchinson(seed=3)).laplacian(TIME, x)
  np.testing.assert_allclose(estimate, exact, rtol=1e-13)
  gaussian = potential.with_laplacian(Hutchinson(seed=3, probe='gaussian')).laplacian(TIME, x)
  assert np.all(np.abs(gaussian - exact) > 1e-6)


@PROBES
def test_the_velocity_is_exact(probe):
  potential, x = cases.one_hidden_layer(), cases.points(3)
  estimated = potential.with_laplacian(Hutchinson(seed=1, probe=probe))
  velocity, _ = estimated.gradient_and_laplacian(TIME, x)
  np.testing.assert_allclose(velocity, potential.gradient(TIME, x), rtol=1e-13)


@PROBES
def test_estimates_are_a_function_of_the_seed(probe):
  potential = cases.one_hidden_layer()
  same, again, other, tensor = (
    estimates(potential, Hutchinson(seed, probe), count=9)
    for seed in (4, 4, 5, tf.constant([0, 4]))
  )
  np.testing.assert_array_equal(same, again)
  np.testing.assert_array_equal(same, tensor)
  # Rademacher probes of 4 coordinates take 8 values up to their sign: some must agree.
  assert np.any(same != other)
  reseeded = Hutchinson(4, probe).with_seed(5)
  np.testing.assert_array_equal(other, estimates(potential, reseeded, count=9))
  assert reseeded.probe == probe


@PROBES
def test_probes_depend_on_neither_time_nor_position(probe):
  """A constant Hessian gets one estimate per place in the batch, wherever the points are."""
  potential = cases.quadratic().with_laplacian(Hutchinson(seed=1, probe=probe))
  here = potential.laplacian(0.0, cases.points(7, seed=1))
  there = potential.laplacian(0.9, cases.points(7, seed=2))
  np.testing.assert_allclose(here, there, rtol=1e-13)
  assert len(np.unique(here)) > 1


def test_reseeding_a_potential_reseeds_its_laplacian():
  potential = cases.one_hidden_layer().with_laplacian(Hutchinson(seed=1, num_probes=2))
  twin, x = potential.with_seed(8), cases.points(9)
  expected = potential.with_laplacian(Hutchinson(seed=8, num_probes=2)).laplacian(TIME, x)
  np.testing.assert_array_equal(twin.laplacian(TIME, x), expected)
  assert np.any(expected != potential.laplacian(TIME, x))


@PROBES
def test_a_sample_keeps_its_probe_in_every_share_of_its_batch(probe):
  potential, x = cases.one_hidden_layer(), cases.points(6)

  def estimate(numbers):
    seed = seeds.PerSample(4, tf.constant(numbers), batch_size=6)
    method = Hutchinson(seed, probe, num_probes=2)
    return potential.with_laplacian(method).laplacian(TIME, tf.gather(x, numbers)).numpy()

  whole = estimate(range(6))
  np.testing.assert_allclose(estimate([5, 2]), whole[[5, 2]], rtol=1e-13)
  assert np.all(np.abs(whole - potential.laplacian(TIME, x)) > 1e-9)


@PROBES
@pytest.mark.parametrize(
  'leading, jit_compile', [([], None), ([0], None), ([2, 3], None), ([2, 3], False), ([2, 3], True)]
)
def test_any_leading_rank_in_any_mode(probe, leading, jit_compile):
  potential = cases.one_hidden_layer().with_laplacian(Hutchinson(1, probe, num_probes=2))
  x = cases.points(*leading)
  function = potential.laplacian
  if jit_compile is not None:
    function = tf.function(function, jit_compile=jit_compile)
  assert function(TIME, x).shape == leading
  if not (jit_compile and probe == 'gaussian'):  # XLA has normals of its own.
    np.testing.assert_allclose(function(TIME, x), potential.laplacian(TIME, x), atol=1e-13)


@pytest.mark.parametrize(
  'arguments, message',
  [
    ({'seed': 0, 'probe': 'uniform'}, r"`probe` must be one of .* got 'uniform'"),
    ({'seed': 0, 'num_probes': 0}, '`num_probes` must be positive, got 0'),
  ],
)
def test_errors_name_the_argument(arguments, message):
  with pytest.raises(ValueError, match=message):
    Hutchinson(**arguments)


@pytest.mark.parametrize('seed', [None, -1])
def test_estimates_without_a_proper_seed_are_refused(seed):
  with pytest.raises(ValueError, match=f'`seed` must be a non-negative int .* got {seed}'):
    estimates(cases.one_hidden_layer(), Hutchinson(seed=seed), count=2)
