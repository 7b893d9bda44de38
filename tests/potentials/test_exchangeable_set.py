"""The potential of a set: invariant under permutations and nothing else, exact in any size."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras.potentials import ExchangeableSet, TimeBasis, autodiff
from tests.potentials.cases import exchangeable_set

T = tf.constant(0.4, tf.float64)


@pytest.mark.parametrize('n, d', [(5, 3), (6, 2), (2, 1)])
@pytest.mark.parametrize('activation', ['softplus', 'tanh'])
def test_closed_forms_are_those_of_the_value(rng, n, d, activation):
  potential = exchangeable_set(n, d, TimeBasis(1.0, 2), activation)
  x = tf.constant(rng.normal(size=(3, n * d)))
  velocity, laplacian = potential.gradient_and_laplacian(T, x)
  by_tapes = autodiff.gradient_and_laplacian(potential, T, x)
  np.testing.assert_allclose(velocity, by_tapes[0], atol=1e-12)
  np.testing.assert_allclose(laplacian, by_tapes[1], atol=1e-11)
  np.testing.assert_allclose(potential.gradient(T, x), velocity, atol=1e-13)


def test_the_value_is_that_of_a_plain_loop(rng):
  potential, x = exchangeable_set(4, 2, activation='tanh'), rng.normal(size=(4, 2))
  w, c, v, b, a = (
    getattr(potential, name).numpy()
    for name in ('kernel', 'feature_bias', 'mixing', 'bias', 'amplitude')
  )
  total = sum(np.tanh(row @ w + c) for row in x)
  np.testing.assert_allclose(potential(T, x.ravel()), a @ np.tanh(total @ v + b), rtol=1e-12)


def test_permutations_leave_it_alone_and_rotations_and_translations_do_not(rng):
  potential, x = exchangeable_set(5, 3), rng.normal(size=(5, 3))
  phi = lambda x: potential(T, x.ravel()).numpy()  # noqa: E731
  assert phi(x[rng.permutation(5)]) == pytest.approx(phi(x), rel=1e-13)
  orthogonal, _ = np.linalg.qr(rng.normal(size=(3, 3)))
  for moved in (x @ orthogonal, x + 0.1, -x):
    assert abs(phi(moved) - phi(x)) > 1e-3


def test_the_gradient_of_one_vector_knows_of_the_others(rng):
  potential, x = exchangeable_set(3, 2), rng.normal(size=(3, 2))
  before = potential.gradient(T, x.ravel())[:2].numpy()
  x[2] += 1.0
  assert np.all(np.abs(potential.gradient(T, x.ravel())[:2] - before) > 1e-4)


@pytest.mark.parametrize(
  'options', [{'features': 0}, {'hidden_units': 2.5}, {'particles': 0}, {'dimensions': True}]
)
def test_bad_sizes_are_refused(options):
  with pytest.raises(ValueError, match=f'`{next(iter(options))}` must be a positive integer'):
    ExchangeableSet(**{'particles': 3, 'dimensions': 2, **options})
