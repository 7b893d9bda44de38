"""Optimal maps are learned from samples alone, and bounds of W2^2 with them."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from ma_keras import training, transport

tfd = tfp.distributions


def quadratic(size=2):
  return transport.ConvexQuadratic(np.eye(size))


def model(**options):
  trained = training.KantorovichDual(transport.BrenierMap(quadratic(), modulus=0.0), **options)
  trained.compile(training.adam(0.05, 300))
  return trained


def ends():
  """Normal(0, 1) and Normal(m, diag(4, 1/4)): the map is 2 z_1, z_2/2, moved by m."""
  p = tfd.MultivariateNormalDiag(tf.zeros(2))
  q = tfd.MultivariateNormalDiag([1.0, -1.0], [2.0, 0.5])
  return p, q


@pytest.mark.slow
def test_gaussians_are_mapped_as_bures_says():
  trained = model()
  p, q = ends()
  history = trained.fit((p, q), batch_size=512, steps_per_epoch=300, verbose=0).history
  z = p.sample(1000, seed=1).numpy()
  expected = z * [2.0, 0.5] + [1.0, -1.0]
  explained = np.mean(np.sum((trained.predict(z, verbose=0) - expected) ** 2, axis=1)) / 4.25
  assert explained < 1e-3
  bound = trained.bound(z, q.sample(1000, seed=2).numpy())
  distance = 2.0 + 1.0 + 0.25  # |m|^2 + sum (s_1 - s_2)^2.
  assert bound.value == pytest.approx(distance, abs=4 * bound.standard_error)
  assert history['unsolved'] == [0.0]


@pytest.mark.slow
def test_arrays_of_any_two_lengths():
  trained, (p, q) = model(), ends()
  z, x = p.sample(700, seed=1).numpy(), q.sample(300, seed=2).numpy()
  history = trained.fit((z, x), batch_size=100, epochs=2, validation_data=(x, z), verbose=0)
  assert set(history.history) == {
    *('loss', 'squared_distance', 'unsolved', 'val_loss', 'val_squared_distance', 'val_unsolved')
  }
  assert int(trained.optimizer.iterations) == 14
  np.testing.assert_allclose(
    history.history['squared_distance'], -2 * np.array(history.history['loss']), rtol=1e-5
  )


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights():
  p, x = ends()[0], np.random.default_rng(0).normal(size=(200, 2))
  trained = [model(seed=seed) for seed in (3, 3, 4)]
  for one in trained:
    one.fit((p, x), batch_size=50, steps_per_epoch=4, verbose=0)
  first, second, third = (one.optimal.potential.factor.numpy() for one in trained)
  np.testing.assert_array_equal(first, second)
  assert np.any(first != third)


@pytest.mark.slow
def test_it_compiles():
  trained = model()
  trained.compile('adam', jit_compile=True)
  history = trained.fit(ends(), batch_size=32, steps_per_epoch=3, verbose=0).history
  assert np.isfinite(history['loss'][0])


@pytest.mark.slow
def test_unsolved_inverses_are_counted_and_left_out():
  optimal = transport.BrenierMap(transport.ConvexLayer(2, 20, seed=0), max_iterations=2)
  optimal.potential.start_at_samples(np.random.default_rng(0).normal(size=(99, 2)), 8.0, 20.0)
  trained = training.KantorovichDual(optimal)
  trained.compile('sgd')
  history = trained.fit(ends(), batch_size=64, steps_per_epoch=2, verbose=0).history
  assert 0.0 < history['unsolved'][0] < 1.0 and np.isfinite(history['loss'][0])
  trained.fit(ends(), batch_size=64, steps_per_epoch=1, verbose=0)


@pytest.mark.parametrize('name', ['w.weights.h5', 'checkpoint'])
def test_weights_are_saved(name, tmp_path):
  trained, other = model(), model()
  trained.optimal.potential.factor.assign([[1.0, 2.0], [3.0, 4.0]])
  trained.save_weights(tmp_path / name)
  other.load_weights(tmp_path / name)
  np.testing.assert_array_equal(other.optimal.potential.factor, trained.optimal.potential.factor)
  other.set_weights(model().get_weights())
  np.testing.assert_array_equal(other.optimal.potential.factor, np.eye(2))


def test_what_would_not_save_the_map_is_refused(tmp_path):
  trained = model()
  for suffix in ('h5', 'hdf5', 'keras'):
    with pytest.raises(ValueError, match=r'go into a name\.weights\.h5'):
      trained.save_weights(tmp_path / f'w.{suffix}')
  with pytest.raises(NotImplementedError, match='saved by what it trains'):
    trained.save(str(tmp_path / 'm.keras'))


def test_arguments_are_checked():
  with pytest.raises(TypeError, match=r'`optimal` must be a ma_keras\.transport\.BrenierMap'):
    training.KantorovichDual(quadratic())
  with pytest.raises(RuntimeError, match='no optimiser'):
    training.KantorovichDual(transport.BrenierMap(quadratic())).fit(ends())
  trained = model()
  with pytest.raises(ValueError, match='`loss`: KantorovichDual minimises a loss of its own'):
    trained.compile('adam', loss='mse')
  with pytest.raises(ValueError, match=r'`x` must be two ends \(P, Q\)'):
    trained.fit(np.zeros([5, 2]))
  with pytest.raises(ValueError, match=r'`x` must be two samples or more, shape \[n, 2\]'):
    trained.fit((np.zeros([5, 2]), np.zeros([5, 3])))
  with pytest.raises(ValueError, match=r'`x` has an end with events \(3,\)'):
    trained.fit((ends()[0], tfd.MultivariateNormalDiag(tf.zeros(3))))
