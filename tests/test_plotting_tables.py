"""Figures of tables: areas are shares of rows, contours hold shares of samples."""

import numpy as np
import pytest

from ma_keras import plotting


@pytest.mark.parametrize('edge, scale', [(None, 'linear'), (0.0, 'log'), (-1.0, 'asinh')])
def test_the_area_of_a_histogram_is_the_share_of_rows_on_the_axis(edge, scale, rng):
  x = np.append(rng.lognormal(0, 1, 5000), [1e9, 1e9])
  axis = plotting.Axis.around('price', x, edge)
  assert axis.scale == scale
  heights, edges = axis.histogram(x)
  areas = heights * np.diff(axis.forward(edges))
  shown = np.mean((x >= axis.low) & (x <= axis.high))
  assert np.sum(areas) == pytest.approx(shown) and 0.9 < shown < 1
  np.testing.assert_allclose(axis.inverse(axis.forward(edges)), edges, rtol=1e-9)


@pytest.mark.parametrize('edge', [None, 0.0, -1.0])
def test_slopes_are_the_derivatives_of_the_scale(edge):
  axis = plotting.Axis.around('x', np.linspace(0.5, 9, 50), edge)
  x = np.linspace(1, 8, 9)
  step = 1e-5
  derivative = (axis.forward(x + step) - axis.forward(x - step)) / (2 * step)
  np.testing.assert_allclose(axis.slope(x), 1 / derivative, rtol=1e-6)


@pytest.mark.parametrize(
  'x, edge',
  [([3.0, 3.0], None), ([0.0], None), ([], None), ([-5.0, 0.0], 0.0), ([1e300], 0.0), ([0], -1.0)],
)
def test_an_axis_is_never_empty(x, edge):
  axis = plotting.Axis.around('x', np.array(x), edge)
  assert np.isfinite([axis.low, axis.high]).all() and axis.low < axis.high
  if x and (edge is None or x[-1] > edge):
    assert axis.shows(np.array(x[-1]))


def test_one_column_shows_the_density_of_what_is_plotted(rng):
  """x of ln x ~ Normal(0, 1): the curve on a logarithm is the bell of ln x."""
  x = np.exp(rng.normal(size=(4000, 1)))
  axis = plotting.Axis.around('x', x, 0.0)
  grid = axis.grid(201)
  bell = np.exp(-(np.log(grid) ** 2) / 2) / np.sqrt(2 * np.pi)
  figure = plotting.histogram(axis, {'data': x, 'samples': x[:100]}, bell / grid)
  axes = figure.axes[0]
  assert axes.get_xscale() == 'log' and axes.get_ylabel() == 'density of ln(x)'
  np.testing.assert_allclose(axes.lines[0].get_ydata(), bell)
  labels = [text.get_text() for text in figure.legends[0].get_texts()]
  assert labels[0].startswith('data (4,000') and labels[1].startswith('samples (100')


def test_contours_hold_their_share_of_samples_on_any_axes(rng):
  """Independent ln x and ln y: the region that holds a share s has radius^2 = -2 ln(1 - s)."""
  x = np.exp(rng.normal(size=(4000, 2)))
  pair = [plotting.Axis.around(name, x[:, k], 0.0) for k, name in enumerate('xy')]

  def log_prob(x, y):
    return -(np.log(x) ** 2 + np.log(y) ** 2) / 2 - np.log(2 * np.pi) - np.log(x * y)

  grid = log_prob(*np.meshgrid(*(axis.grid(41) for axis in pair), indexing='ij'))
  figure = plotting.contours(pair, {'samples': x}, grid, log_prob(*x.T))
  axes, bar = figure.axes
  levels = axes.collections[-1].levels
  expected = np.log(1 - np.array([0.99, 0.9, 0.5, 0.1])) - np.log(2 * np.pi)
  np.testing.assert_allclose(levels, expected, atol=0.4)
  texts = [text.get_text() for text in bar.get_yticklabels()]
  assert [text.split(':')[0] for text in texts] == ['99%', '90%', '50%', '10%']
  assert 'nats' in bar.get_ylabel()


def test_no_density_on_the_grid_leaves_points(rng):
  x = rng.normal(size=(50, 2))
  pair = [plotting.Axis.around(name, x[:, k]) for k, name in enumerate('xy')]
  nothing = np.full((5, 5), -np.inf)
  figure = plotting.contours(pair, {'data': x, 'samples': x}, nothing, np.full(50, -np.inf))
  assert len(figure.axes) == 1 and len(figure.axes[0].lines) == 2


def test_pairs_have_a_panel_per_pair_with_the_points_in_it(rng):
  x = rng.normal(size=(30, 3))
  axes = [plotting.Axis.around(name, x[:, k]) for k, name in enumerate('abc')]
  figure = plotting.pairs(axes, {'data': x, 'samples': x[:20]})
  assert len(figure.axes) == 6
  lowest = figure.axes[3:]
  assert [panel.get_xlabel() for panel in lowest] == ['a', 'b', 'c']
  data = lowest[1].lines[0]
  np.testing.assert_array_equal(np.transpose(data.get_data()), x[:, 1:])


def test_uniform_numbers_are_near_and_others_are_named(rng):
  probabilities = rng.uniform(size=(2000, 12))
  probabilities[:, 7] = rng.beta(2, 2, size=2000)
  figure = plotting.uniformity(probabilities)
  texts = [text.get_text() for text in figure.legends[0].get_texts()]
  distances = {text.split(':')[0]: float(text.split(':')[1]) for text in texts if ':' in text}
  band = distances.pop('95 %')
  assert band == pytest.approx(1.358 / np.sqrt(2000), abs=1e-3)
  assert len(distances) == 8 and max(distances, key=distances.get) == 'latent 7'
  assert distances['latent 7'] > 2 * band


@pytest.mark.slow
def test_samples_of_the_base_lie_on_the_diagonal(rng):
  base = -rng.exponential(size=20_000)
  line = plotting.base_quantiles(base[:5000], base).axes[0].lines[1]
  middle = slice(250, -250)
  np.testing.assert_allclose(line.get_ydata()[middle], line.get_xdata()[middle], atol=0.25)
