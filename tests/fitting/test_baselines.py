"""Baselines are the Gaussian and the mixture that scikit-learn fits, in the units of the data."""

import numpy as np
import pytest
from scipy import stats

from ma_keras import fitting
from ma_keras.fitting import baselines

CENTRES = np.array([[0.0, 0.0], [12.0, 0.0], [0.0, 12.0]])


def modes(rng, number):
  """Rows of three normals, of weight 1/3 each, and their log densities."""
  rows = CENTRES[rng.integers(3, size=number)] + rng.normal(size=(number, 2))
  parts = [stats.multivariate_normal(centre).logpdf(rows) for centre in CENTRES]
  return rows, np.logaddexp.reduce(parts, axis=0) - np.log(3)


def test_three_modes_have_three_components_and_their_entropy(rng):
  train, (test, log_prob) = modes(rng, 900)[0], modes(rng, 400)
  found = fitting.Baselines.fitted(train, test)
  assert found.components == 3
  assert found.mixture == pytest.approx(-np.mean(log_prob), abs=0.05)
  assert np.mean(found.gaussian_losses) > found.mixture + 0.5


def test_as_many_components_as_modes_with_five_rows_each(rng):
  for count in (1, 2, 3):
    rows = np.repeat(CENTRES[:count], 5, axis=0) + 0.1 * rng.normal(size=(5 * count, 2))
    assert fitting.Baselines.fitted(rows, rows).components == count


def test_other_units_shift_both_by_the_logarithm_of_their_ratio(rng):
  train, test = modes(rng, 300)[0], modes(rng, 100)[0]
  units = np.array([1e6, 1e-3])
  one = fitting.Baselines.fitted(train, test)
  other = fitting.Baselines.fitted(units * train + 7.0, units * test + 7.0)
  shift = np.sum(np.log(units))
  assert other.mixture == pytest.approx(one.mixture + shift, abs=1e-4)
  np.testing.assert_allclose(other.gaussian_losses, one.gaussian_losses + shift, atol=1e-4)


def test_few_rows_and_many_columns_have_a_gaussian_alone(monkeypatch, rng):
  rows = modes(rng, 40)[0]
  assert fitting.Baselines.fitted(rows[:9], rows).components == 1  # Five rows a component.
  monkeypatch.setattr(baselines, 'MOST_COLUMNS', 1)
  assert fitting.Baselines.fitted(modes(rng, 900)[0], rows).components == 1


@pytest.mark.slow
def test_a_part_of_many_rows_is_fitted_named_by_the_seed(monkeypatch, rng):
  train, test = modes(rng, 900)[0], modes(rng, 100)[0]
  whole = fitting.Baselines.fitted(train, test)
  monkeypatch.setattr(baselines, 'MOST_ROWS', 300)
  one, again, other = (fitting.Baselines.fitted(train, test, seed) for seed in (1, 1, 2))
  np.testing.assert_array_equal(one.gaussian_losses, again.gaussian_losses)
  assert np.any(one.gaussian_losses != other.gaussian_losses)
  assert one.components == 3 and one.mixture == pytest.approx(whole.mixture, abs=0.1)


def test_the_comparison_says_which_is_better():
  found = fitting.Baselines(np.array([3.0, 5.0]), mixture=2.5, components=4)
  assert found.compared(3.0) == (
    '1.00 nats better than a Gaussian, 0.50 nats worse than a mixture of 4'
  )
  assert found.compared(2.5).endswith('0.00 nats better than a mixture of 4')
