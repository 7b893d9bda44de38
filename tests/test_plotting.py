"""Figures hold the data they were given."""

import numpy as np

from ma_keras import plotting


def test_tiles_keep_every_configuration_apart():
  configurations = np.arange(25 * 9).reshape(25, 3, 3)
  picture = plotting.tile(configurations)
  assert picture.shape == (19, 19)
  np.testing.assert_array_equal(picture[4:7, 8:11], configurations[5 + 2])
  assert np.all(np.isnan(picture[3])) and np.all(np.isnan(picture[:, 3]))


def test_figure_4_shows_the_curve_the_exact_line_and_the_snapshots(tmp_path):
  curve = np.array([-1.0, -1.5, -1.9])
  snapshots = {0: np.ones((25, 2, 2)), 2: -np.ones((25, 2, 2))}
  figure = plotting.free_energy(np.arange(3), curve, -2.0, snapshots)
  lines = [line for axes in figure.axes for line in axes.lines]
  np.testing.assert_array_equal(lines[0].get_ydata(), curve)
  assert set(lines[1].get_ydata()) == {-2.0}
  assert [axes.get_title() for axes in figure.axes if axes.images] == ['epoch 0', 'epoch 2']
  figure.savefig(tmp_path / 'figure4.png')


def test_figure_1_draws_one_density_per_time(tmp_path):
  times, x = np.array([0.0, 0.5, 1.0]), np.linspace(-1, 1, 11)
  densities = [(x * (1 + t), np.exp(-(x**2))) for t in times]
  figure = plotting.fluid(times, np.outer(1 + times, x), densities)
  assert len(figure.axes[0].collections) == 3
  figure.savefig(tmp_path / 'figure1.png')
