"""Random numbers of a step: functions of (seed, step, block, sample), and of nothing else."""

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import seeds, targets, training

B = 4


def latents(numbers, seed=0, step=0, which=0, salt='test'):
  """Normal draws of these samples, as the first or the second use in a step would have them."""
  potential = ma_keras.potentials.OneHiddenLayer(4, 3, seed=1)
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.5, 'heun')
  model = training.VariationalFreeEnergy(bijector, targets.Ising(2), B, seed)
  model.compile(training.adam(1e-2, 100))
  model.optimizer.iterations.assign(step)
  pair = model.per_sample_seeds(tf.constant(numbers, tf.int64), salt)
  return seeds.normal([3], pair[which], tf.float64).numpy()


def test_a_part_of_a_block_draws_what_the_whole_block_does():
  whole = latents([0, 1, 2, 3])
  np.testing.assert_array_equal(latents([2, 3]), whole[2:])
  assert len(latents([])) == 0
  assert len(np.unique(whole)) == whole.size


def test_blocks_of_samples_draw_numbers_of_their_own():
  """Worker w of parameter servers numbers its samples w B .. (w + 1) B - 1."""
  blocks = [latents(np.arange(B) + B * k) for k in range(3)]
  assert len(np.unique(blocks)) == 3 * blocks[0].size
  np.testing.assert_array_equal(latents(np.arange(B) + B), blocks[1])


@pytest.mark.parametrize('other', [{'seed': 1}, {'step': 1}, {'which': 1}, {'salt': 'other'}])
def test_seeds_steps_and_uses_draw_numbers_of_their_own(other):
  assert not np.intersect1d(latents(range(B)), latents(range(B), **other)).size


def test_without_a_weight_of_stiffness_any_integrator_trains():
  """Euler has no stages to tell its stiffness by."""
  potential = ma_keras.potentials.OneHiddenLayer(4, 3, seed=1)
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.5, 'euler')
  assert not training.VariationalFreeEnergy(bijector, targets.Ising(2), B).penalties
  with pytest.raises(ValueError, match="'euler' has no stages"):
    training.VariationalFreeEnergy(bijector, targets.Ising(2), B, penalties={'stiffness': 0.1})


def test_a_batch_of_one_is_the_smallest():
  potential = ma_keras.potentials.OneHiddenLayer(4, 3, seed=1)
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.5, 'heun')
  assert training.VariationalFreeEnergy(bijector, targets.Ising(2), 1).batch_size == 1
  for size in (0, 1.5):
    with pytest.raises(ValueError, match='`batch_size` must be positive and whole'):
      training.VariationalFreeEnergy(bijector, targets.Ising(2), size)
