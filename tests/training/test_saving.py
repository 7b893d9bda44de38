"""Every way in which Keras saves gives back the log densities to the bit, or refuses by name."""

import copy
import pickle

import joblib
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import ma_keras
from ma_keras import bases, data, potentials, targets, training
from ma_keras.potentials import autodiff
from tests.support import eager

pytestmark = pytest.mark.slow

N = 3
X = np.random.default_rng(0).normal(size=(20, N))
PREPROCESSING = {'mean': [0.1, 0.2, 0.3], 'deviation': [1.0, 2.0, 3.0]}


def model(seed=1, units=4, potential=None, mixture=False, optimizer='adam', **options):
  """Two hidden layers, whose variables have the same names."""
  first = potentials.OneHiddenLayer(N, units, seed=seed)
  potential = potential or first + potentials.OneHiddenLayer(N, 5, seed=seed + 1)
  base = bases.Mixture(np.ones(2), np.eye(2, N), np.stack([np.eye(N)] * 2)) if mixture else None
  bijector = ma_keras.MongeAmpereBijector(potential, 2, 0.2, 'heun', **options)
  made = training.MaximumLikelihood(bijector, data.Standardised(**PREPROCESSING), base=base)
  made.compile(optimizer)
  return made


@pytest.fixture(scope='module')
def trained():
  made = model(mixture=True, jitter=0.2, gradient='plain')
  with eager.eagerly():
    made.fit(X, verbose=0)
  return made


@pytest.fixture(scope='module')
def expected(trained):
  with eager.eagerly():
    return scores(trained)


@pytest.fixture(scope='module')
def untrained(expected):
  made = model(seed=8, mixture=True, jitter=0.2)
  with eager.eagerly():
    assert np.all(scores(made) != expected)
  return made, made.get_weights()


@pytest.fixture
def other(untrained):
  """Another model of that structure, as it was made."""
  made, start = untrained
  made.set_weights(start)
  return made


def scores(made):
  return made.predict(X, verbose=0)


SUFFIXES = ['w.weights.h5', 'w.h5', 'w.hdf5', 'w.keras', 'w', 'w.ckpt']


@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('name', SUFFIXES)
def test_case_2_weights_come_back_to_the_bit(name, trained, expected, other, tmp_path):
  """HDF5 files held none of the numbers of a flow."""
  path = str(tmp_path / name)
  trained.save_weights(path)
  other.load_weights(path)
  np.testing.assert_array_equal(scores(other), expected)


@pytest.mark.parametrize('name', SUFFIXES)
def test_weights_of_another_structure_are_refused_and_change_nothing(name, trained, tmp_path):
  path = str(tmp_path / name)
  trained.save_weights(path)
  one = potentials.OneHiddenLayer(N, 4, seed=8)
  for other in (model(units=5), model(potential=one), model(potential=one + one + one)):
    before = [v.numpy() for v in other.weights]
    with pytest.raises(ValueError, match=r'holds variables of .* the model has .*that was saved'):
      other.load_weights(path)
    assert all(np.array_equal(v, b) for v, b in zip(other.weights, before))
  with pytest.raises(ValueError, match='skip_mismatch'):
    trained.load_weights(path, skip_mismatch=True)


def test_other_files_are_no_weights(trained, tmp_path):
  for name in ('w.h5', 'w'):
    (tmp_path / name).write_text('1,2')
    with pytest.raises(ValueError, match=r'is no file of weights'):
      trained.load_weights(str(tmp_path / name))
  with pytest.raises(ValueError, match='is no file of weights'):
    trained.load_weights(str(tmp_path / 'missing.h5'))


def by_checkpoint(made, folder):
  tf.train.Checkpoint(model=made).write(str(folder / 'c'))
  other = model(seed=8, mixture=True, jitter=0.2)
  tf.train.Checkpoint(model=other).read(str(folder / 'c')).assert_existing_objects_matched()
  return other


def by_get_weights(made, _):
  other = model(seed=8, mixture=True, jitter=0.2)
  other.set_weights(made.get_weights())
  return other


def by_file(made, folder):
  made.save(str(folder / 'm.keras'))
  return tf_keras.models.load_model(str(folder / 'm.keras'))


def by_joblib(made, folder):
  joblib.dump(made, folder / 'm')
  return joblib.load(folder / 'm')


WAYS = {
  'tf.train.Checkpoint': by_checkpoint,
  'get_weights': by_get_weights,
  'model.keras': by_file,
  'clone_model': lambda made, _: tf_keras.models.clone_model(made),
  'pickle': lambda made, _: pickle.loads(pickle.dumps(made)),
  'joblib': by_joblib,
  'deepcopy': lambda made, _: copy.deepcopy(made),
  'copy': lambda made, _: copy.copy(made),
}


