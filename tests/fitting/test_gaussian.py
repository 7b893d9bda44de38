"""The shrunk Gaussian, against scipy and against brute force."""

import numpy as np
import pytest
from scipy import stats

from ma_keras.fitting import gaussian
from ma_keras.fitting.gaussian import Gaussian

MIX = np.random.default_rng(3).normal(size=(5, 5))


def rows(rng, number):
  return rng.normal(size=(number, 5)) @ MIX + 7.0


def test_it_is_the_normal_of_scipy(rng):
  x = rows(rng, 50)
  fitted = Gaussian.fitted(x, shrinkage=0.0)
  expected = stats.multivariate_normal(x.mean(0), np.cov(x.T, bias=True)).logpdf(x)
  np.testing.assert_allclose(fitted.log_density(x), expected, rtol=1e-9)
  np.testing.assert_allclose(np.cov(fitted.whitened(x).T, bias=True), np.eye(5), atol=1e-9)


def test_the_shrinkage_is_the_best_of_all_on_held_out_rows(rng):
  """Against fits of every fold, one shrinkage at a time."""
  x = rows(rng, 12)

  def loss(shrinkage):
    return -sum(
      Gaussian.fitted(x[a], shrinkage=shrinkage).log_density(x[b]).sum()
      for a, b in gaussian.folds(len(x), 0)
    )

  losses = [loss(value) for value in gaussian.SHRINKAGES]
  assert Gaussian.fitted(x).shrinkage == gaussian.SHRINKAGES[np.argmin(losses)]
  assert np.ptp(losses) > 1.0


def test_few_rows_are_shrunk_and_many_are_not(rng):
  few, many = Gaussian.fitted(rng.normal(size=(8, 6))), Gaussian.fitted(rows(rng, 3000))
  assert few.shrinkage >= 0.2 and many.shrinkage <= 1e-3


def test_fewer_rows_than_columns_have_a_density(rng):
  x = rng.normal(size=(6, 20))
  assert np.all(np.isfinite(Gaussian.fitted(x).log_density(x)))


@pytest.mark.parametrize('number', [3, 10, 11])
def test_folds_hold_out_every_row_once(number):
  parts = gaussian.folds(number, 1)
  assert sorted(np.concatenate([held for _, held in parts])) == list(range(number))
  assert all(not set(train) & set(held) for train, held in parts)
