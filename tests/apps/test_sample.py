"""Samples of the command are numbers as the data are."""

import dataclasses

import numpy as np
import pytest

import ma_keras
from ma_keras import bases, data, potentials
from ma_keras.apps import sample
from ma_keras.apps.configuration import SampleConfig
from ma_keras.data import structures
from ma_keras.saving import model_file


def test_columns_of_rounded_numbers_are_rounded_again_and_other_models_left_alone():
  maps = data.ColumnMaps(
    kinds=['real', 'real'],
    centre=np.zeros(2),
    scale=np.ones(2),
    mean=np.zeros(2),
    scale_tril=np.eye(2),
    cell_sizes=np.array([0.1, 0.0]),
  )
  flow = ma_keras.MongeAmpereBijector(ma_keras.potentials.OneHiddenLayer(2, 4), 1, 0.1)
  rows = np.array([[0.31, 0.31], [-1.26, -1.26]])
  rounded = sample.as_data(model_file.Model(flow, maps), rows)
  np.testing.assert_array_equal(rounded, [[0.3, 0.31], [-1.3, -1.26]])
  np.testing.assert_array_equal(sample.as_data(model_file.Model(flow), rows), rows)


@pytest.mark.slow
def test_particles_are_written_as_the_structures_that_a_table_has(tmp_path):
  pytest.importorskip('ase')
  bijector = ma_keras.MongeAmpereBijector(potentials.Pairs(3, 2, 4, seed=0), 1, 0.5, 'midpoint')
  model = model_file.Model(bijector, base=bases.MeanFreeNormal(3, 2, scale=1.5))
  model_file.save(str(tmp_path / 'model.npz'), model)
  config = SampleConfig(
    model=str(tmp_path / 'model.npz'), n=5, batch_size=4, output=str(tmp_path / 'x.npy')
  )
  sample.work(config)
  sample.work(dataclasses.replace(config, output=str(tmp_path / 'x.xyz')))
  space = structures.read(tmp_path / 'x.xyz')
  np.testing.assert_allclose(space[..., :2].reshape(5, 6), np.load(tmp_path / 'x.npy'), atol=1e-6)
  assert not np.any(space[..., 2])


def test_kinds_and_box_of_particles_are_written_with_them(tmp_path, eagerly):
  """Frames hold the images within the box of what a table has."""
  ase = pytest.importorskip('ase.io')
  phi = potentials.Pairs(3, 2, 4, reach=1.0, species=(0, 1, 0), box=(2.0, 3.0), seed=0)
  phi.amplitude.assign(200.0 * phi.amplitude)  # Out of the box.
  bijector = ma_keras.MongeAmpereBijector(phi, 1, 0.5, 'midpoint')
  model = model_file.Model(bijector, base=bases.PeriodicUniform(3, (2.0, 3.0)))
  config = SampleConfig(model='model.npz', n=5, batch_size=5, output=str(tmp_path / 'x.xyz'))
  sample.draw_structures(model, model.flow(), config)
  rows = np.concatenate(list(sample.batches(model.flow(), config))).reshape(5, 3, 2)
  frames = ase.read(config.output, index=':')
  positions = np.array([frame.positions[:, :2] for frame in frames])
  assert list(frames[0].numbers) == [1, 2, 1] and list(frames[0].cell.lengths()) == [2.0, 3.0, 0.0]
  assert np.max(np.abs(rows - positions)) > 1.0
  np.testing.assert_allclose(np.mod(rows - positions + 0.1, (2.0, 3.0)), 0.1, atol=1e-5)
  assert np.all((positions >= 0.0) & (positions <= (2.0, 3.0)))


def test_only_particles_have_structures(tmp_path):
  flow = ma_keras.MongeAmpereBijector(potentials.OneHiddenLayer(2, 4), 1, 0.1)
  config = SampleConfig(model='model.npz', output=str(tmp_path / 'x.xyz'))
  with pytest.raises(ValueError, match=r'takes positions of particles, .* use a \.npy or \.csv'):
    sample.draw_structures(model_file.Model(flow), None, config)
