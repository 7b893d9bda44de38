"""`ma-keras plot`: figures of every kind of model, with data and without, or one line."""

import sys

import numpy as np
import pytest
from absl import flags

import ma_keras
from ma_keras import bases, data
from ma_keras.saving import model_file
from tests.integration import apps

X = np.random.default_rng(0).normal(size=(300, 2))


def plot(folder, *arguments):
  """Runs the app on model.npz; one process imports it once."""
  from ma_keras.apps import plot as app

  flags.FLAGS.unparse_flags()
  given = (f'--model={folder}/model.npz', f'--output={folder}/density.png', '--n=40')
  flags.FLAGS(['plot', *given, *arguments])
  app.work()
  figures = [folder / 'density.png', folder / 'density_calibration.png']
  existing = [path.name for path in figures if path.exists()]
  for name in existing:
    assert (folder / name).read_bytes().startswith(b'\x89PNG')
    (folder / name).unlink()
  return existing


def save(folder, size, preprocessing=None, **others):
  potential = ma_keras.potentials.Quadratic(np.diag(np.linspace(-0.2, 0.2, size)))
  flow = ma_keras.MongeAmpereBijector(potential, 2, 0.5)
  model_file.save(folder / 'model.npz', model_file.Model(flow, preprocessing, **others))


BOTH = ['density.png', 'density_calibration.png']


def check_tables(folder):
  maps = data.ColumnMaps(
    ['real', 'positive'], np.zeros(2), np.ones(2), np.zeros(2), np.eye(2), np.array([0, 0.5])
  )
  save(folder, 2, maps, columns=('a', 'b'))
  x = np.stack([X[:, 0], np.exp(X[:, 1])], axis=-1)
  x[:3, 1] = -1.0  # Outside the support.
  np.savetxt(folder / 'x.csv', x[:, ::-1], delimiter=',', header='b,a', comments='')
  assert plot(folder, f'--input={folder}/x.csv', '--n=300') == BOTH
  assert plot(folder, f'--input={folder}/x.csv', '--columns=b') == BOTH
  assert plot(folder) == ['density.png']
  with pytest.raises(ValueError, match='`--columns` c must be 1 to 8 different columns'):
    plot(folder, '--columns=c')
  with pytest.raises(ValueError, match=r'must end in \.png'):
    plot(folder, f'--output={folder}/x.csv')
  x[:, 1] = -1.0
  np.savetxt(folder / 'x.csv', x, delimiter=',', header='a,b', comments='')
  with pytest.raises(ValueError, match='None of the 40 rows has density'):
    plot(folder, f'--input={folder}/x.csv')
  assert not (folder / 'density.png').exists()


def check_bases(folder):
  """One column, a mixture; nine columns, Normal(0, I), float32 standardised."""
  mixture = bases.Mixture(np.ones(2), np.array([[-1.0], [1.0]]), 0.3 * np.ones((2, 1, 1)))
  save(folder, 1, base=mixture)
  np.save(folder / 'x.npy', X[:, :1])
  assert plot(folder, f'--input={folder}/x.npy') == BOTH
  save(folder, 9, data.Standardised(np.full(9, 5.0), np.full(9, 2.0)))
  np.save(folder / 'x.npy', np.random.default_rng(1).normal(5, 2, size=(60, 9)))
  assert plot(folder, f'--input={folder}/x.npy') == BOTH
  assert plot(folder, '--columns=x8,x0') == ['density.png']


def check_pictures(folder):
  save(folder, 16, data.Pixels(8), event_shape=(4, 4, 1))
  np.save(folder / 'x.npy', np.random.default_rng(1).integers(0, 8, size=(30, 16)))
  assert plot(folder, f'--input={folder}/x.npy') == BOTH
  assert plot(folder) == ['density.png']


def check_missing(folder):
  save(folder, 2)
  sys.modules['matplotlib'] = sys.modules['matplotlib.figure'] = None
  with pytest.raises(ValueError, match=r"matplotlib is missing: pip install 'ma_keras\[plot\]'"):
    plot(folder)


def check_all(folder):
  for check in (check_tables, check_bases, check_pictures, check_missing):
    check(folder)


def test_models_of_every_kind_are_plotted_or_refused_in_one_line(tmp_path):
  apps.passes(check_all, tmp_path)
