"""The start of a table's flow: scale, support, and what held-out rows are compared with."""

import numpy as np
import pytest
from scipy import stats

from ma_keras import data, fitting
from ma_keras.data import columns


def started(rows):
  """The maps of the columns: to choose a mixture for their base takes a while."""
  return fitting.Start.fitted(rows, columns.survey(rows), with_mixture=False)


def test_latents_have_mean_zero_and_covariance_one(rng):
  rows = rng.normal(size=(800, 3)) @ rng.normal(size=(3, 3)) * [1.0, 1e-6, 1e9] + [0.0, 5.0, 1e12]
  y = started(rows).maps.inverse(rows).numpy()
  np.testing.assert_allclose(y.mean(axis=0), 0.0, atol=1e-5)
  np.testing.assert_allclose(np.cov(y.T, bias=True), np.eye(3), atol=0.1)


def test_counts_may_be_zero_and_stay_in_the_support(rng):
  """Their cells reach below 0, where the log of a positive column ends."""
  rows = np.round(rng.lognormal(2.0, 1.5, size=(500, 1)))
  surveyed = columns.with_kinds(columns.survey(rows), {'0': 'integer+positive'})
  start = fitting.Start.fitted(rows, surveyed, with_mixture=False)
  assert rows.min() <= 1 and np.all(np.isfinite(start.latents(rows, seed=1)))
  assert np.all(np.isfinite(start.maps.inverse_log_det_jacobian(rows, 1)))


def test_latents_lie_anywhere_in_their_cells(rng):
  rows = rng.integers(0, 6, size=(400, 1)).astype(float)
  start = started(rows)
  back = start.maps.forward(start.latents(rows, seed=3)).numpy() - rows
  assert np.abs(back).max() <= 0.5 + 1e-5
  assert stats.kstest(back[:, 0], stats.uniform(-0.5, 1.0).cdf).pvalue > 1e-3


def test_a_column_that_does_not_vary_is_refused(rng):
  with pytest.raises(ValueError, match=r'1 columns do not vary.*--ignore_columns=1'):
    started(np.stack([rng.normal(size=30), np.ones(30)], axis=1))


@pytest.mark.parametrize('draw', ['standard_cauchy', 'laplace', 'standard_t'])
def test_the_width_of_a_heavy_map_is_the_likeliest(draw):
  """Of asinh((x - median) / width) as a normal, by scipy."""
  rng = np.random.default_rng(8)
  values = getattr(rng, draw)(*([1.5] if draw == 'standard_t' else []), size=400)
  (column,) = columns.with_kinds(columns.survey(values[:, np.newaxis]), {'0': 'heavy'})
  widths = column.robust_deviation * np.array([0.3, 1.0, 3.0])

  def likelihood(width):
    ratio = (values - column.median) / width
    z = np.arcsinh(ratio)
    slope = -np.log(width) - 0.5 * np.log1p(ratio**2)
    return np.mean(stats.norm(z.mean(), z.std()).logpdf(z) + slope)

  maps = fitting.Start.fitted(values[:, np.newaxis], [column], with_mixture=False).maps.config()
  assert maps['scale'][0] == pytest.approx(max(widths, key=likelihood))
  assert maps['centre'][0] == pytest.approx(column.median)


def test_where_columns_of_each_kind_begin():
  """A positive column at 0; one that may be 0, a cell below; a unit one just beyond both ends."""
  rng = np.random.default_rng(9)
  rows = np.stack([rng.lognormal(0, 1, 300), rng.integers(0, 50, 300), rng.random(300)], axis=1)
  rows[:2, 2] = 0.0, 1.0
  kinds = {'0': 'positive', '1': 'integer+positive', '2': 'unit'}
  surveyed = columns.with_kinds(columns.survey(rows), kinds)
  maps = fitting.Start.fitted(rows, surveyed, with_mixture=False).maps
  frame = maps.config()
  assert frame['centre'].tolist()[:2] == [0.0, -1.0] and -1e-3 < frame['centre'][2] < 0
  assert frame['centre'][2] + frame['scale'][2] == pytest.approx(1.0 - frame['centre'][2])
  ends = [[1e-9, -0.5, 0.0], [1.0, 0.0, 1.0]]
  assert np.all(maps.supports(ends)) and np.all(np.isfinite(maps.inverse(ends)))
  assert not np.any(maps.supports([[0.0, -1.0, -0.01], [-1.0, -2.0, 1.01]]))
  medians = maps.unmixed([[column.median for column in surveyed[:2]] + [0.5]]).numpy()
  np.testing.assert_allclose(medians, np.zeros([1, 3]), atol=1e-6)


def test_baselines_are_densities_of_the_data(rng):
  """Whatever the units: a Gaussian's is that of scipy."""
  train, test = rng.normal(size=(300, 2)) * [10.0, 0.1], rng.normal(size=(100, 2)) * [10.0, 0.1]
  baselines = fitting.Baselines.fitted(train, test)
  normal = stats.multivariate_normal(train.mean(0), np.cov(train.T, bias=True))
  np.testing.assert_allclose(baselines.gaussian_losses, -normal.logpdf(test), atol=1e-3)
  assert baselines.components == 1
  nll = float(np.mean(baselines.gaussian_losses)) - 0.5
  assert baselines.compared(nll).startswith('0.50 nats better than a Gaussian')


def test_a_column_that_varies_in_held_out_rows_alone_has_baselines(rng):
  train = np.stack([rng.normal(size=60), np.zeros(60)], axis=1)
  baselines = fitting.Baselines.fitted(train, np.array([[0.0, 1.0], [0.5, 0.0]]))
  assert np.all(np.isfinite(baselines.gaussian_losses))


@pytest.mark.parametrize('number, columns_', [(100, 1), (1000, 30), (10**6, 1000)])
def test_settings_follow_the_size(number, columns_):
  settings = fitting.Settings.for_table(number, columns_)
  assert 16 <= settings.hidden_units <= 256 and settings.batch_size <= number
  assert settings.warmup_steps < settings.steps // 10
  assert settings.steps * settings.batch_size <= 201 * max(number, 256)


def test_dequantised_values_have_a_noise_of_their_cells_alone(rng):
  x = rng.normal(size=(50, 2))
  noisy = data.dequantised(x, 1, cell_sizes=np.array([0.0, 2.0]))
  np.testing.assert_array_equal(noisy[:, 0], x[:, 0])
  assert 0.5 < np.abs(noisy - x)[:, 1].max() <= 1.0
