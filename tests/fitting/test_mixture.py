"""Mixtures: chosen where there are modes, and left where there are none."""

import numpy as np
import pytest
import tensorflow as tf

from ma_keras.fitting import mixture
from ma_keras.fitting.gaussian import Gaussian


def chosen(rows):
  gaussian = Gaussian.fitted(rows)
  return gaussian, mixture.choose(rows, gaussian)


@pytest.mark.slow
def test_three_modes_are_found_and_one_is_left_alone(rng):
  centres = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
  rows = centres[rng.integers(3, size=300)] + rng.normal(size=(300, 2))
  gaussian, found = chosen(rows)
  assert found.n_components == 3
  distances = gaussian.whitened(centres)[:, np.newaxis] - found.means_
  assert np.linalg.norm(distances, axis=-1).min(axis=0).max() < 0.2
  assert chosen(rng.normal(size=(300, 2)))[1] is None


@pytest.mark.slow
def test_modes_along_one_of_many_correlated_columns_are_found(rng):
  """k-means of whitened rows misses them: all directions are alike to it."""
  mixing = rng.normal(size=(32, 32)) / 32**0.5
  rows = rng.normal(size=(5000, 32)) @ mixing + 2.0 * rng.choice([-1.0, 1.0], size=(5000, 1))
  gaussian, found = chosen(rows)
  assert found.n_components == 2
  shift = np.linalg.norm(found.means_[0] - found.means_[1])
  assert abs(shift - 2.0) < 0.1  # Modes with little between them lie at +-1 in whitened space.
  mixed = gaussian.whitened(rows)
  normal = -0.5 * np.mean(np.sum(mixed**2, axis=1)) - 16 * np.log(2 * np.pi)
  assert found.score(mixed) > normal + 1.0


@pytest.mark.slow
def test_as_a_base_it_has_the_same_density(rng):
  rows = np.concatenate([rng.normal(size=(80, 2)), rng.normal(size=(80, 2)) * 0.1 + 4.0])
  gaussian, found = chosen(rows)
  y = gaussian.whitened(rows)
  base = mixture.as_base(found, tf.float64)
  np.testing.assert_allclose(base.log_prob(y), found.score_samples(y), rtol=1e-9)


@pytest.mark.slow
def test_few_rows_and_many_columns_have_none(rng):
  assert chosen(rng.normal(size=(15, 2)))[1] is None
  assert chosen(rng.normal(size=(300, 200)))[1] is None
