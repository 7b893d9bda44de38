"""A normal in the subspace without centre of mass, against a normal in coordinates of that."""

import copy
import pickle

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

import ma_keras
from ma_keras import bases

N, D = 4, 2


def coordinates():
  """Orthonormal coordinates of the subspace, [N D, (N - 1) D]."""
  centre = np.kron(np.ones([N, 1]) / np.sqrt(N), np.eye(D))
  basis = np.linalg.svd(np.eye(N * D) - centre @ centre.T)[0]
  return basis[:, : (N - 1) * D]


def test_its_density_is_that_of_a_normal_in_the_subspace():
  base, y = bases.MeanFreeNormal(N, D, tf.float64), np.random.default_rng(0).normal(size=[5, 6])
  expected = stats.multivariate_normal(np.zeros(6)).logpdf(y)
  np.testing.assert_allclose(base.log_prob(y @ coordinates().T), expected, rtol=1e-12)
  assert base.degrees_of_freedom == 6 and base.event_shape == [8] and base.batch_shape == []


def test_its_samples_are_normal_there():
  base = bases.MeanFreeNormal(N, D, tf.float64)
  z = base.sample(20000, seed=[1, 2]).numpy()
  np.testing.assert_allclose(z.reshape(-1, N, D).mean(axis=1), 0.0, atol=1e-14)
  covariance = np.cov((z @ coordinates()).T)
  np.testing.assert_allclose(covariance, np.eye(6), atol=4 * np.sqrt(2 / 20000))
  assert base.sample([2, 3], seed=[1, 2]).shape == [2, 3, 8]


def test_a_scale_stretches_it():
  base, scaled = (
    bases.MeanFreeNormal(N, D, tf.float64),
    bases.MeanFreeNormal(N, D, tf.float64, scale=3.0),
  )
  z = base.sample(4, seed=[1, 2])
  np.testing.assert_allclose(scaled.sample(4, seed=[1, 2]), 3.0 * z, rtol=1e-14)
  np.testing.assert_allclose(
    scaled.log_prob(3.0 * z), base.log_prob(z) - 6 * np.log(3.0), rtol=1e-13
  )


def test_off_the_subspace_there_is_nothing():
  base = bases.MeanFreeNormal(N, D)
  z = base.sample(3, seed=[1, 2])
  assert np.all(np.isfinite(base.log_prob(z)))
  assert np.all(np.isneginf(base.log_prob(z + 0.1)))


class Springs(ma_keras.potentials.Potential):
  """phi = -a/2 sum_i<j |x_i - x_j|^2 / n, which translations leave alone: x - centre shrinks."""

  rate = 0.3

  def __call__(self, t, x):
    particles = tf.stack(tf.split(x, N, axis=-1), axis=-2)
    centred = particles - tf.reduce_mean(particles, axis=-2, keepdims=True)
    return -0.5 * self.rate * tf.reduce_sum(tf.square(centred), axis=[-1, -2])


@pytest.mark.slow
def test_a_flow_that_translations_leave_alone_has_densities_of_the_subspace():
  """x = z e^-aT, so that ln p(x) = ln p0(z) + (n - 1) d a T."""
  bijector = ma_keras.MongeAmpereBijector(Springs(N * D), 20, 0.05, dtype=tf.float64)
  base = bases.MeanFreeNormal(N, D, tf.float64)
  flow = ma_keras.distributions.flow_from(base, bijector)
  z = base.sample(4, seed=[1, 2])
  x = z * np.exp(-0.3)
  np.testing.assert_allclose(flow.log_prob(x), base.log_prob(z) + 6 * 0.3, rtol=1e-7)
  assert np.all(ma_keras.certify(flow, x, reverse=True).certified(1e-6))


@pytest.mark.parametrize('again', [copy.deepcopy, lambda b: pickle.loads(pickle.dumps(b))])
@pytest.mark.parametrize(
  'base', [bases.MeanFreeNormal(N, D, tf.float64, scale=2.0), bases.StandardNormal(8, tf.float64)]
)
def test_copies_are_the_same(base, again, tmp_path):
  z = base.sample(3, seed=[1, 2])
  np.testing.assert_array_equal(again(base).log_prob(z), base.log_prob(z))
  np.testing.assert_array_equal(base.copy(name='other').log_prob(z), base.log_prob(z))
  potential = ma_keras.potentials.OneHiddenLayer(8, 3, dtype=tf.float64, seed=1)
  model = ma_keras.model_file.Model(ma_keras.MongeAmpereBijector(potential, 2, 0.1), base=base)
  ma_keras.model_file.save(tmp_path / 'model.npz', model)
  loaded = ma_keras.load(tmp_path / 'model.npz').base
  assert type(loaded) is type(base)
  np.testing.assert_array_equal(loaded.log_prob(z), base.log_prob(z))


def test_the_standard_normal_is_that_of_tfp():
  base = bases.StandardNormal(3, tf.float64)
  z = np.random.default_rng(0).normal(size=[5, 3])
  expected = stats.multivariate_normal(np.zeros(3)).logpdf(z)
  np.testing.assert_allclose(base.log_prob(z), expected, rtol=1e-12)
  assert base.degrees_of_freedom == 3 and base.event_shape == [3]


@pytest.mark.parametrize('sizes', [(1, 2), (2, 0), (2.5, 1), ('few', 2), (None, 1)])
def test_sizes_are_checked(sizes):
  with pytest.raises(ValueError, match='`particles` must be at least 2'):
    bases.MeanFreeNormal(*sizes)
  with pytest.raises(ValueError, match='`scale` must be a positive standard deviation, got 0'):
    bases.MeanFreeNormal(N, D, scale=0)
  with pytest.raises(ValueError, match='`event_size` must be a positive integer'):
    bases.StandardNormal(0)
