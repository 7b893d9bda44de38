"""Figures hold the data they were given."""

import numpy as np
import pytest

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


def test_figure_4_shows_other_runs_as_well():
  curve, other = np.array([-1.5, -1.9]), np.array([-1.0, -1.2, -1.3])
  figure = plotting.free_energy(np.arange(2), curve, -2.0, {}, {'paper': (np.arange(3), other)})
  axes = next(axes for axes in figure.axes if axes.lines)
  drawn = {line.get_label(): line.get_ydata() for line in axes.lines}
  np.testing.assert_array_equal(drawn['paper'], other)
  np.testing.assert_array_equal(drawn['variational free energy'], curve)
  assert axes.get_ylim()[1] > np.percentile(other, 90)


def test_figure_1_draws_one_density_per_time(tmp_path):
  times, x = np.array([0.0, 0.5, 1.0]), np.linspace(-1, 1, 11)
  densities = [(x * (1 + t), np.exp(-(x**2))) for t in times]
  figure = plotting.fluid(times, np.outer(1 + times, x), densities)
  assert len(figure.axes[0].collections) == 3
  figure.savefig(tmp_path / 'figure1.png')


def test_figure_3a_shows_every_curve_and_baseline():
  curves = {'training': np.array([1400.0, 1300.0]), 'validation': np.array([1390.0, 1310.0])}
  figure = plotting.likelihood(np.arange(2), curves, {'MAF': 1300.5})
  lines = figure.axes[0].lines
  np.testing.assert_array_equal(lines[1].get_ydata(), curves['validation'])
  assert set(lines[2].get_ydata()) == {1300.5}
  low, high = figure.axes[0].get_ylim()
  assert low < 1300 and high > 1390


def test_figure_3b_has_a_row_per_moment_and_a_column_per_image():
  images = np.random.default_rng(0).normal(size=(3, 4, 5, 5, 1))
  figure = plotting.flowing(images, [0.0, 0.5, 1.0])
  assert len(figure.axes) == 12
  assert figure.axes[4].get_ylabel() == 't = 0.5'


def test_normal_latents_lie_on_the_diagonal():
  figure = plotting.latents(np.random.default_rng(0).normal(size=100_000))
  points = figure.axes[1].lines[0]
  np.testing.assert_allclose(points.get_ydata(), points.get_xdata(), atol=0.05)


def test_pixel_maps_and_galleries_hold_what_they_were_given():
  values = np.linspace(-1, 1, 5)
  figure = plotting.pixel_maps(values, {'pixel 3': 2 * values})
  np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), 2 * values)
  images = np.random.default_rng(0).uniform(size=(9, 4, 4, 3))
  shown = plotting.gallery(images).axes[0].images[0].get_array()
  np.testing.assert_allclose(shown[5:9, 5:9], images[4].mean(axis=-1))


def test_a_scan_has_a_panel_per_quantity_with_points_and_curve(tmp_path):
  couplings, fine = np.array([0.2, 0.4]), np.linspace(0.2, 0.4, 9)
  measured = {'energy': [(-0.5, 0.01), (-1.2, 0.02)], 'magnetisation': [(0.1, 0.1), (0.5, 0.1)]}
  figure = plotting.thermodynamics(couplings, measured, {'energy': (fine, -fine)}, 0.44)
  energy, magnetisation = figure.axes
  np.testing.assert_array_equal(energy.lines[0].get_ydata(), -fine)
  np.testing.assert_array_equal(energy.containers[0].lines[0].get_ydata(), [-0.5, -1.2])
  np.testing.assert_array_equal(magnetisation.containers[0].lines[0].get_ydata(), [0.1, 0.5])
  figure.savefig(tmp_path / 'scan.png')


def test_domains_have_a_row_per_moment_and_one_for_what_is_drawn():
  fields = np.random.default_rng(0).normal(size=(3, 4, 5, 5))
  figure = plotting.domains(fields, np.array([0.0, 0.5, 1.0]), np.sign(fields[-1]))
  assert len(figure.axes) == 16
  assert [figure.axes[4 * row].get_ylabel() for row in (1, 3)] == ['t = 0.5', 'drawn']
  np.testing.assert_array_equal(figure.axes[15].images[0].get_array(), np.sign(fields[-1, 3]))


@pytest.mark.slow
def test_maps_of_information_share_a_scale_that_begins_at_the_noise(tmp_path):
  data = np.array([[0.1, np.nan, 0.1]] * 3)
  figure = plotting.information_maps({'data': data, 'latents': 1e-9 * data}, noise=1e-3)
  one, other = (ax.images[0] for ax in figure.axes[:2])
  assert one.norm is other.norm and (one.norm.vmin, one.norm.vmax) == (1e-3, 0.1)
  np.testing.assert_array_equal(one.get_array().filled(np.nan), data)
  assert one.get_extent() == [-1.5, 1.5, 1.5, -1.5]
  plotting.save(figure, tmp_path / 'maps.png')
  assert (tmp_path / 'maps.png').stat().st_size > 0


def test_no_map_of_information_is_refused():
  with pytest.raises(ValueError, match='`maps` is empty: give one map at least'):
    plotting.information_maps({}, noise=1e-3)
