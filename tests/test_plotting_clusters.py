"""Figures of clusters: what is drawn is what was given."""

import numpy as np
import pytest

pytest.importorskip('matplotlib')

from ma_keras import plotting
from ma_keras.plotting.clusters import bonds


def test_histograms_are_densities_of_every_source(rng):
  distances = {'flow': rng.normal(size=2000), 'chains': 1.0 + rng.normal(size=(500, 2))}
  figure = plotting.cluster_histograms(distances, distances)
  left, right = figure.axes
  for ax in (left, right):
    for patch in ax.patches:
      values, edges, _ = patch.get_data()
      assert np.sum(values * np.diff(edges)) == pytest.approx(1.0, abs=0.03)
  assert [text.get_text() for text in left.get_legend().get_texts()] == ['flow', 'chains']


def test_a_training_shows_its_loss_and_the_effective_sample_size_where_it_is_known():
  epochs, loss = np.arange(3), np.array([1e9, 2.0, 1.0])
  alone = plotting.cluster_training(epochs, loss)
  both = plotting.cluster_training(epochs, loss, np.array([0.1, 0.5, 0.6]))
  assert len(alone.axes) == 1 and len(both.axes) == 2
  np.testing.assert_allclose(both.axes[1].lines[0].get_ydata(), [10.0, 50.0, 60.0])
  assert len(plotting.cluster_training(epochs, np.full(3, np.nan)).axes) == 1


@pytest.mark.parametrize('dimensions', [2, 3])
def test_structures_show_every_particle_and_bonds_of_neighbours(rng, dimensions):
  positions = rng.normal(size=(2, 5, dimensions))
  figure = plotting.structures(positions)
  assert len(figure.axes) == 2
  assert [len(ax.lines) for ax in figure.axes] == [len(bonds(cluster)) for cluster in positions]


def test_bonds_join_the_neighbours_on_a_line():
  line = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [4.0, 0.0]])
  assert bonds(line) == [(0, 1), (1, 2)]
