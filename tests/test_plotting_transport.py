"""Figures of transport show the arrays that they are given."""

import numpy as np
import pytest

from ma_keras import plotting


@pytest.mark.slow
def test_paths_are_drawn_from_start_to_end(tmp_path):
  z, x = np.random.default_rng(0).normal(size=(2, 5, 2))
  times = np.linspace(0.0, 1.0, 4)[:, None, None]
  figure = plotting.paths({'straight': z + times * (x - z), 'other': np.stack([z, z - 1.0, x])})
  straight, other = figure.axes
  assert straight.get_title() == 'straight' and len(straight.lines) == 5 + 2
  np.testing.assert_allclose(straight.lines[1].get_xydata(), (z + times * (x - z))[:, 1])
  for ax in (straight, other):
    np.testing.assert_allclose(ax.lines[-2].get_xydata(), z)
    np.testing.assert_allclose(ax.lines[-1].get_xydata(), x)
  plotting.save(figure, tmp_path / 'paths.png')
  assert (tmp_path / 'paths.png').stat().st_size > 0


def test_a_map_is_drawn_by_its_grid():
  first, second = np.linspace(-1, 1, 4), np.linspace(-2, 2, 5)
  mesh = np.stack(np.meshgrid(first, second, indexing='ij'), axis=-1)
  figure = plotting.convex_map(
    (first, second), np.sum(mesh**2, axis=-1), 2.0 * mesh, np.zeros([3, 2])
  )
  right = figure.axes[1]
  assert len(right.lines) == 4 + 5
  np.testing.assert_allclose(right.lines[0].get_xydata(), 2.0 * mesh[:, 0])
  np.testing.assert_allclose(right.lines[5].get_xydata(), 2.0 * mesh[0])


def test_cost_is_drawn_beside_the_least():
  figure = plotting.transport_cost(np.arange(3), {'flow': np.array([3.0, 2.0, 1.5])}, 1.2)
  curve, least = figure.axes[0].lines
  np.testing.assert_allclose(curve.get_ydata(), [3.0, 2.0, 1.5])
  np.testing.assert_allclose(least.get_ydata(), [1.2, 1.2])


def test_arrays_are_checked():
  with pytest.raises(ValueError, match=r"`flows` 'a' must have shape \[S, n, 2\]"):
    plotting.paths({'a': np.zeros([3, 4, 3])})
  with pytest.raises(ValueError, match='`flows` must hold one flow'):
    plotting.paths({})
  with pytest.raises(ValueError, match='`values` and `images` must have shapes'):
    plotting.convex_map((np.zeros(2), np.zeros(3)), np.zeros([3, 2]), np.zeros([3, 2, 2]), [[0, 0]])
