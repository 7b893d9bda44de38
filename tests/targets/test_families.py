"""A family is, at every coupling, the target that it stands for."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras import targets


@pytest.mark.parametrize('boundary', ['periodic', 'open'])
def test_energies_are_those_of_the_target_at_each_coupling(rng, boundary):
  family = targets.Phi4Masses(3, 0.7, boundary, tf.float64)
  assert isinstance(family, targets.Family) and family.event_size == 9
  x, masses = rng.normal(size=(5, 9)), rng.normal(size=(5, 1))
  expected = [family.at(c).energy(row) for row, c in zip(x, masses)]
  np.testing.assert_allclose(family.energy(x, masses), expected, rtol=1e-12)
  one = targets.Phi4(3, -0.5, 0.7, boundary, tf.float64)
  np.testing.assert_allclose(family.energy(x, [-0.5]), one.energy(x), rtol=1e-12)


@pytest.mark.parametrize('boundary', ['periodic', 'open'])
def test_ising_energies_are_those_of_the_model_at_each_coupling(rng, boundary):
  family = targets.IsingCouplings(3, boundary, tf.float64)
  assert isinstance(family, targets.Family) and family.event_size == 9
  x, couplings = 2 * rng.normal(size=(6, 9)), np.array([[0.1], [0.44], [1.0], [-0.3], [0.0], [0.2]])
  expected = [family.at(c).energy(row) for row, c in zip(x, couplings)]
  np.testing.assert_allclose(family.energy(x, couplings), expected, rtol=1e-11)
  np.testing.assert_allclose(family.energy(x, [0.44]), family.at([0.44]).energy(x), rtol=1e-11)


@pytest.mark.parametrize(
  'context', [[0.1, 0.2, 0.3], np.full((3, 3), 0.1), 0.1, np.full((2, 3, 1), 0.1)]
)
def test_contexts_beside_fields_are_one_coupling_each(rng, context):
  for family in (
    targets.IsingCouplings(3, dtype=tf.float64),
    targets.Phi4Masses(3, 1.0, dtype=tf.float64),
  ):
    with pytest.raises(ValueError, match=r'`context` must be .* alone, \[..., 1\] beside fields'):
      family.energy(rng.normal(size=(3, 9)), context)


@pytest.mark.slow
def test_the_slope_of_ising_free_energies_is_that_of_the_transfer_matrix():
  """d ln Z/dk = -<dE/dk>, by the fields of 2 x 2 spins on a fine grid."""
  family, step = targets.IsingCouplings(2, 'open', tf.float64), 1e-4
  grid = np.linspace(-9.0, 9.0, 31)
  x = np.stack(np.meshgrid(*[grid] * 4), axis=-1).reshape(-1, 4)

  def log_z(k):
    """ln of the integral, over that of exp(-E) in `Ising`, which `exact_log_partition` is."""
    return float(tf.reduce_logsumexp(-family.energy(x, [k]))) + 4 * np.log(grid[1] - grid[0])

  k = tf.constant([0.3], tf.float64)
  with tf.GradientTape() as tape:
    tape.watch(k)
    value = tf.reduce_logsumexp(-family.energy(x, k))
  exact = (
    family.at([0.3 + step]).exact_log_partition() - family.at([0.3 - step]).exact_log_partition()
  )
  assert float(tape.gradient(value, k)[0]) == pytest.approx(exact / (2 * step), abs=1e-3)
  assert log_z(0.3) == pytest.approx(family.at([0.3]).exact_log_partition(), abs=1e-3)


@pytest.mark.parametrize('context', [[0.5, 1.0], 0.5, []])
def test_one_coupling_makes_one_ising_model(context):
  with pytest.raises(ValueError, match=r'`context` must be the coupling alone'):
    targets.IsingCouplings(2).at(context)


@pytest.mark.parametrize('context', [[0.5, 1.0], 0.5, []])
def test_one_coupling_makes_one_target(context):
  with pytest.raises(ValueError, match=r'`context` must be m\^2 alone'):
    targets.Phi4Masses(2, 1.0).at(context)
