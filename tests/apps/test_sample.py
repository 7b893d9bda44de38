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


def test_only_particles_have_structures(tmp_path):
  flow = ma_keras.MongeAmpereBijector(potentials.OneHiddenLayer(2, 4), 1, 0.1)
  config = SampleConfig(model='model.npz', output=str(tmp_path / 'x.xyz'))
  with pytest.raises(ValueError, match=r'takes positions of particles, .* use a \.npy or \.csv'):
    sample.draw_structures(model_file.Model(flow), None, config)
