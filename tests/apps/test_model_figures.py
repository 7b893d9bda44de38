"""Figures of a model show the model: samples of its own are calibrated, grids are in its order."""

import numpy as np
import pytest

import ma_keras
from ma_keras import bases, data, plotting
from ma_keras.apps import model_figures
from ma_keras.saving import model_file

pytestmark = pytest.mark.slow

MAPS = data.ColumnMaps(
  ['real', 'positive'],
  np.array([1.0, 0.0]),
  np.array([2.0, 1.0]),
  np.zeros(2),
  np.array([[1.0, 0.0], [0.5, 1.0]]),
  np.zeros(2),
)
MIXTURE = bases.Mixture(
  np.array([1.0, 3.0]), np.array([[-2.0, 0], [2, 1]]), np.stack(2 * [np.eye(2)])
)


def model(base=None, maps=MAPS):
  potential = ma_keras.potentials.Quadratic(np.array([[0.2, 0.1], [0.1, -0.4]]))
  return model_file.Model(ma_keras.MongeAmpereBijector(potential, 8, 0.1), maps, base=base)


def test_latents_of_samples_are_uniform_and_rows_outside_have_none():
  x = model_figures.samples(model(), 2000, 300, seed=1)
  outside = np.array([[0.0, -1.0]])
  figure = model_figures.calibration(model(), np.concatenate([x, outside]))
  texts = [text.get_text() for text in figure.legends[0].get_texts()]
  band, *distances = (float(text.split(':')[1]) for text in texts)
  assert len(distances) == 2 and max(distances) < 1.2 * band
  assert figure.axes[0].get_title() == '2,000 rows; 1 outside the support left out'
  shifted = model_figures.calibration(model(), np.add(x, [1.0, 0.0]))
  texts = [text.get_text() for text in shifted.legends[0].get_texts()]
  assert max(float(text.split(':')[1]) for text in texts) > 3 * band


def test_samples_of_a_mixture_lie_on_the_diagonal():
  x = model_figures.samples(model(MIXTURE), 2000, 500, seed=1)
  line = model_figures.calibration(model(MIXTURE), x).axes[0].lines[1]
  middle = slice(100, -100)
  np.testing.assert_allclose(line.get_ydata()[middle], line.get_xdata()[middle], atol=0.2)


def test_densities_are_those_of_the_model_whatever_the_order_of_columns():
  x = np.array([[0.5, 2.0], [3.0, 0.1], [0.0, -1.0]])
  found = model_figures.log_prob(model(), x, 2)
  np.testing.assert_allclose(found[:2], model().flow().log_prob(x[:2]), rtol=1e-6)
  assert found[2] == -np.inf
  axes = [plotting.Axis('x0', -2.0, 4.0), plotting.Axis('x1', 0.1, 9.0, 'log')]
  grid = model_figures._on_grid(model(), axes, [0, 1], 5, 100)
  swapped = model_figures._on_grid(model(), axes[::-1], [1, 0], 5, 100)
  np.testing.assert_allclose(swapped, grid.T, rtol=1e-5)
  point = np.array([[axes[0].grid(5)[1], axes[1].grid(5)[3]]])
  assert model_figures.log_prob(model(), point, 1)[0] == pytest.approx(grid[1, 3], rel=1e-5)


def test_rounded_values_spread_over_their_cells_alone():
  sizes = np.array([0.0, 0.5])
  maps = data.ColumnMaps(['real'] * 2, np.zeros(2), np.ones(2), np.zeros(2), np.eye(2), sizes)
  rows = np.tile([[1.0, 2.0]], [500, 1])
  spread = model_figures.continuous(model(maps=maps), rows, seed=0) - rows
  assert np.all(spread[:, 0] == 0) and np.all(np.abs(spread[:, 1]) <= 0.25)
  assert np.ptp(spread[:, 1]) > 0.45
