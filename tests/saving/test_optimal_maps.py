"""Optimal maps in model files, SavedModels and pickles: to the bit, or refused by name."""

import copy
import json
import pickle

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import ma_keras
from ma_keras import bases, data, potentials, transport
from ma_keras.saving import export, model_file

N = 3
DOUBLE = {'dtype': tf.float64}


def both():
  matrix = np.diag([0.1, 0.2, 0.3])
  quadratic = transport.ConvexQuadratic(matrix, [1.0, 2.0, 3.0], **DOUBLE)
  return quadratic + transport.InputConvex(N, (4, 3), seed=2, **DOUBLE)


MAPS = {
  'layer': lambda: transport.BrenierMap(
    transport.ConvexLayer(N, 5, 'log_cosh', seed=1, **DOUBLE), 1e-9, 40
  ),
  'sum': lambda: transport.BrenierMap(both(), modulus=0.25),
  'quadratic': lambda: transport.BrenierMap(potentials.Quadratic(np.eye(N), **DOUBLE)),
  'pressureless': lambda: transport.PressurelessFlow(both(), 0.7),
}


@pytest.fixture(params=MAPS)
def optimal(request):
  trained = MAPS[request.param]()
  for number, variable in enumerate(trained.trainable_variables):
    variable.assign_add(0.01 * np.random.default_rng(number).normal(size=variable.shape))
  return trained


def points(n=4):
  return tf.constant(np.random.default_rng(n).normal(size=(n, N)))


def assert_same(one, other):
  assert type(one) is type(other) and one.config().keys() == other.config().keys()
  for name in ('tolerance', 'max_iterations', 'modulus'):
    assert getattr(one, name) == getattr(other, name)
  np.testing.assert_array_equal(one.forward(points()), other.forward(points()))
  np.testing.assert_array_equal(one.inverse(points()), other.inverse(points()))


@pytest.mark.slow
def test_a_model_file_gives_the_map_back(optimal, tmp_path):
  maps = data.Standardised([1.0, 2.0, 3.0], [2.0, 2.0, 2.0], **DOUBLE)
  base = bases.StandardNormal(N, tf.float64)
  model = model_file.Model(optimal, maps, base=base, columns=('a', 'b', 'c'), notes={'who': 'me'})
  model_file.save(tmp_path / 'model.npz', model)
  loaded = ma_keras.load(tmp_path / 'model.npz')
  assert_same(loaded.bijector, optimal)
  assert loaded.columns == ('a', 'b', 'c') and loaded.notes == {'who': 'me'}
  x = points() + 2.0
  np.testing.assert_array_equal(loaded.flow().log_prob(x), model.flow().log_prob(x))


@pytest.mark.slow
def test_pickles_and_copies(optimal):
  for twin in (pickle.loads(pickle.dumps(optimal)), copy.deepcopy(optimal)):
    assert_same(twin, optimal)
    assert not {id(v) for v in twin.variables} & {id(v) for v in optimal.variables}


@pytest.mark.slow
def test_a_saved_model_computes_what_the_map_does(tmp_path):
  optimal = MAPS['sum']()
  flow = ma_keras.standard_normal_flow(optimal)
  export.save(flow, tmp_path / 'saved')
  module, x = tf.saved_model.load(str(tmp_path / 'saved')), points()
  np.testing.assert_allclose(module.log_prob(x)['log_prob'], flow.log_prob(x), rtol=1e-12)
  inverse = module.inverse(x)
  np.testing.assert_allclose(inverse['z'], optimal.inverse(x), rtol=1e-12)
  np.testing.assert_allclose(module.forward(inverse['z'])['x'], x, rtol=1e-9)
  drawn = module.sample(seed=tf.constant([1, 2]), n=tf.constant(5))
  np.testing.assert_allclose(drawn['log_prob'], flow.log_prob(drawn['x']), rtol=1e-8)
  expected = tfp.math.value_and_gradient(flow.log_prob, tf.constant(x.numpy()))[1]
  np.testing.assert_allclose(module.score(x)['score'], expected, rtol=1e-8)


def test_flows_are_written_as_before(tmp_path):
  """In format 2, which older versions read."""
  flow = ma_keras.MongeAmpereBijector(potentials.OneHiddenLayer(N, 2, seed=1), 3, 0.1)
  model_file.save(tmp_path / 'flow.npz', model_file.Model(flow))
  described = json.loads(str(np.load(tmp_path / 'flow.npz')['model']))
  assert described['format'] == 2 and 'map' not in described
  model_file.save(tmp_path / 'map.npz', model_file.Model(MAPS['layer']()))
  assert json.loads(str(np.load(tmp_path / 'map.npz')['model']))['format'] == 3


@pytest.mark.parametrize(
  'change, message',
  [
    (lambda described: described['map'].update({'class': 'ConvexLayer'}), '`map` is none of'),
    (lambda described: described.update(num_steps=3), r"\['num_steps'\] unknown"),
    (lambda described: described['map']['arguments'].update(modulus=-1.0), '`modulus` must be'),
    (lambda described: described['map']['arguments'].update(tolerance='x'), '`tolerance` and'),
    (lambda described: described['map']['arguments'].update(potential=3), '`potential` must be'),
  ],
)
def test_files_written_by_hand_are_refused(change, message, tmp_path):
  path = tmp_path / 'map.npz'
  model_file.save(path, model_file.Model(MAPS['layer']()))
  arrays = dict(np.load(path))
  described = json.loads(str(arrays['model']))
  change(described)
  np.savez(path, **{**arrays, 'model': json.dumps(described)})
  with pytest.raises(ValueError, match=message):
    ma_keras.load(path)


def test_a_potential_of_ones_own_is_refused(tmp_path):
  class Own(potentials.Potential):
    def __call__(self, t, x):
      return tf.reduce_sum(tf.cosh(x), axis=-1)

  with pytest.raises(NotImplementedError, match=r'has no config|cannot be written'):
    model_file.save(tmp_path / 'own.npz', model_file.Model(transport.BrenierMap(Own(N))))


@pytest.mark.slow
def test_apps_score_and_sample_by_a_map(tmp_path):
  from ma_keras.apps import sample, score
  from ma_keras.apps.configuration.sample import SampleConfig

  flow = ma_keras.standard_normal_flow(MAPS['sum']())
  model, x = model_file.Model(flow.bijector), points().numpy()
  np.testing.assert_allclose(score.log_prob(model)(x), flow.log_prob(x), rtol=1e-12)
  drawn = list(sample.batches(model.flow(), SampleConfig(model='', n=5, batch_size=3, output='')))
  assert [len(batch) for batch in drawn] == [3, 2] and np.all(np.isfinite(np.concatenate(drawn)))


def test_apps_that_halve_steps_say_that_a_map_has_none(tmp_path):
  from ma_keras.apps import certify
  from ma_keras.apps.configuration.certify import CertifyConfig

  path = str(tmp_path / 'map.npz')
  model_file.save(path, model_file.Model(MAPS['layer']()))
  with pytest.raises(ValueError, match='holds an optimal map, which takes no steps'):
    certify.work(CertifyConfig(model=path))