@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('way', WAYS)
def test_case_2_whole_models_come_back_to_the_bit(way, trained, expected, tmp_path):
  """And own their variables: training the twin leaves the original alone."""
  twin = WAYS[way](trained, tmp_path)
  np.testing.assert_array_equal(scores(twin), expected)
  assert twin.bijector.horizon == trained.bijector.horizon
  twin.set_weights([weight * 0 for weight in twin.get_weights()])
  np.testing.assert_array_equal(scores(trained), expected)


@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('way, optimizer', [('model.keras', 'adam'), ('pickle', 'soap')])
def test_training_goes_on_to_the_bit(way, optimizer, tmp_path):
  """The optimiser's moments and count come along, and with the count all random numbers."""
  chosen = {'adam': training.adam(1e-2, 10, 2, 1.0), 'soap': training.soap(1e-2, 10)}[optimizer]
  made = model(optimizer=chosen)
  made.fit(X, shuffle=False, verbose=0)
  twin = WAYS[way](made, tmp_path)
  for each in (made, twin):
    each.fit(X, shuffle=False, verbose=0)
  assert int(twin.optimizer.iterations) == 2
  for a, b in zip(made.own_variables(), twin.own_variables()):
    np.testing.assert_array_equal(a, b)


@pytest.mark.usefixtures('eagerly')
@pytest.mark.parametrize('whole', [False, True])
def test_model_checkpoint_keeps_the_best(whole, tmp_path):
  path = str(tmp_path / ('best.keras' if whole else 'best.weights.h5'))
  keep = tf_keras.callbacks.ModelCheckpoint(
    path, monitor='loss', save_best_only=True, save_weights_only=not whole
  )
  made = model()
  made.fit(X, epochs=2, verbose=0, callbacks=[keep])
  other = tf_keras.models.load_model(path) if whole else model(seed=8)
  if not whole:
    other.load_weights(path)
  np.testing.assert_array_equal(scores(other), scores(made))  # Its loss falls every epoch.


def test_an_export_needs_no_keras(trained, expected, tmp_path):
  trained.export(str(tmp_path / 'served'))
  module = tf.saved_model.load(str(tmp_path / 'served'))
  found = module.log_prob(tf.constant(X, tf.float32))['log_prob']
  np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize('name', ['folder', 'm.h5'])
def test_formats_that_would_lose_the_flow_are_refused(name, trained, tmp_path):
  with pytest.raises(ValueError, match=r"model.save\('model.keras'\).*save_weights.*export"):
    trained.save(str(tmp_path / name))
  assert not list(tmp_path.iterdir())


class Quartic(potentials.Potential):
  """A potential that no file describes."""

  def __init__(self):
    super().__init__(N)
    self.strength = tf.Variable(0.01)

  def __call__(self, t, x):
    return self.strength * tf.reduce_sum(x**4, -1)


@pytest.mark.usefixtures('eagerly')
def test_what_no_file_describes_is_pickled(tmp_path):
  one = potentials.OneHiddenLayer(N, 4, seed=1)
  for potential in (Quartic(), one.with_laplacian(autodiff.gradient_and_laplacian)):
    made = model(potential=potential)
    with pytest.raises(NotImplementedError, match=r'save_weights\(.*pickle.dump\(model, file\)'):
      made.save(str(tmp_path / 'm.keras'))
    assert not list(tmp_path.iterdir())
    np.testing.assert_array_equal(scores(pickle.loads(pickle.dumps(made))), scores(made))


@pytest.mark.usefixtures('eagerly')
def test_a_stochastic_laplacian_is_kept(tmp_path):
  one = potentials.OneHiddenLayer(N, 4, seed=1)
  made = model(potential=one.with_laplacian(potentials.Hutchinson(seed=1)))
  made.save(str(tmp_path / 'm.keras'))
  twin = tf_keras.models.load_model(str(tmp_path / 'm.keras'))
  np.testing.assert_array_equal(scores(twin), scores(made))
  assert np.any(scores(model(potential=one)) != scores(made))


@pytest.mark.usefixtures('eagerly')
def test_a_free_energy_pickles_with_its_target():
  bijector = ma_keras.MongeAmpereBijector(
    potentials.OneHiddenLayer(4, 3, seed=1), 2, 0.2, 'midpoint'
  )
  made = training.VariationalFreeEnergy(bijector, targets.Ising(2), 8)
  made.compile(training.adam(1e-2, 10))
  twin = pickle.loads(pickle.dumps(made))
  for each in (made, twin):
    each.fit(each.sample_numbers(2), verbose=0)
  for a, b in zip(made.own_variables(), twin.own_variables()):
    np.testing.assert_array_equal(a, b)
  with pytest.raises(NotImplementedError, match=r'pickle.dump\(model, file\)'):
    made.get_config()
