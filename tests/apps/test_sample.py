"""Samples of the command are numbers as the data are."""

import numpy as np

import ma_keras
from ma_keras import data
from ma_keras.apps import sample
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
