"""`ma-keras plot`: figures of every kind of model, with data and without, or one line."""

import sys

import numpy as np
import pytest

import ma_keras
from ma_keras import bases, data
from ma_keras.apps import plot
from ma_keras.apps.configuration import PlotConfig
from ma_keras.saving import model_file
from tests.support.configurations import parsed

pytestmark = pytest.mark.slow

X = np.random.default_rng(0).normal(size=(300, 2))


def plotted(folder, *words):
  """Names of the figures that the app draws of model.npz."""
  given = (f'--model={folder}/model.npz', f'--output={folder}/density.png', '--n=40')
  plot.work(parsed(PlotConfig, *given, *words))
  figures = [folder / 'density.png', folder / 'density_calibration.png']
  existing = [path.name for path in figures if path.exists()]
  for name in existing:
    assert (folder / name).read_bytes().startswith(b'\x89PNG')
    (folder / name).unlink()
  return existing


def save(folder, size, preprocessing=None, **others):
  potential = ma_keras.potentials.Quadratic(np.diag(np.linspace(-0.2, 0.2, size)))
  flow = ma_keras.MongeAmpereBijector(potential, 2, 0.5, 'midpoint')
  model_file.save(folder / 'model.npz', model_file.Model(flow, preprocessing, **others))


BOTH = ['density.png', 'density_calibration.png']


def test_tables_are_plotted_or_refused_in_one_line(tmp_path):
  maps = data.ColumnMaps(
    ['real', 'positive'], np.zeros(2), np.ones(2), np.zeros(2), np.eye(2), np.array([0, 0.5])
  )
  save(tmp_path, 2, maps, columns=('a', 'b'))
  x = np.stack([X[:, 0], np.exp(X[:, 1])], axis=-1)
  x[:3, 1] = -1.0  # Outside the support.
  np.savetxt(tmp_path / 'x.csv', x[:, ::-1], delimiter=',', header='b,a', comments='')
  assert plotted(tmp_path, f'--input={tmp_path}/x.csv', '--n=300') == BOTH
  assert plotted(tmp_path, f'--input={tmp_path}/x.csv', '--columns=b') == BOTH
  assert plotted(tmp_path) == ['density.png']
  with pytest.raises(ValueError, match='`--columns` c must be 1 to 8 different columns'):
    plotted(tmp_path, '--columns=c')
  with pytest.raises(ValueError, match=r'must end in \.png'):
    plotted(tmp_path, f'--output={tmp_path}/x.csv')
  x[:, 1] = -1.0
  np.savetxt(tmp_path / 'x.csv', x, delimiter=',', header='a,b', comments='')
  with pytest.raises(ValueError, match='None of the 40 rows has density'):
    plotted(tmp_path, f'--input={tmp_path}/x.csv')
  assert not (tmp_path / 'density.png').exists()


def test_one_column_a_mixture_and_many_columns_are_plotted(tmp_path):
  """One column, a mixture; nine columns, Normal(0, I), float32 standardised."""
  mixture = bases.Mixture(np.ones(2), np.array([[-1.0], [1.0]]), 0.3 * np.ones((2, 1, 1)))
  save(tmp_path, 1, base=mixture)
  np.save(tmp_path / 'x.npy', X[:, :1])
  assert plotted(tmp_path, f'--input={tmp_path}/x.npy') == BOTH
  save(tmp_path, 9, data.Standardised(np.full(9, 5.0), np.full(9, 2.0)))
  np.save(tmp_path / 'x.npy', np.random.default_rng(1).normal(5, 2, size=(60, 9)))
  assert plotted(tmp_path, f'--input={tmp_path}/x.npy') == BOTH
  assert plotted(tmp_path, '--columns=x8,x0') == ['density.png']


def test_pictures_are_plotted(tmp_path):
  save(tmp_path, 16, data.Pixels(8), event_shape=(4, 4, 1))
  np.save(tmp_path / 'x.npy', np.random.default_rng(1).integers(0, 8, size=(30, 16)))
  assert plotted(tmp_path, f'--input={tmp_path}/x.npy') == BOTH
  assert plotted(tmp_path) == ['density.png']


def test_without_matplotlib_the_remedy_is_named(tmp_path, monkeypatch):
  save(tmp_path, 2)
  monkeypatch.setitem(sys.modules, 'matplotlib', None)
  monkeypatch.setitem(sys.modules, 'matplotlib.figure', None)
  with pytest.raises(ValueError, match=r"matplotlib is missing: pip install 'ma_keras\[plot\]'"):
    plotted(tmp_path)
