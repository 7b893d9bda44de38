"""A model file gives back the model, and nothing but a model."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf

import ma_keras
from ma_keras import data, model_file, potentials, seeds, symmetry
from tests.potentials import cases

BASIS = potentials.TimeBasis(0.6, 2)
POTENTIALS = {
  'dense': lambda: potentials.OneHiddenLayer(4, 3),
  'log_cosh': lambda: potentials.OneHiddenLayer(4, 3, 'log_cosh', use_bias=False),
  'sum': lambda: potentials.Sum(
    [
      potentials.OneHiddenLayer(4, 3, time_basis=BASIS),
      potentials.Separable(4, 2, time_basis=BASIS),
      potentials.LocallyConnected((2, 2, 1), 1, 1, 2, shared=True),
      potentials.LocallyConnected((2, 2, 1), 2, 1, 2, time_basis=BASIS),
    ]
  ),
  'hyper-network': lambda: potentials.Separable(
    4, 2, time_basis=potentials.HyperNetwork(0.6, 3, width=4)
  ),
  'mlp': lambda: potentials.MLP(4, (3, 2), 'tanh', time_dependent=True),
  'quadratic': lambda: potentials.Quadratic(np.eye(4)),
  'lattice': lambda: potentials.Sum(
    [potentials.Lattice(2, 3, BASIS), potentials.SpectralQuadratic(2, BASIS)]
  ),
  'local lattices': lambda: potentials.Sum(
    [potentials.Lattice(2, 3, BASIS, reach=0), potentials.DeepLattice(2, 3, 2, reach=0)]
  ),
  'average': lambda: symmetry.GroupAverage(
    potentials.OneHiddenLayer(4, 3), symmetry.inversion(4) * symmetry.dihedral(2)
  ),
  'one element': lambda: symmetry.OneElementPerInterval(
    symmetry.OneElementPerInterval(
      potentials.OneHiddenLayer(4, 3), symmetry.dihedral(2), 0.2, seed=3
    ),
    symmetry.translations(2),
    0.2,
    seed=5,
  ),
}
X = np.random.default_rng(0).uniform(1, 255, (5, 2, 2, 1)).astype(np.float32)


def model(name='dense', preprocessing=None, event_shape=None):
  potential = cases.generic(POTENTIALS[name]())
  bijector = ma_keras.MongeAmpereBijector(potential, 3, 0.2, 'three_eighths')
  return model_file.Model(bijector, preprocessing, event_shape, {'made by': 'a test'})


@pytest.mark.parametrize('name', POTENTIALS)
def test_it_comes_back_to_the_bit(tmp_path, name):
  made = model(name)
  model_file.save(tmp_path / 'model.npz', made)
  found = model_file.load(tmp_path / 'model.npz')
  assert found.notes == {'made by': 'a test'}
  assert found.bijector.horizon == made.bijector.horizon
  assert found.bijector.integrator.name == 'three_eighths'
  y = cases.points(6)
  y = tf.cast(y, tf.float32)
  np.testing.assert_array_equal(found.flow().log_prob(y), made.flow().log_prob(y))


@pytest.mark.parametrize(
  'preprocessing',
  [data.Pixels(), data.Pixels(300, 0.01), data.Standardised(np.ones(4, 'f'), 2 * np.ones(4, 'f'))],
)
def test_preprocessing_and_image_shape_come_back(tmp_path, preprocessing):
  made = model(preprocessing=preprocessing, event_shape=(2, 2, 1))
  model_file.save(tmp_path / 'model.npz', made)
  found = ma_keras.load(tmp_path / 'model.npz')
  assert found.flow().sample(2, seed=1).shape == (2, 2, 2, 1)
  np.testing.assert_array_equal(found.flow().log_prob(X), made.flow().log_prob(X))


def test_draws_named_by_a_tensor_come_back(tmp_path):
  made = model('one element')
  made = model_file.Model(made.bijector.with_seed(tf.constant([7, 11])))
  model_file.save(tmp_path / 'model.npz', made)
  y = tf.cast(cases.points(6), tf.float32)
  found = model_file.load(tmp_path / 'model.npz').flow().log_prob(y)
  np.testing.assert_array_equal(found, made.flow().log_prob(y))
  per_sample = seeds.PerSample(1, tf.range(2), 2)
  with pytest.raises(NotImplementedError, match='every sample'):
    model_file.save(tmp_path / 'other.npz', model_file.Model(made.bijector.with_seed(per_sample)))


def test_a_potential_of_ones_own_is_refused(tmp_path):
  bijector = ma_keras.MongeAmpereBijector(cases.Wave(4), 3, 0.2)
  with pytest.raises(NotImplementedError, match='Wave cannot be written'):
    model_file.save(tmp_path / 'model.npz', model_file.Model(bijector))

  class Mine(potentials.OneHiddenLayer):
    pass

  bijector = ma_keras.MongeAmpereBijector(Mine(4, 2), 3, 0.2)
  with pytest.raises(NotImplementedError, match='Mine cannot be written'):
    model_file.save(tmp_path / 'model.npz', model_file.Model(bijector))
  assert os.listdir(tmp_path) == []


def changed(path, change):
  """The file with its description changed."""
  with np.load(path) as file:
    arrays = {key: file[key] for key in file.files}
  described = json.loads(str(arrays.pop('model')))
  change(described)
  np.savez(path, model=json.dumps(described), **arrays)


def test_files_that_are_none_are_refused(tmp_path):
  path = tmp_path / 'model.npz'
  for content in (b'', b'no model', b'PK\x03\x04 cut off'):
    path.write_bytes(content)
    with pytest.raises(ValueError, match='no model file'):
      model_file.load(path)
  with pytest.raises(ValueError, match='no model file'):
    model_file.load(tmp_path / 'missing.npz')


@pytest.mark.parametrize(
  'change, message',
  [
    (lambda d: d.update(format=99), 'has format 99.*newest'),
    (lambda d: d['potential'].update({'class': 'os.system'}), "asks for 'os.system'"),
    (lambda d: d['potential']['arguments'].update(hidden_units=7), 'damaged'),
  ],
)
def test_descriptions_that_do_not_fit_are_refused(tmp_path, change, message):
  path = tmp_path / 'model.npz'
  model_file.save(path, model())
  changed(path, change)
  with pytest.raises(ValueError, match=message):
    model_file.load(path)


def test_a_truncated_file_is_refused(tmp_path):
  path = tmp_path / 'model.npz'
  model_file.save(path, model())
  path.write_bytes(path.read_bytes()[:-200])
  with pytest.raises(ValueError, match='no model file'):
    model_file.load(path)
